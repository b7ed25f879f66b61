"""Error budgets, by figures that one can work out by hand."""

import pytest

from meshconsole.core.policies import parse_object
from meshconsole.slo.burn import MONTH, Count, budget_left, burn_rate, burning, pairs
from meshconsole.slo.counting import count, within
from telemetry.edges import Edge, Peer, Response
from telemetry.histogram import observe

HOST = "reviews.default.svc.cluster.local"
PEER = Peer("productpage-v1", "default", "productpage", "v1", "productpage", "v1")


def edge(codes, milliseconds=7.0, service=HOST):
    n = sum(codes.values())
    responses = tuple(Response(code, "", "-", k) for code, k in codes.items())
    return Edge(
        PEER, PEER, service, "reviews", "default", "http", "source", 60.0, n, responses, observe([milliseconds] * n), milliseconds * n
    )


def objective(**spec):
    return parse_object({
        "apiVersion": "meshconsole.io/v1", "kind": "ServiceLevelObjective", "metadata": {"name": "o"},
        "spec": {"service": "reviews", "objective": 99.9, **spec},
    })[0]  # fmt: skip


def counts(rates, window=MONTH, total=100_000, objective_=99.9):
    """Counts that give these burn rates, by (pair, long or short)."""
    found = {}
    for pair in pairs(window):
        long, short = rates.get(pair.name, (0, 0))
        for length, rate in ((pair.long, long), (pair.short, short)):
            bad = round(rate * total * (100 - objective_) / 100)
            found[length] = max(found.get(length, Count(total, total)), Count(total - bad, total), key=lambda c: c.total - c.good)
    return found


def test_a_budget_that_burns_at_rate_one_is_used_up_at_the_end_of_its_window():
    assert burn_rate(Count(999, 1000), 99.9) == pytest.approx(1.0)
    assert budget_left(Count(999, 1000), 99.9) == pytest.approx(0.0)
    assert budget_left(Count(1000, 1000), 99.9) == 1.0
    assert budget_left(Count(998, 1000), 99.9) == pytest.approx(-1.0)


def test_without_requests_nothing_is_said():
    assert burn_rate(Count(), 99.9) is None and budget_left(Count(), 99.9) is None
    empty = {length: Count() for p in pairs(MONTH) for length in (p.long, p.short)}
    assert not any(b.breached for b in burning(empty, 99.9, MONTH))


@pytest.mark.parametrize("name,long,short,breached", [
    ("fast", 15, 15, True),
    ("fast", 15, 1, False),  # it is over: the short window is clean
    ("fast", 10, 20, False),  # a moment's failure: the long window does not mind
])  # fmt: skip
def test_both_windows_must_burn(name, long, short, breached):
    found = {b.pair.name: b for b in burning(counts({name: (long, short)}), 99.9, MONTH)}
    assert found[name].breached is breached


def test_a_few_requests_are_no_trend():
    few = {length: Count(2, 5) for p in pairs(MONTH) for length in (p.long, p.short)}
    assert not any(b.breached for b in burning(few, 99.9, MONTH))
    enough = {length: Count(4, 10) for p in pairs(MONTH) for length in (p.long, p.short)}
    assert all(b.breached for b in burning(enough, 99.9, MONTH))


def test_the_months_windows_are_the_workbooks():
    assert [(p.long, p.short, p.factor) for p in pairs(MONTH)] == [
        (3600, 300, 14.4), (21600, 1800, 6.0), (86400, 7200, 3.0), (259200, 21600, 1.0),
    ]  # fmt: skip


def test_a_shorter_window_has_shorter_pairs_that_can_still_be_counted():
    assert all(p.long >= 300 and p.short >= 60 and p.long % 10 == p.short % 10 == 0 for p in pairs(3600))
    assert pairs(7 * 86400)[2].long == 20160  # 86400 * 7 / 30


def test_availability_counts_the_servers_failures_only():
    assert count([edge({"200": 90, "404": 5, "503": 5})], HOST, objective()) == Count(95, 100)


def test_other_services_do_not_count():
    assert count([edge({"503": 5}, service="ratings.default.svc.cluster.local")], HOST, objective()) == Count(0, 0)


def test_a_slow_answer_is_not_a_good_one_for_a_latency_objective():
    o = objective(indicator={"latency": {"below": "100ms"}})
    assert count([edge({"200": 80}, 40), edge({"200": 20}, 400)], HOST, o) == Count(80, 100)


def test_a_fast_failure_is_not_a_good_answer():
    o = objective(indicator={"latency": {"below": "100ms"}})
    assert count([edge({"200": 80, "503": 20}, 40)], HOST, o) == Count(80, 100)


def test_within_is_exact_at_a_bound_and_linear_between():
    buckets = observe([40] * 10)  # 25 < 40 <= 50
    assert within(50, buckets) == 10 and within(25, buckets) == 0
    assert within(37.5, buckets) == pytest.approx(5.0)
