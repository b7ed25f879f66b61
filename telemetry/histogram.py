"""Histograms of fixed bounds: buckets are not cumulative, the last is +Inf. Quantiles are Prometheus' histogram_quantile()."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from operator import add

from .samples import ISTIO_BOUNDS

SIZE = len(ISTIO_BOUNDS) + 1
EMPTY: tuple[int, ...] = (0,) * SIZE


def observe(values: Iterable[float], bounds: Sequence[float] = ISTIO_BOUNDS) -> tuple[int, ...]:
    """The buckets of single observations; a bound belongs to the bucket that it closes (`le`)."""
    buckets = [0] * (len(bounds) + 1)
    for value in values:
        buckets[bisect_left(bounds, value)] += 1
    return tuple(buckets)


def merge(a: Sequence[int], b: Sequence[int]) -> tuple[int, ...]:
    if len(a) != len(b):
        raise ValueError(f"histograms of {len(a)} and {len(b)} buckets do not add up")
    return tuple(map(add, a, b))


def rebucket(buckets: Sequence[int], bounds: Sequence[float], target: Sequence[float] = ISTIO_BOUNDS) -> tuple[int, ...]:
    """Into other bounds: each bucket goes whole to the one that its upper bound falls into, so a quantile is never flattered.
    Exact when every target bound is among `bounds`."""
    if len(buckets) != len(bounds) + 1:
        raise ValueError(f"{len(bounds)} bounds need {len(bounds) + 1} buckets, not {len(buckets)}")
    result = [0] * (len(target) + 1)
    for bound, n in zip(bounds, buckets, strict=False):
        result[bisect_left(target, bound)] += n
    result[-1] += buckets[-1]
    return tuple(result)


def quantile(q: float, buckets: Sequence[int], bounds: Sequence[float] = ISTIO_BOUNDS) -> float | None:
    """
    The q-quantile (0..1), linear inside its bucket, the first of which starts at 0; None without observations.

    As Prometheus: what falls into +Inf is answered by the highest bound.
    """
    return quantiles((q,), buckets, bounds)[0]


def quantiles(qs: Sequence[float], buckets: Sequence[int], bounds: Sequence[float] = ISTIO_BOUNDS) -> list[float | None]:
    """Several at once, rising."""
    if list(qs) != sorted(qs) or not all(0 <= q <= 1 for q in qs):
        raise ValueError(f"quantiles rise between 0 and 1, unlike {qs}")
    total = sum(buckets)
    if total <= 0:
        return [None] * len(qs)
    result: list[float | None] = []
    below, lower, i = 0, 0.0, 0
    for upper, n in zip(bounds, buckets, strict=False):
        if n:
            while i < len(qs) and below + n >= qs[i] * total:
                result.append(lower + (upper - lower) * (qs[i] * total - below) / n)
                i += 1
            if i == len(qs):
                break
            below += n
        lower = upper
    return result + [bounds[-1]] * (len(qs) - len(result))
