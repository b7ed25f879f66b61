"""
What a proxy lacks of what it should have: resource by resource, desired beside acknowledged.

Only the hub that the agent is connected to knows what was acknowledged. Where that is another process, it is asked by a notice and leaves its
answer in the cache; who gets none within a moment says so.
"""

import json
import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.core.cache import cache

from meshconsole.core.envoy import wire
from meshconsole.core.envoy.resource_set import Blob, Name

from . import notices
from .configdump import redacted
from .link import Link

log = logging.getLogger(__name__)

KEPT = 30
WAIT, EVERY = 2.0, 0.05
MOST = 200
"""Resources whose bodies are told."""


@dataclass(frozen=True)
class Difference:
    type: str
    name: str
    state: str
    """`missing`: not acknowledged yet; `stale`: an older version is; `refused`: Envoy has refused it, and keeps what it had; `extra`: to be removed."""
    acknowledged: dict[str, Any] | None
    """The body; None where there is none, or it is not known any more."""
    desired: dict[str, Any] | None


def differences(link: Link) -> list[Difference]:
    """Of a link of this process."""
    session = link.session
    desired = dict(session.desired.blobs) if session.desired is not None else {}
    held = dict(session.held or {})
    refused = session.refused.change if session.refused is not None else {}
    names = [n for n in sorted({*desired, *held}, key=str) if not _same(held.get(n), desired.get(n))]
    return list(_told(names[:MOST], held, desired, refused))


def _told(
    names: list[Name], held: Mapping[Name, str | Blob], desired: Mapping[Name, Blob], refused: Mapping[Name, str | None]
) -> Iterator[Difference]:
    for name in names:
        here, wanted = held.get(name), desired.get(name)
        state = "extra" if wanted is None else "refused" if name in refused else "missing" if here is None else "stale"
        yield Difference(str(name[0]), name[1], state, _body(here), _body(wanted))


def _same(here: str | Blob | None, wanted: Blob | None) -> bool:
    if here is None or wanted is None:
        return here is wanted
    return (here.version if isinstance(here, Blob) else here) == wanted.version


def _body(found: str | Blob | None) -> dict[str, Any] | None:
    return redacted(wire.parse(found.type, found.body)) if isinstance(found, Blob) else None


def ask(proxy_id: str) -> list[Difference] | None:
    """From any process; None where no hub answers: the agent is away, or Redis is. Blocks for a moment."""
    from . import hub

    here = hub.current()
    link = here.links.get(proxy_id) if here is not None else None
    if link is not None:
        return differences(link)
    cache.delete(_key(proxy_id))
    notices.publish(notices.QUESTION + proxy_id)
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        if (found := cache.get(_key(proxy_id))) is not None:
            return [Difference(**each) for each in json.loads(found)]
        time.sleep(EVERY)
    return None


def answer(link: Link) -> None:
    """Asked by another process. Not for an event loop: it writes to the cache."""
    try:
        cache.set(_key(link.facts.proxy_id), json.dumps([asdict(d) for d in differences(link)]), KEPT)
    except Exception as e:  # whoever asked gets no answer, and says so
        log.warning("What %s has acknowledged cannot be told: %s", link.facts.proxy_id, e)


def _key(proxy_id: str) -> str:
    return f"held:{proxy_id}"
