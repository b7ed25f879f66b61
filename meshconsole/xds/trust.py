"""
What the connected proxies of one web process hear of trust: new bundles, that they should renew, that they are not trusted any more.

Like the hub's snapshots, news only say that there is something to look at (a signal, Redis, the poll); one look in the database says what.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from django.utils import timezone

from meshconsole.ca import bundles, heads, renewing
from meshconsole.ca.models import Eviction, Intermediate, Issued, State
from proxyagent import protocol

from . import rotating
from .link import Link
from .threads import in_database

log = logging.getLogger(__name__)

POLL = 2.0
CHUNK = 500


@dataclass(frozen=True)
class Look:
    """What the database says, for the links that were asked about."""

    head: int
    under_way: bool
    bundle: int = 0
    pem: bytes = b""
    active: int = 0
    """The active intermediate."""
    distrusted: Mapping[str, str] = field(default_factory=dict)
    """Proxy -> why it is cut."""
    late: frozenset[str] = frozenset()
    """Proxies whose certificate is not by the active intermediate."""


class Trust:
    def __init__(self, links: Mapping[str, Link]) -> None:
        self.head = -1
        self._links = links
        self._news = asyncio.Event()
        self._under_way = True
        self._asked: dict[str, tuple[str, int]] = {}
        """Proxy -> its certificate and the intermediate for whose sake it was asked to renew."""

    def news(self) -> None:
        self._news.set()

    def came(self, link: Link) -> None:
        """What changed between its enrolment and now, neither of them has seen."""
        if link.facts.head != self.head:
            self.head = -1
            self._news.set()

    def taken(self, link: Link, frame: protocol.Trusted) -> bool:
        """True when it is news."""
        if (frame.bundle, frame.serial) == (link.facts.bundle, link.facts.taken):
            return False
        link.facts = replace(link.facts, bundle=frame.bundle[:32], taken=frame.serial[:40])
        return True

    async def serve(self) -> None:
        """One round."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), POLL)
        self._news.clear()
        if self._under_way:
            await in_database(rotating.advance, timezone.now())
        serials = {proxy_id: link.facts.serial for proxy_id, link in self._links.items()}
        look = await in_database(_look, self.head, serials)
        if look is None:
            return
        self._tell(look)
        self.head, self._under_way = look.head, look.under_way
        if any(link.facts.head != look.head and serials.get(p) != link.facts.serial for p, link in self._links.items()):
            # It came while the database was asked, and was not asked about.
            self.head = -1
            self._news.set()

    def _tell(self, look: Look) -> None:
        frame = protocol.encode(protocol.Certificate(look.pem))
        for proxy_id, link in list(self._links.items()):
            if proxy_id in look.distrusted:
                log.warning("%s is cut: %s", proxy_id, look.distrusted[proxy_id])
                link.close(protocol.Refused("revoked", look.distrusted[proxy_id]))
                continue
            if link.trust < look.bundle:
                link.trust = look.bundle
                link.deliver(frame)
            if proxy_id in look.late and self._asked.get(proxy_id) != (asked := (link.facts.serial, look.active)):
                self._asked[proxy_id] = asked
                link.deliver(protocol.encode(protocol.Certificate(b"", renew_at=renewing.soon(timezone.now()).timestamp())))
        for proxy_id in self._asked.keys() - self._links.keys():
            del self._asked[proxy_id]


def _look(head: int, serials: Mapping[str, str]) -> Look | None:
    """None: nothing has changed since `head`."""
    number = heads.number()
    if number == head:
        return None
    if not Intermediate.objects.filter(state=State.ACTIVE).exists():
        return Look(number, False)  # nobody has joined yet
    bundle = bundles.newest(timezone.now())
    active = Intermediate.objects.get(state=State.ACTIVE).pk
    revoked: dict[str, str] = {}
    late: set[str] = set()
    for chunk in _chunks(list(serials.values())):
        for serial, at, reason, issuer in Issued.objects.filter(serial__in=chunk).values_list("serial", "revoked", "reason", "issuer_id"):
            if at is not None:
                revoked[serial] = "its certificate was revoked" + (f": {reason}" if reason else "")
            elif issuer != active:
                late.add(serial)
    distrusted = {proxy_id: revoked[serial] for proxy_id, serial in serials.items() if serial in revoked}
    for chunk in _chunks(list(serials)):
        for proxy_id, reason in Eviction.objects.filter(proxy_id__in=chunk).values_list("proxy_id", "reason"):
            distrusted[proxy_id] = "this agent was evicted" + (f": {reason}" if reason else "")
    return Look(
        number,
        Intermediate.objects.filter(state__in=(State.PENDING, State.RETIRING)).exists(),
        bundle.number,
        bundle.pem.encode(),
        active,
        distrusted,
        frozenset(proxy_id for proxy_id, serial in serials.items() if serial in late),
    )


def _chunks(items: list[str]) -> list[list[str]]:
    return [items[i : i + CHUNK] for i in range(0, len(items), CHUNK)]
