import itertools
import math
from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.histogram import EMPTY, SIZE, merge, observe, quantile, quantiles, rebucket
from telemetry.samples import ISTIO_BOUNDS

buckets = st.lists(st.integers(0, 1000), min_size=SIZE, max_size=SIZE)
values = st.lists(st.floats(0, 4e6), min_size=1, max_size=200)


def prometheus(q: float, counts: list[int]) -> float:
    """histogram_quantile() on cumulative buckets, written down from its documentation, rank by rank."""
    cumulative = list(itertools.accumulate(counts))
    rank = q * cumulative[-1]
    at = next(i for i, n in enumerate(cumulative) if n >= rank and n > 0)
    if at == len(counts) - 1:
        return ISTIO_BOUNDS[-1]
    lower = ISTIO_BOUNDS[at - 1] if at else 0.0
    below = cumulative[at - 1] if at else 0
    return lower + (ISTIO_BOUNDS[at] - lower) * (rank - below) / counts[at]


@given(buckets, st.floats(0.001, 1))
def test_a_quantile_is_the_one_that_prometheus_gives(counts: list[int], q: float):
    if not sum(counts):
        assert quantile(q, counts) is None
    else:
        assert quantile(q, counts) == pytest.approx(prometheus(q, counts))


@given(values, st.sampled_from([0.01, 0.5, 0.9, 0.95, 0.99, 1.0]))
def test_a_quantile_lies_in_the_bucket_of_the_value_with_that_rank(seen: list[float], q: float):
    true = sorted(seen)[max(math.ceil(q * len(seen)) - 1, 0)]
    at = bisect_left(ISTIO_BOUNDS, true)
    lower, upper = (ISTIO_BOUNDS[at - 1] if at else 0.0), ISTIO_BOUNDS[min(at, len(ISTIO_BOUNDS) - 1)]
    found = quantile(q, observe(seen))
    assert found is not None
    assert min(lower, upper) - 1e-6 <= found <= upper + 1e-6


@given(buckets)
def test_several_quantiles_at_once_are_each_as_if_alone(counts: list[int]):
    qs = (0.0, 0.25, 0.5, 0.95, 0.99, 1.0)
    assert quantiles(qs, counts) == [quantile(q, counts) for q in qs]


@given(values, values)
def test_merging_is_observing_both(a: list[float], b: list[float]):
    assert merge(observe(a), observe(b)) == observe(a + b)


def test_a_bound_belongs_to_the_bucket_that_it_closes():
    assert observe([0.5, 0.50001, 1, 3600000, 3600001]) == (1, 2, *[0] * 16, 1, 1)


def test_what_is_beyond_the_last_bound_is_answered_by_it():
    assert quantile(0.5, observe([1e9])) == 3600000


def test_nothing_seen_has_no_quantile():
    assert quantile(0.99, EMPTY) is None


@pytest.mark.parametrize("q", [-0.1, 1.1, math.nan])
def test_a_quantile_beyond_0_and_1_is_refused(q: float):
    with pytest.raises(ValueError, match="between 0 and 1"):
        quantile(q, EMPTY)


def test_quantiles_that_fall_are_refused():
    with pytest.raises(ValueError, match="rise"):
        quantiles((0.9, 0.5), EMPTY)


def test_histograms_of_different_sizes_do_not_merge():
    with pytest.raises(ValueError, match="do not add up"):
        merge((1,), (1, 2))


@given(values)
def test_finer_bounds_rebucket_exactly(seen: list[float]):
    finer = sorted({*ISTIO_BOUNDS, *(b * 0.7 for b in ISTIO_BOUNDS)})
    assert rebucket(observe(seen, finer), finer) == observe(seen)


@given(values)
def test_foreign_bounds_never_make_a_quantile_smaller(seen: list[float]):
    foreign = (3.0, 30.0, 300.0, 3000.0)
    moved = rebucket(observe(seen, foreign), foreign)
    assert sum(moved) == len(seen)
    exact = observe(seen)
    assert all(a <= b for a, b in zip(itertools.accumulate(moved), itertools.accumulate(exact), strict=True))


def test_rebucketing_needs_a_bucket_per_bound_and_one_more():
    with pytest.raises(ValueError, match="need 3 buckets"):
        rebucket((1, 2), (1.0, 2.0))
