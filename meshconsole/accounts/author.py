"""Who asks for a change, through which door, and what they may do: the value that every write carries down to the store and the audit log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from .permissions import may

if TYPE_CHECKING:
    from django.http import HttpRequest

May = Callable[[str, str, str | None], bool]
"""(verb, kind, namespace) -> allowed?"""


def _everything(verb: str, kind: str, namespace: str | None) -> bool:
    return True


@dataclass(frozen=True)
class Author:
    user: str
    door: str = "system"
    """browser, token, cli, ci or system."""
    address: str = ""
    may: May = _everything

    @classmethod
    def of(cls, request: HttpRequest) -> Author:
        """The author of a request. A DRF request knows its token; a page's request has the session's user."""
        token = getattr(request, "auth", None)
        if token is not None:
            # A label for people who read the history, not a protection: any client may call itself the command line.
            agent = request.headers.get("User-Agent", "")
            door = "token" if not agent.startswith("meshconsole/") else "ci" if agent.endswith(" ci") else "cli"
        else:
            door = "browser"
        return cls(
            user=request.user.get_username() or "anonymous",
            door=door,
            address=request.META.get("REMOTE_ADDR") or "",
            may=partial(may, token if token is not None else request.user),
        )
