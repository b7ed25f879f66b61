"""
A rotation's next steps, performed: rotation.py plans, transitions.py does, and here is who holds what.

Every web process with a rotation under way comes here every two seconds, and so does the alarm clock; each step is claimed, so that twice
is harmless.
"""

import datetime
import logging
from dataclasses import dataclass

from django.db.models import Max

from meshconsole.accounts.author import Author
from meshconsole.ca import bundles, keystore, rotation, transitions
from meshconsole.ca.models import Bundle, Eviction, Intermediate, Issued, State
from meshconsole.ca.rotation import Activate, Candidate, Holder, Leaf, Remove

from .models import ProxyRecord

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Standing:
    """Where a rotation stands."""

    pending: Intermediate | None
    holders: tuple[Holder, ...]
    """Everybody who counts."""
    waiting: tuple[Holder, ...]
    """Of them, who does not believe the pending one yet."""
    retiring: tuple[tuple[Intermediate, tuple[Leaf, ...]], ...]
    """The retiring ones, each with the leaves for whose sake it is still believed."""


def standing(now: datetime.datetime) -> Standing:
    rows = list(Intermediate.objects.filter(state__in=(State.PENDING, State.RETIRING)).select_related("root"))
    pending = next((row for row in rows if row.state == State.PENDING), None)
    found = holders(now)
    signed = leaves(now) if any(row.state == State.RETIRING for row in rows) else []
    waiting = rotation.without(pending.bundle, found) if pending else []
    retiring = [(row, tuple(rotation.left(row.number, signed, now))) for row in rows if row.state == State.RETIRING]
    return Standing(pending, tuple(found), tuple(waiting), tuple(retiring))


def advance(now: datetime.datetime) -> int:
    """Take the steps that are due; how many were taken."""
    rows = list(Intermediate.objects.filter(state__in=(State.PENDING, State.RETIRING)))
    if not rows:
        return 0
    try:
        bundles.refresh(now)
        candidates = [Candidate(row.number, row.state, row.bundle) for row in rows]
        return sum(_perform(command, now) for command in rotation.plan(candidates, holders(now), leaves(now), now))
    except keystore.Locked as e:
        log.error("The rotation of the authority cannot go on: %s", e)
        return 0


def _perform(command: Activate | Remove, now: datetime.datetime) -> bool:
    match command:
        case Activate(number):
            done = transitions.activate(number, transitions.BY_ITSELF, now)
        case Remove(number):
            done = transitions.remove(number, transitions.BY_ITSELF, now)
    if done:
        log.info("Rotation: %s", command)
    return done


def force(author: Author, now: datetime.datetime) -> list[int]:
    """Take the next step without waiting: the pending one signs; where none is pending, the retiring ones are removed. Their numbers."""
    pending = Intermediate.objects.filter(state=State.PENDING).first()
    if pending is not None:
        return [pending.number] if transitions.activate(pending.number, author, now, forced=True) else []
    retiring = Intermediate.objects.filter(state=State.RETIRING).values_list("number", flat=True)
    return [number for number in list(retiring) if transitions.remove(number, author, now, forced=True)]


def holders(now: datetime.datetime) -> list[Holder]:
    numbers = dict(Bundle.objects.values_list("digest").annotate(Max("number")))
    evicted = set(Eviction.objects.values_list("proxy_id", flat=True))
    ends: dict[str, datetime.datetime] = {}
    alive = Issued.objects.filter(not_after__gt=now, revoked=None, given_back=None).order_by()
    for proxy_id, end in alive.values_list("proxy_id").annotate(Max("not_after")):
        ends[proxy_id] = end
    found = []
    for proxy_id, connected, digest in ProxyRecord.objects.values_list("pk", "connected", "bundle"):
        end = ends.pop(proxy_id, None)
        if (connected or end is not None) and proxy_id not in evicted:
            found.append(Holder(proxy_id, connected, numbers.get(digest, 0), end))
    # Long away, so that the hub's record of them is gone; their Envoys may serve all the same.
    found += [Holder(proxy_id, False, 0, end) for proxy_id, end in ends.items() if proxy_id not in evicted and "/" in proxy_id]
    return sorted(found, key=lambda h: h.proxy_id)


def leaves(now: datetime.datetime) -> list[Leaf]:
    """Living leaves of what retires."""
    taken = dict(ProxyRecord.objects.exclude(taken="").values_list("pk", "taken"))
    alive = Issued.objects.filter(issuer__state=State.RETIRING, not_after__gt=now, revoked=None, given_back=None)
    rows = list(alive.values_list("pk", "proxy_id", "serial", "issuer__number", "not_after"))
    newest: dict[str, int] = {}
    serials = [taken[proxy_id] for _, proxy_id, *_ in rows if proxy_id in taken]
    for start in range(0, len(serials), 500):
        chunk = Issued.objects.filter(serial__in=serials[start : start + 500])
        for proxy_id, serial, pk in chunk.values_list("proxy_id", "serial", "pk"):
            if taken.get(proxy_id) == serial:
                newest[proxy_id] = pk
    return [Leaf(proxy_id, serial, number, end, newest.get(proxy_id, 0) > pk) for pk, proxy_id, serial, number, end in rows]
