"""Two traces beside each other, and how durations are spread over time."""

import pytest

from telemetry import spanstore, traces
from telemetry.assemble import assemble
from telemetry.comparing import compare
from telemetry.spans import Origin, Span, pieces

from .test_traces import NOW, request


def trace(*given):
    """(id, parent, service, start ms, end ms[, error])"""
    made = [
        Span("t", str(i), str(p) if p else "", f"GET /{s}", "server", start * 1000, end * 1000, bool(e), "", Origin(s))
        for i, p, s, start, end, *e in given
    ]
    found = assemble("t", made)
    assert found is not None
    return found


BEFORE = trace((1, 0, "shop", 0, 100), (2, 1, "stock", 10, 40), (3, 1, "cart", 50, 90))


def words(after):
    return [(s.node.span.origin.service, s.word) for s in compare(BEFORE, after)]


def test_the_same_way_is_the_same_step_whatever_its_ids():
    assert words(trace((9, 0, "shop", 0, 100), (8, 9, "stock", 10, 40), (7, 9, "cart", 50, 90))) == [
        ("shop", "same"), ("stock", "same"), ("cart", "same"),
    ]  # fmt: skip


def test_what_takes_a_fifth_longer_is_slower_and_where_the_time_is_lost_is_told():
    steps = compare(BEFORE, trace((1, 0, "shop", 0, 160), (2, 1, "stock", 10, 100), (3, 1, "cart", 110, 150)))
    assert [s.word for s in steps] == ["slower", "slower", "same"]
    assert max(steps, key=lambda s: s.own_delta).node.span.origin.service == "stock"


def test_steps_that_came_and_went_stand_in_their_places():
    assert words(trace((1, 0, "shop", 0, 100), (3, 1, "cart", 50, 90), (4, 3, "bank", 60, 80))) == [
        ("shop", "same"), ("stock", "gone"), ("cart", "same"), ("bank", "new"),
    ]  # fmt: skip


def test_an_error_is_worth_more_than_time():
    assert words(trace((1, 0, "shop", 0, 100), (2, 1, "stock", 10, 12, True), (3, 1, "cart", 50, 90)))[1] == ("stock", "failing")


def test_a_call_that_is_made_twice_is_two_steps():
    twice = trace((1, 0, "shop", 0, 100), (2, 1, "stock", 10, 40), (5, 1, "stock", 41, 45), (3, 1, "cart", 50, 90))
    assert words(twice) == [("shop", "same"), ("stock", "same"), ("stock", "new"), ("cart", "same")]


@pytest.mark.django_db
def test_the_heat_map_counts_every_trace_by_time_and_duration():
    for n in range(20):
        length = 5 if n < 15 else 700
        spanstore.store(pieces(request((n + 1, 1, 0, "a", 0, length, n >= 18, {})), Origin("reviews", "default")), now=NOW + 60)
    found = traces.heat(NOW - 10, NOW + 10, 2, service="reviews")
    assert found == {(1, traces.level(5)): (15, 0), (1, traces.level(700)): (5, 2)}
    assert traces.heat(NOW - 10, NOW + 10, 2, service="nobody") == {}
    assert traces.heat(NOW - 10, NOW + 10, 2, namespaces={"elsewhere"}) == {}
