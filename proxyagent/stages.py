"""
The order in which a push goes to Envoy: make before break.

New clusters and their endpoints first, then the listeners and routes that use them, removals last; so no route ever
points at a cluster that is not there. Clusters and endpoints are one step: Envoy holds its ACK of a cluster back until
it is warm (ClusterManagerImpl::updateClusterCounts), and an endpoint-discovered cluster is warm when it has its
endpoints. Listeners, and virtual hosts, are one stage for additions and removals together: an address that moves from
one listener to another, or a domain from one virtual host to another, does so in one response, or Envoy refuses the
duplicate.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .cache import Cache
from .protocol import XdsType

Names = Mapping[XdsType, set[str]]

ADDITIONS: tuple[XdsType, ...] = ("cds", "eds", "sds", "ecds", "lds", "rds")
"""Endpoints, routes and secrets are never removed by name: Envoy lets go of them once no cluster or listener names them."""


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
        gone = frozenset(n for n in names.get("lds", ()) if n not in held) if type_ == "lds" else frozenset()
        if send or gone:
            yield Stage(type_, frozenset(send), frozenset(again), gone)
    hosts = names.get("vhds", set())
    here = frozenset(n for n in hosts if n in after.of("vhds"))
    if hosts or before.aliases != after.aliases:
        yield Stage("vhds", here, remove=frozenset(hosts) - here)
    if gone := frozenset(n for n in clusters if n not in after.of("cds")):
        yield Stage("cds", remove=gone)
