"""The objectives as they stand: what pages and the API show, and what alerts look at."""

import time
from collections.abc import Collection
from dataclasses import dataclass

from meshconsole.configstore import mesh, store
from meshconsole.core.policies.service_level_objective import ServiceLevelObjective
from meshconsole.core.resources.common import seconds
from telemetry import query

from . import burn
from .burn import Burning, Count
from .counting import count


@dataclass(frozen=True)
class Standing:
    """One objective now."""

    namespace: str
    name: str
    service: str
    """The full host."""
    indicator: str
    """`availability`, or `latency below 300ms`."""
    objective: float
    window: float
    """Seconds."""
    count: Count
    """Over the whole window."""
    good_share: float | None
    budget_left: float | None
    """A share, 1 down to 0 and below; None without requests."""
    burning: tuple[Burning, ...]
    description: str

    @property
    def state(self) -> str:
        if self.budget_left is None:
            return "none"
        if self.budget_left <= 0 or any(b.breached and b.pair.severity == "critical" for b in self.burning):
            return "failure"
        return "degraded" if any(b.breached for b in self.burning) else "healthy"


def objectives(namespaces: Collection[str] | None = None) -> list[ServiceLevelObjective]:
    return [
        p for p in store.resources() if isinstance(p, ServiceLevelObjective) and (namespaces is None or p.metadata.namespace in namespaces)
    ]


def host(objective: ServiceLevelObjective) -> str:
    name = objective.spec.service
    return name if "." in name else f"{name}.{objective.metadata.namespace}.svc.{mesh.config().domain}"


def burns(found: Collection[ServiceLevelObjective], now: float) -> dict[tuple[str, str], list[Burning]]:
    """(namespace, name) -> its pairs of windows. Each window is read once for all objectives. Raises query.Unavailable."""
    lengths = {length for o in found for p in burn.pairs(float(seconds(o.spec.window))) for length in (p.long, p.short)}
    edges = {length: query.edges(now - length, now, now=now) for length in sorted(lengths)}
    result = {}
    for o in found:
        window, where = float(seconds(o.spec.window)), host(o)
        wanted = {length for p in burn.pairs(window) for length in (p.long, p.short)}
        counts = {length: count(edges[length], where, o) for length in wanted}
        result[o.metadata.namespace, o.metadata.name] = burn.burning(counts, o.spec.objective, window)
    return result


def standings(namespaces: Collection[str] | None = None, now: float | None = None) -> list[Standing]:
    """The one with the least budget first. Raises query.Unavailable."""
    now = time.time() if now is None else now
    found = objectives(namespaces)
    rates = burns(found, now)
    whole = {length: query.edges(now - length, now, now=now) for length in {float(seconds(o.spec.window)) for o in found}}
    result = []
    for o in found:
        window, where = float(seconds(o.spec.window)), host(o)
        counted = count(whole[window], where, o)
        latency = o.spec.indicator.latency
        result.append(
            Standing(
                namespace=o.metadata.namespace,
                name=o.metadata.name,
                service=where,
                indicator=f"latency below {latency.below}" if latency else "availability",
                objective=o.spec.objective,
                window=window,
                count=counted,
                good_share=counted.good_share,
                budget_left=burn.budget_left(counted, o.spec.objective),
                burning=tuple(rates[o.metadata.namespace, o.metadata.name]),
                description=o.spec.description,
            )
        )
    return sorted(result, key=lambda s: (s.budget_left is None, s.budget_left or 0.0, s.namespace, s.name))
