"""Endpoints by where they are: which locality is served first, and which gets what share (Istio: pilot/pkg/networking/core/loadbalancer)."""

from collections.abc import Sequence

from .draft import Json, Localities


def spread(groups: Sequence[tuple[str, Json]], localities: Localities) -> list[Json]:
    """Each (locality, LocalityLbEndpoints) with its priority or its weight; groups that get nothing are left out."""
    return _shared(groups, localities) if localities.shares else _ranked(groups, localities)


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


def _ranked(groups: Sequence[tuple[str, Json]], localities: Localities) -> list[Json]:
    distances = [distance(localities.client, locality, localities.fallback) for locality, _ in groups]
    # Envoy wants priorities without a gap.
    ranks = {found: rank for rank, found in enumerate(sorted(set(distances)))}
    return [{**group, "priority": ranks[found]} for found, (_, group) in zip(distances, groups, strict=True)]


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
