"""DestinationRule: which level holds, and the defaults that surprise."""

from typing import Any

import pytest

from meshconsole.core.envoy import defaults
from meshconsole.core.envoy.draft import ClusterDraft
from meshconsole.core.mesh.model import Port, Protocol, Service
from meshconsole.core.policies.destination_rule.clusters import write
from meshconsole.core.policies.destination_rule.levels import effective
from meshconsole.core.policies.destination_rule.schema import TrafficPolicy

PORT = Port(9080, "http", Protocol.HTTP)
SERVICE = Service("reviews.default.svc.cluster.local", "default", "reviews", (PORT,))


def policy(**said: Any) -> TrafficPolicy:
    return TrafficPolicy.model_validate(said)


def cluster(*, port: Port = PORT, **said: Any) -> ClusterDraft:
    draft = ClusterDraft("outbound|9080||reviews", SERVICE, port, body=defaults.cluster("outbound|9080||reviews"), sni="default-sni")
    write(policy(**said), draft)
    return draft


RANDOM, ROUND = {"simple": "RANDOM"}, {"simple": "ROUND_ROBIN"}
TEN, TWENTY = {"tcp": {"maxConnections": 10}}, {"tcp": {"maxConnections": 20}}


def at(port: int, **said: Any) -> dict[str, Any]:
    return {"port": {"number": port}, **said}


def test_a_subset_replaces_field_by_field():
    merged = effective(policy(loadBalancer=RANDOM, connectionPool=TEN), policy(connectionPool={"http": {"maxRetries": 1}}), 9080)
    assert merged.load_balancer.simple == "RANDOM"
    assert merged.connection_pool.tcp is None  # the field is replaced whole, not merged within


def test_a_ports_settings_inherit_nothing():
    above = policy(loadBalancer=RANDOM, connectionPool=TEN, portLevelSettings=[at(9080, connectionPool=TWENTY)])
    merged = effective(above, None, 9080)
    assert merged.load_balancer is None and merged.connection_pool.tcp.max_connections == 20
    assert effective(above, None, 80).load_balancer.simple == "RANDOM"


def test_a_subset_inherits_what_the_port_of_the_destination_said():
    above = policy(loadBalancer=RANDOM, portLevelSettings=[at(9080, loadBalancer=ROUND)])
    assert effective(above, policy(connectionPool=TEN), 9080).load_balancer.simple == "ROUND_ROBIN"


def test_the_port_of_a_subset_is_the_last_word():
    above = policy(loadBalancer=RANDOM, outlierDetection={}, portLevelSettings=[at(9080, loadBalancer=ROUND)])
    own = policy(loadBalancer=RANDOM, portLevelSettings=[at(9080, connectionPool=TEN)])
    merged = effective(above, own, 9080)
    assert (merged.load_balancer, merged.outlier_detection, merged.tls) == (None, None, None)
    assert merged.connection_pool.tcp.max_connections == 10


def test_nothing_said_is_nothing_changed():
    assert effective(None, None, 9080) == TrafficPolicy()
    assert cluster().body == defaults.cluster("outbound|9080||reviews")


def test_limits_are_2_to_the_32_less_1_unless_said_and_0_is_unsaid():
    limits = cluster(connectionPool={"tcp": {"maxConnections": 0}, "http": {"http2MaxRequests": 7}}).body["circuit_breakers"]["thresholds"][
        0
    ]
    assert (limits["max_connections"], limits["max_requests"], limits["max_retries"]) == (4294967295, 7, 4294967295)


def test_outlier_detection_never_looks_at_success_rates_and_never_panics():
    body = cluster(outlierDetection={}).body
    assert body["outlier_detection"] == {"enforcing_success_rate": 0}
    assert body["common_lb_config"]["healthy_panic_threshold"] == {"value": 0}


def test_zero_failures_in_a_row_turn_the_ejection_off():
    found = cluster(outlierDetection={"consecutive5xxErrors": 0, "consecutiveGatewayErrors": 3}).body["outlier_detection"]
    assert (found["enforcing_consecutive_5xx"], found["enforcing_consecutive_gateway_failure"]) == (0, 100)


def test_the_default_balancer_is_least_request():
    assert cluster(loadBalancer={"warmup": {"duration": "1s"}}).body["lb_policy"] == "LEAST_REQUEST"
    assert cluster(loadBalancer={"simple": "UNSPECIFIED"}).body["lb_policy"] == "LEAST_REQUEST"


@pytest.mark.parametrize(
    ("said", "forced", "own", "sni"),
    [
        ({"mode": "DISABLE"}, False, False, "default-sni"),
        ({"mode": "ISTIO_MUTUAL"}, True, False, "default-sni"),
        ({"mode": "ISTIO_MUTUAL", "sni": "a"}, True, False, "a"),
        ({"mode": "SIMPLE"}, False, True, "default-sni"),
    ],
)
def test_any_tls_ends_automatic_mtls(said: dict[str, Any], forced: bool, own: bool, sni: str):
    draft = cluster(tls=said)
    assert (draft.auto_mtls, draft.mtls_forced, draft.tls is not None, draft.sni) == (False, forced, own, sni)
    assert cluster(loadBalancer=RANDOM).auto_mtls


def test_simple_tls_without_authorities_verifies_nothing():
    assert cluster(tls={"mode": "SIMPLE"}).tls["common_tls_context"] == {}
    verified = cluster(tls={"mode": "SIMPLE", "caCertificates": "/ca.pem"})
    assert verified.tls["common_tls_context"]["validation_context"] == {"trusted_ca": {"filename": "/ca.pem"}}
    assert verified.http_options["upstream_http_protocol_options"] == {"auto_sni": True, "auto_san_validation": True}


def test_a_name_that_is_asked_for_is_sent_and_not_guessed():
    draft = cluster(tls={"mode": "SIMPLE", "caCertificates": "/ca.pem", "sni": "a.example.com"})
    assert draft.tls["sni"] == "a.example.com" and "upstream_http_protocol_options" not in draft.http_options


def test_http2_is_offered_where_it_is_spoken():
    assert cluster(tls={"mode": "SIMPLE"}, port=Port(1, "grpc", Protocol.GRPC)).tls["common_tls_context"]["alpn_protocols"] == ["h2"]
    upgraded = cluster(tls={"mode": "SIMPLE"}, connectionPool={"http": {"h2UpgradePolicy": "UPGRADE"}})
    assert upgraded.tls["common_tls_context"]["alpn_protocols"] == ["h2"]


def test_a_retry_budget_replaces_the_fixed_number():
    limits = cluster(retryBudget={}, connectionPool={"http": {"maxRetries": 5}}).body["circuit_breakers"]["thresholds"][0]
    assert limits["retry_budget"] == {"budget_percent": {"value": 20}, "min_retry_concurrency": 3} and "max_retries" not in limits
