"""Endpoints by where they are: which locality is served first, and which gets what share (Istio: pilot/pkg/networking/core/loadbalancer)."""

from collections import Counter
from collections.abc import Mapping, Sequence

from .draft import Json, Localities

_KEYS = ("topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone")
_FARTHEST = 5
"""One more than `distance` ever says."""


def spread(groups: Sequence[tuple[str, Json]], localities: Localities, ranks: Sequence[int] = ()) -> list[Json]:
    """Each (locality, LocalityLbEndpoints) with its priority or its weight; groups that get nothing are left out. `ranks`: of each group,
    what its labels say."""
    if localities.shares:
        return _shared(groups, localities)
    ranked = _ranked(groups, localities, ranks or [0] * len(groups))
    return _zoned([locality for locality, _ in groups], ranked, localities) if localities.zones else ranked


def rank(labels: Mapping[str, str], locality: str, wanted: Sequence[tuple[str, str]]) -> int:
    """0 for who bears all of `wanted`; the sooner one is missing, the higher (Istio: applyFailoverPriorityPerLocality)."""
    for n, (key, value) in enumerate(wanted):
        place = labelled(key, locality)
        if (labels.get(key, "") if place is None else place) != value:
            return len(wanted) - n
    return 0


def labelled(key: str, locality: str) -> str | None:
    """What the label `key` says of a place; None for a label that is not of places."""
    return _parts(locality)[_KEYS.index(key)] if key in _KEYS else None


def matches(pattern: str, locality: str) -> bool:
    """Does `us-west/*`, `us-west/zone1` or `*` take in the locality? What a pattern leaves out is anything."""
    return all(wanted in ("*", "", part) for wanted, part in zip(_parts(pattern), _parts(locality), strict=True))


def _parts(locality: str) -> tuple[str, str, str]:
    region, _, rest = locality.partition("/")
    zone, _, sub_zone = rest.partition("/")
    return region, zone, sub_zone


def distance(client: str, locality: str, fallback: str = "") -> int:
    """0: the same sub-zone, 1: the same zone, 2: the same region, 3: elsewhere; 4: elsewhere, where another region is the fallback."""
    here, there = _parts(client), _parts(locality)
    if here[0] != there[0]:
        return 4 if fallback and there[0] != fallback else 3
    if here[1] != there[1]:
        return 2
    return 0 if here[2] == there[2] else 1


def _ranked(groups: Sequence[tuple[str, Json]], localities: Localities, ranks: Sequence[int]) -> list[Json]:
    order = [rank * _FARTHEST + _distance(locality, localities) for rank, (locality, _) in zip(ranks, groups, strict=True)]
    # Envoy wants priorities without a gap.
    priorities = {found: priority for priority, found in enumerate(sorted(set(order)))}
    return [{**group, "priority": priorities[found]} for found, (_, group) in zip(order, groups, strict=True)]


def _distance(locality: str, localities: Localities) -> int:
    if not localities.near_first:
        return 0
    far = distance(localities.client, locality, localities.fallback)
    return 0 if localities.zones and far < 3 else far  # zones share a region


def _zoned(places: Sequence[str], groups: Sequence[Json], localities: Localities) -> list[Json]:
    """
    The first tier's weights, by zone (Envoy: ZoneAwareLoadBalancerBase): the client's zone gets what it can take of what comes from it;
    the rest goes where there is more than comes from there.
    """
    zones, here = localities.zones, _zone(localities.client)
    first = [n for n, group in enumerate(groups) if group["priority"] == 0]
    size: Counter[str] = Counter()
    for n in first:
        size[_zone(places[n])] += len(groups[n]["lb_endpoints"])
    region = sum(count for zone, count in size.items() if zone.partition("/")[0] == here.partition("/")[0])
    peers = Counter(map(_zone, zones.peers)) if zones else Counter()
    if zones is None or region < zones.min_size or not size[here] or not peers[here]:
        return list(groups)
    capacity = {zone: count / size.total() for zone, count in size.items()}
    demand = {zone: peers[zone] / peers.total() for zone in size}
    kept = min(1.0, capacity[here] / demand[here])
    spare = {zone: max(0.0, capacity[zone] - demand[zone]) for zone in size if zone != here}
    shares = {zone: (1 - kept) * left / sum(spare.values()) for zone, left in spare.items() if left} | {here: kept}
    weighed = list(groups)
    for n in first:
        zone = _zone(places[n])
        part = len(groups[n]["lb_endpoints"]) / size[zone]
        # Weight 0 would be no weight: a zone that nobody needs now gets one request in some thousands.
        weighed[n] = {**groups[n], "load_balancing_weight": max(1, round(10_000 * shares.get(zone, 0.0) * part))}
    return weighed


def _zone(locality: str) -> str:
    return "/".join(_parts(locality)[:2])


def _shared(groups: Sequence[tuple[str, Json]], localities: Localities) -> list[Json]:
    made: list[Json] = []
    left = list(groups)
    for pattern, share in localities.shares:
        taken = [each for each in left if matches(pattern, each[0])]
        left = [each for each in left if each not in taken]
        total = sum(group["load_balancing_weight"] for _, group in taken)
        # Several localities of one share divide it by their endpoints' weights, rounded up so that none gets nothing.
        made += [{**group, "load_balancing_weight": -(-share * group["load_balancing_weight"] // total)} for _, group in taken]
    return made
