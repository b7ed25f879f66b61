"""Each condition, by the smallest mesh that breaches it and one that just does not."""

from dataclasses import replace
from datetime import timedelta

import pytest

from meshconsole.alerts import conditions
from meshconsole.alerts.readings import Readings
from meshconsole.core.policies.alert_rule import Condition
from meshconsole.core.resources.messages import Invalid

from .mesh import HOST, NOW, breached, certificate, edge, findings, proxy, readings, ruled

REVIEWS = HOST.format("reviews")


def test_every_condition_of_the_kind_has_its_file():
    assert set(Condition.model_fields) <= set(conditions.all_())


def test_more_failures_than_the_limit_are_found_and_said():
    rule = ruled({"errorRate": {"abovePercent": 5}})
    [found] = findings(rule, now=[edge(codes={"200": 94, "503": 6})])
    assert found.breached and found.summary == "6 % of 100 requests to reviews failed in 1 min: more than 5 %"
    assert found.labels == {"namespace": "default", "service": "reviews"}
    assert breached(rule, now=[edge(codes={"200": 95, "503": 5})]) == []


def test_a_few_requests_say_nothing_of_an_error_rate():
    rule = ruled({"errorRate": {"abovePercent": 5, "minimumRequests": 10}})
    assert breached(rule, now=[edge(codes={"503": 9})]) == []
    assert breached(rule, now=[edge(codes={"503": 10})]) == [REVIEWS]


def test_a_rule_is_about_its_namespace_and_one_of_the_root_namespace_about_all():
    now = [edge("reviews-v1", {"503": 50}), edge("billing-v1", {"503": 50}, namespace="payments")]
    assert breached(ruled({"errorRate": {"abovePercent": 5}}), now=now) == [REVIEWS]
    everywhere = ruled({"errorRate": {"abovePercent": 5}}, namespace="istio-system")
    assert len(breached(everywhere, now=now)) == 2


def test_a_target_narrows_to_a_service_or_a_workload():
    now = [edge("reviews-v1", {"200": 100}), edge("reviews-v2", {"503": 100}), edge("ratings-v1", {"503": 100})]
    assert breached(ruled({"errorRate": {"abovePercent": 60}}, target={"service": "reviews"}), now=now) == []
    assert breached(ruled({"errorRate": {"abovePercent": 60}}, target={"workload": "reviews-v2"}), now=now) == ["default/reviews-v2"]


def test_an_error_spike_is_measured_against_last_week():
    rule = ruled({"errorRate": {"aboveTimes": 3}})
    assert breached(rule, now=[edge(codes={"200": 90, "503": 10})], then=[edge(codes={"200": 98, "503": 2})]) == [REVIEWS]
    assert breached(rule, now=[edge(codes={"200": 95, "503": 5})], then=[edge(codes={"200": 98, "503": 2})]) == []
    assert breached(rule, now=[edge(codes={"503": 100})], then=[]) == []  # nobody knows how it was


def test_a_percentile_above_its_limit_is_found():
    rule = ruled({"latency": {"percentile": "p99", "above": "500ms"}})
    assert breached(rule, now=[edge(milliseconds=900)]) == [REVIEWS]
    assert breached(rule, now=[edge(milliseconds=90)]) == []
    assert breached(rule, now=[]) == []


@pytest.mark.parametrize("limits,now,then,found", [
    ({"below": 1}, 30, None, True),
    ({"below": 1}, 90, None, False),
    ({"above": 1}, 90, None, True),
    ({"dropPercent": 50}, 40, 100, True),
    ({"dropPercent": 50}, 60, 100, False),
    ({"risePercent": 100}, 250, 100, True),
    ({"risePercent": 100}, 150, 100, False),
])  # fmt: skip
def test_request_rates_have_limits_and_histories(limits, now, then, found):
    rule = ruled({"requestRate": {"window": "1m", **limits}}, target={"service": "reviews"})
    was = [edge(codes={"200": then})] if then else []
    assert bool(breached(rule, now=[edge(codes={"200": now})], then=was)) is found


def test_a_service_that_is_not_asked_any_more_has_dropped():
    rule = ruled({"requestRate": {"window": "1m", "dropPercent": 50}})
    assert breached(rule, now=[], then=[edge()]) == [REVIEWS]


def test_a_named_service_without_requests_is_below_any_limit():
    assert breached(ruled({"requestRate": {"below": 0.1}}, target={"service": "reviews"}), now=[]) == [REVIEWS]


def test_what_ends_besides_is_found_by_a_rule_about_the_whole_mesh():
    from meshconsole.ca.expiries import Expiry

    root = Expiry("root", "1", "", NOW + timedelta(days=100), False, "The root certificate 1 ends")
    late = Expiry("workload", "default/a", "default", NOW, True, "told as a certificate already")
    said = replace(readings(), expiring=(root, late))
    condition = conditions.all_()["certificate_expiry"]
    rule = ruled({"certificateExpiry": {}}, namespace="istio-system")
    assert [f.summary for f in condition.findings(rule, said) if f.breached] == ["The root certificate 1 ends"]
    assert list(condition.findings(ruled({"certificateExpiry": {}}), said)) == []


def test_a_certificate_that_ends_soon_is_found_and_a_revoked_one_is_not():
    rule = ruled({"certificateExpiry": {"within": "6h"}})
    near = timedelta(hours=5)
    assert breached(rule, certificates=[certificate(near), certificate(timedelta(hours=7), "b")]) == ["default/reviews-v1"]
    assert breached(rule, certificates=[certificate(near, state="revoked")]) == []
    assert breached(rule, certificates=[certificate(timedelta(hours=-1))]) == ["default/reviews-v1"]
    assert breached(rule, certificates=[certificate(timedelta(days=-2))]) == []  # long gone


def test_a_proxy_out_of_sync_is_found_only_while_it_is_connected():
    rule = ruled({"proxyOutOfSync": {}})
    proxies = [proxy("a", "STALE"), proxy("b", "NACKED"), proxy("c"), proxy("d", "STALE", connected=False)]
    assert breached(rule, proxies=proxies) == ["default/a", "default/b"]


def test_a_nack_is_told_in_envoys_words_and_names_the_policy():
    rule = ruled({"nack": {}})
    [found] = findings(rule, proxies=[proxy("a", "NACKED", error="no such filter", policies=["EnvoyFilter default/x"])])
    assert found.summary == "default/a refused its configuration: no such filter (from EnvoyFilter default/x)"


def test_an_agent_that_is_away_is_found_until_it_is_taken_for_removed():
    rule = ruled({"agentDisconnected": {"forgetAfter": "1h"}})
    away = [
        proxy("a", connected=False, since=NOW - timedelta(minutes=5)),
        proxy("b", connected=False, since=NOW - timedelta(hours=2)),
        proxy("c"),
    ]
    assert breached(rule, proxies=away) == ["default/a"]


@pytest.mark.parametrize("condition", [
    {"errorRate": {"abovePercent": 5}}, {"latency": {"above": "500ms"}}, {"requestRate": {"below": 1}}, {"requestRate": {"dropPercent": 50}},
])  # fmt: skip
def test_what_is_counted_can_be_said_in_promql(condition):
    rule = ruled(condition, target={"service": "reviews"})
    assert REVIEWS in (conditions.all_()[rule.condition].promql(rule) or "")


def test_each_series_of_a_promql_answer_is_an_alert_that_names_its_service():
    rule = ruled({"promql": {"query": "sum by (destination_service_name) (x) > 1", "summary": "{destination_service_name} says {value}"}})
    series = [({"destination_service_name": "reviews", "destination_service_namespace": "default"}, 3.0), ({}, 2.0)]
    named, bare = conditions.all_()["promql"].findings(rule, Readings(NOW, answers={rule.spec.query: series}))
    assert (named.summary, named.value, named.labels["service"]) == ("reviews says 3", 3.0, "reviews")
    assert bare.instance == "all"


def test_a_query_that_prometheus_refuses_is_itself_an_alert():
    rule = ruled({"promql": {"query": "x > 1"}})
    [found] = conditions.all_()["promql"].findings(rule, Readings(NOW, answers={"x > 1": "PROMETHEUS_URL is not set"}))
    assert found.breached and "cannot be answered: PROMETHEUS_URL is not set" in found.summary


@pytest.mark.parametrize(("query", "said"), [("sum(", "is no PromQL"), ("up[5m]", "gives no vector"), ("rate(x)", "is no PromQL")])
def test_a_query_that_is_no_promql_is_refused_at_the_door(query, said):
    with pytest.raises(Invalid, match=said):
        ruled({"promql": {"query": query}})
