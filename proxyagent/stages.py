"""
The order in which a push goes to Envoy: make before break.

New clusters and their endpoints first, then the listeners and routes that use them, removals last; so no route ever
points at a cluster that is not there. Clusters and endpoints are one step: Envoy holds its ACK of a cluster back until
it is warm (ClusterManagerImpl::updateClusterCounts), and an endpoint-discovered cluster is warm when it has its
endpoints. Virtual hosts are one stage for additions and removals together: a domain that moves from one virtual host
to another does so in one response, or Envoy refuses the duplicate.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .cache import Cache
from .protocol import XdsType

Names = Mapping[XdsType, set[str]]

ADDITIONS: tuple[XdsType, ...] = ("cds", "eds", "sds", "ecds", "lds", "rds")
REMOVALS: tuple[XdsType, ...] = ("lds", "cds")
"""Envoy lets go of endpoints, routes and secrets by itself once no cluster or listener names them."""


@dataclass(frozen=True)
class Stage:
    """One response, and what must be accepted before the next stage."""

    type: XdsType
    send: frozenset[str] = frozenset()
    again: frozenset[str] = frozenset()
    """Of `send`, what Envoy needs even when it holds this very version: the endpoints of a cluster that changed,
    or the new cluster stays warming."""
    remove: frozenset[str] = frozenset()


Step = tuple[Stage, ...]
"""Stages that go out together; the next step waits until Envoy has accepted them all."""


def steps(before: Cache, after: Cache, names: Names) -> Iterator[Step]:
    """What leads Envoy from `before` to `after`, which differ in `names`."""
    in_order = list(_stages(before, after, names))
    warm = tuple(s for s in in_order if s.type in ("cds", "eds") and s.send)
    if warm:
        yield warm
    yield from ((s,) for s in in_order if s not in warm)


def _stages(before: Cache, after: Cache, names: Names) -> Iterator[Stage]:
    clusters = names.get("cds", set())
    changed = {n for n in clusters if n in before.of("cds") and n in after.of("cds")}
    for type_ in ADDITIONS:
        held = after.of(type_)
        send = {n for n in names.get(type_, ()) if n in held}
        again: set[str] = set()
        if type_ == "eds":
            again = {n for n in changed if n in held}
            send |= {n for n in clusters if n in held}
        if send:
            yield Stage(type_, frozenset(send), frozenset(again))
    hosts = names.get("vhds", set())
    here = frozenset(n for n in hosts if n in after.of("vhds"))
    if hosts or before.aliases != after.aliases:
        yield Stage("vhds", here, remove=frozenset(hosts) - here)
    for type_ in REMOVALS:
        gone = frozenset(n for n in names.get(type_, ()) if n not in after.of(type_))
        if gone:
            yield Stage(type_, remove=gone)
