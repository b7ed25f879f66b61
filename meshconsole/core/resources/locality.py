"""How requests are spread over places, as Istio's users write it: in a DestinationRule, and for the whole mesh in the MeshConfig."""

import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from .common import Boolean
from .envelope import Model

_PLACE = re.compile(r"(\*|[^/*\s]+)(/(\*|[^/*\s]+)){0,2}")
REGION, ZONE, SUB_ZONE = "topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone"
MIN_CLUSTER_SIZE = 6
"""Envoy's own, and Istio's."""


class Distribute(Model):
    from_: Annotated[str, Field(alias="from")]
    """Clients of this place: `region`, `region/zone`, `region/zone/sub-zone`; `*` for any part."""
    to: dict[str, Annotated[int, Field(strict=True, ge=1, le=100)]]
    """Place -> share of their requests, in percent; 100 together. Places that are not named get none."""


class Failover(Model):
    from_: Annotated[str, Field(alias="from")]
    """A region."""
    to: str
    """The region that takes over when that one is down, before all others."""


class LocalityLbSetting(Model):
    distribute: list[Distribute] = Field(default_factory=list)
    """Shares by place; the first that holds for the client. One of distribute, failover and failoverPriority."""
    failover: list[Failover] = Field(default_factory=list)
    """Which region takes over from which. Needs outlierDetection, else nothing happens."""
    failover_priority: list[str] = Field(default_factory=list)
    """Labels in order of weight, each as `key` (instances that bear the client's own value come first) or `key=value` (those that bear that
    value). An instance ranks by how many of the first labels it shares. The places' own: `topology.kubernetes.io/region`,
    `topology.kubernetes.io/zone`, `topology.istio.io/subzone`, `topology.istio.io/network`. Needs outlierDetection."""
    enabled: Boolean | None = None
    """`false`: instances are chosen wherever they are. Default: true."""


class ZoneAwareLbSetting(Model):
    """As many requests as possible stay in the client's zone while every instance gets about the same."""

    enabled: Boolean | None = None
    """`false`: off. Default: on, as soon as the block is there."""
    failover: list[Failover] = Field(default_factory=list)
    """Which region takes over from which. Needs outlierDetection, else nothing happens."""
    failover_priority: list[str] = Field(default_factory=list)
    """As in localityLbSetting: labels that rank instances, in the place of their region. Needs outlierDetection."""
    min_cluster_size: Annotated[int, Field(strict=True, ge=1)] | None = None
    """With fewer instances in the client's region zones make no difference. Default: 6."""


def faults(given: LocalityLbSetting, path: str) -> Iterator[tuple[str, str]]:
    """(path, what is wrong)"""
    for name, written in (("failover", given.failover), ("failoverPriority", given.failover_priority)):
        if given.distribute and written:
            yield path, f"distribute and {name} exclude one another; keep one"
    for n, rule in enumerate(given.distribute):
        where = f"{path}.distribute[{n}]"
        for name, place in (("from", rule.from_), *(("to", place) for place in rule.to)):
            if not _PLACE.fullmatch(place):
                yield f"{where}.{name}", f"{place!r} is no place; write region, region/zone or region/zone/sub-zone"
        if sum(rule.to.values()) != 100:
            yield f"{where}.to", f"the shares add up to {sum(rule.to.values())}, not to 100"
        if rule.from_ in [each.from_ for each in given.distribute[:n]]:
            yield f"{where}.from", f"{rule.from_!r} stands twice; keep one"
    yield from _ranking(given.failover, given.failover_priority, path)


def zone_faults(given: ZoneAwareLbSetting, path: str) -> Iterator[tuple[str, str]]:
    yield from _ranking(given.failover, given.failover_priority, path)


def _ranking(failover: list[Failover], priority: list[str], path: str) -> Iterator[tuple[str, str]]:
    for n, each in enumerate(failover):
        for name, region in (("from", each.from_), ("to", each.to)):
            if not region or "/" in region or "*" in region:
                yield f"{path}.failover[{n}].{name}", f"{region!r} must be a region"
        if each.from_ == each.to:
            yield f"{path}.failover[{n}].to", "a region cannot take over from itself"
    seen: set[str] = set()
    for n, label in enumerate(priority):
        key = label.partition("=")[0]
        if not key:
            yield f"{path}.failoverPriority[{n}]", "must be a label's key, or key=value"
        elif key in seen:
            yield f"{path}.failoverPriority[{n}]", f"{key!r} stands twice; keep one"
        if failover and label in (REGION, ZONE, SUB_ZONE):
            yield f"{path}.failoverPriority[{n}]", f"failover and the place {label} exclude one another; keep one"
        seen.add(key)
