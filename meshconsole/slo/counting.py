"""Good requests and all requests of an objective, out of a service's edges. Pure."""

from collections.abc import Iterable, Sequence

from meshconsole.core.policies.service_level_objective import ServiceLevelObjective
from meshconsole.core.resources.common import seconds
from telemetry.edges import Edge
from telemetry.samples import ISTIO_BOUNDS

from .burn import Count


def count(edges: Iterable[Edge], host: str, objective: ServiceLevelObjective) -> Count:
    """
    Of the requests to `host`. For a latency objective the durations of failed requests are not told apart from the others': each failure is
    taken off the fast ones, so that the share of good ones is never flattered.
    """
    total = failed = fast = 0
    latency = objective.spec.indicator.latency
    for edge in edges:
        if edge.service != host:
            continue
        total += edge.requests
        failed += edge.errors_5xx
        if latency is not None:
            fast += round(within(float(seconds(latency.below)) * 1000, edge.buckets))
    return Count(max(0, min(total, fast) - failed) if latency is not None else max(0, total - failed), total)


def within(milliseconds: float, buckets: Sequence[int], bounds: Sequence[float] = ISTIO_BOUNDS) -> float:
    """How many observations were not longer; linear inside the bucket that the limit falls into, as histogram_quantile() is."""
    found, lower = 0.0, 0.0
    for upper, n in zip(bounds, buckets, strict=False):
        if milliseconds >= upper:
            found += n
        elif milliseconds > lower:
            found += n * (milliseconds - lower) / (upper - lower)
        lower = upper
    return found
