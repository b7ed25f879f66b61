"""
What an authority's rotation needs next. Pure: values in, commands out; rotating.py (of the floor above) performs them.

    pending    its root is in every bundle handed out, it signs nothing
       ↓       everyone who can still do mTLS has acknowledged a bundle that holds it (or somebody forced it)
    active     signs; the one before retires in the same moment, and agents are asked to renew
       ↓       the next one is active
    retiring   in every bundle, signs nothing
       ↓       the last leaf that it signed has ended, was revoked or given back, or its proxy has taken a newer one
    removed    out of the bundle, key destroyed
"""

import datetime
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from .models import State


@dataclass(frozen=True)
class Candidate:
    number: int
    state: str
    bundle: int
    """The first bundle that speaks of it."""


@dataclass(frozen=True)
class Holder:
    """A proxy that somebody may still shake hands with: it is connected, or its newest certificate has not ended."""

    proxy_id: str
    connected: bool
    bundle: int
    """The newest bundle that its Envoy has acknowledged; 0: none that we know of."""
    until: datetime.datetime | None
    """When it stops to count by itself: the end of its newest certificate."""


@dataclass(frozen=True)
class Leaf:
    proxy_id: str
    serial: str
    intermediate: int
    not_after: datetime.datetime
    replaced: bool
    """Its proxy's Envoy has taken a newer one."""


@dataclass(frozen=True)
class Activate:
    number: int


@dataclass(frozen=True)
class Remove:
    number: int


def without(bundle: int, holders: Collection[Holder]) -> list[Holder]:
    """Who would refuse a leaf that is only believed since this bundle."""
    return sorted((h for h in holders if h.bundle < bundle), key=lambda h: h.proxy_id)


def left(number: int, leaves: Collection[Leaf], now: datetime.datetime) -> list[Leaf]:
    """The leaves for whose sake this intermediate is still believed."""
    return sorted((x for x in leaves if x.intermediate == number and not x.replaced and x.not_after > now), key=lambda x: x.not_after)


def plan(
    candidates: Collection[Candidate], holders: Collection[Holder], leaves: Collection[Leaf], now: datetime.datetime
) -> Iterator[Activate | Remove]:
    for one in sorted(candidates, key=lambda c: c.number):
        if one.state == State.PENDING and one.bundle and not without(one.bundle, holders):
            yield Activate(one.number)
        elif one.state == State.RETIRING and not left(one.number, leaves, now):
            yield Remove(one.number)
