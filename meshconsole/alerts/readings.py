"""What conditions look at: the mesh's figures and states at one moment, as values. `gather` reads them once for all rules."""

import logging
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from meshconsole.ca import queries as ca
from meshconsole.slo.burn import Burning
from meshconsole.xds import status
from telemetry import query
from telemetry.edges import Edge
from telemetry.golden import Golden
from telemetry.golden import of as golden

from .rule import Target

log = logging.getLogger(__name__)


Series = Collection[tuple[Mapping[str, str], float]]


class Period(NamedTuple):
    seconds: int
    ago: int = 0
    """Seconds before now that it ends."""


@dataclass(frozen=True)
class Readings:
    now: datetime
    edges: Mapping[Period, Collection[Edge]] = field(default_factory=dict)
    proxies: Collection[status.ProxyStatus] = ()
    certificates: Collection[ca.Certificate] = ()
    expiring: Collection[ca.Expiry] = ()
    """What ends soon besides."""
    burns: Mapping[tuple[str, str], Collection[Burning]] = field(default_factory=dict)
    """Objective (namespace, name) -> its pairs of windows."""

    answers: Mapping[str, Series | str] = field(default_factory=dict)
    """PromQL query -> (labels, value) of each series of its answer, or why it was refused. A query that could not be put is not there."""

    def golden(self, period: Period, target: Target) -> dict[str, Golden]:
        """Host (or `<namespace>/<workload>`) -> its golden signals as who is called; a target that is named is there even without traffic."""
        groups: dict[str, list[Edge]] = {}
        if target.workload:
            groups[f"{target.namespace}/{target.workload}"] = []
        elif target.service:
            groups[target.service] = []
        for edge in self.edges[period]:
            if target.workload:
                if edge.destination.workload == target.workload and edge.destination.namespace == target.namespace:
                    groups[f"{target.namespace}/{target.workload}"].append(edge)
            elif target.service:
                if edge.service == target.service:
                    groups[target.service].append(edge)
            elif edge.service and edge.protocol != "tcp" and target.namespace in ("", edge.service_namespace):
                groups.setdefault(edge.service, []).append(edge)
        return {name: golden(found) for name, found in sorted(groups.items())}

    def proxies_of(self, target: Target) -> list[status.ProxyStatus]:
        return [p for p in self.proxies if target.namespace in ("", p.namespace) and target.workload in ("", p.name)]


def gather(periods: Collection[Period], now: datetime, *, proxies: bool, certificates: bool, queries: Collection[str] = ()) -> Readings:
    """Raises query.Unavailable: then nothing is known, and nothing changes."""
    at = now.timestamp() if now else time.time()
    edges = {p: query.edges(at - p.ago - p.seconds, at - p.ago, now=at) for p in sorted(set(periods))}
    return Readings(
        now,
        edges,
        tuple(status.proxies()) if proxies else (),
        tuple(ca.certificates(current=True, limit=10_000, now=now)) if certificates else (),
        tuple(ca.expiring(now)) if certificates else (),
        answers={q: said for q in sorted(set(queries)) for said in [_answer(q, at)] if said is not None},
    )


def _answer(promql: str, at: float) -> Series | str | None:
    """None: Prometheus is away. A question of one rule must not stop the others'."""
    try:
        return query.instant(promql, at)
    except query.Refused as e:
        return str(e)
    except query.Unavailable as e:
        log.warning("Prometheus does not answer %r: %s", promql[:200], e)
        return None
