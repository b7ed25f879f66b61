"""What someone may do: a verb on a kind in a namespace, by their grants, and for a token by its scopes too."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from .models import ApiToken, Role

if TYPE_CHECKING:
    from .models import User

EVERYWHERE = "*"
"""As a grant's namespace: all of them. As the namespace asked about: what belongs to none of them but to the whole mesh."""


ANY_KIND = "*"
"""As the kind asked about: is there any at all?"""


class Verb(StrEnum):
    GET = "get"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


ADMIN_KINDS = frozenset({"JoinToken", "AuditEntry", "User", "Grant", "TrustRoot", "Eviction"})
"""What only an admin of a namespace may see or change: whoever holds a join token becomes a workload."""

ADMIN_WRITES = frozenset({"EnvoyFilter"})
"""What everybody who sees the namespace may read, and only its admins may write: an EnvoyFilter can do whatever Envoy can, such as read the
files of its host or run code."""

_RANK = {Role.VIEWER.value: 1, Role.EDITOR.value: 2, Role.ADMIN.value: 3}


def needed(verb: str, kind: str) -> int:
    """The lowest rank of role that may do this."""
    if kind in ADMIN_KINDS or (kind in ADMIN_WRITES and verb != Verb.GET):
        return 3
    return 1 if verb == Verb.GET else 2


def may(who: User | ApiToken | Any, verb: str, kind: str, namespace: str | None = None) -> bool:
    """
    May `who` (a user, a token, or Django's anonymous user) do `verb` to a `kind` in `namespace`?

    `namespace` None asks whether there is any namespace where they may; `*` asks about the mesh as a whole.
    """
    if isinstance(who, ApiToken):
        return _in_scope(who, verb, kind, namespace) and may(who.user, verb, kind, namespace)
    if not who.is_active or not who.is_authenticated:
        return False
    if who.is_superuser:
        return True
    rank = needed(verb, kind)
    granted = {namespace_ for namespace_, role in who.roles.items() if _RANK[role] >= rank}
    if namespace is None:
        return bool(granted)
    return EVERYWHERE in granted or namespace in granted


def _in_scope(token: ApiToken, verb: str, kind: str, namespace: str | None) -> bool:
    if token.verbs and verb not in token.verbs:
        return False
    if token.kinds and kind not in (*token.kinds, ANY_KIND):
        return False
    return not token.namespaces or namespace is None or namespace in token.namespaces


def visible(who: User | ApiToken | Any, verb: str, kind: str) -> set[str] | None:
    """The namespaces where `who` may do this; None means all of them. For lists: filter, do not refuse."""
    if isinstance(who, ApiToken):
        if not _in_scope(who, verb, kind, None):
            return set()
        of_user, scope = visible(who.user, verb, kind), set(who.namespaces)
        if not scope:
            return of_user
        return scope if of_user is None else of_user & scope
    if may(who, verb, kind, EVERYWHERE):
        return None
    if not may(who, verb, kind, None):
        return set()
    rank = needed(verb, kind)
    return {namespace for namespace, role in who.roles.items() if _RANK[role] >= rank}
