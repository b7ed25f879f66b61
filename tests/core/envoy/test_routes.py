"""Routes, clusters and their parts, as v3 dicts."""

from meshconsole.core.envoy import clusters, defaults, listeners, routes
from meshconsole.core.envoy.draft import HttpFilter, Route, RouteDestination
from meshconsole.core.envoy.resource_set import Origin


def test_one_destination_is_a_cluster_and_several_are_shares():
    one = routes.route(Route("r", {"prefix": "/"}, [RouteDestination("a")], action={"timeout": "1s"}))
    assert one["route"] == {"timeout": "1s", "cluster": "a"}
    two = routes.route(Route("r", {"prefix": "/"}, [RouteDestination("a", 90), RouteDestination("b", 10)]))
    assert two["route"]["weighted_clusters"]["clusters"] == [{"name": "a", "weight": 90}, {"name": "b", "weight": 10}]


def test_a_destinations_own_headers_survive_when_it_is_alone():
    headers = {"request_headers_to_remove": ["x-secret"]}
    body = routes.route(Route("r", {}, [RouteDestination("a", request_headers=headers, host_rewrite="b.example")]))
    (share,) = body["route"]["weighted_clusters"]["clusters"]
    assert share == {"name": "a", "weight": 100, "request_headers_to_remove": ["x-secret"], "host_rewrite_literal": "b.example"}


def test_a_redirect_beats_a_direct_response_beats_a_route():
    both = Route("r", {"prefix": "/"}, [RouteDestination("a")], redirect={"host_redirect": "b"}, direct_response={"status": 418})
    assert set(routes.route(both)) == {"match", "name", "redirect"}
    both.redirect = None
    assert set(routes.route(both)) == {"match", "name", "direct_response"}


def test_hash_policies_of_all_destinations_are_joined_once():
    by_header = {"header": {"header_name": "x-user"}}
    body = routes.route(Route("r", {}, [RouteDestination("a"), RouteDestination("b")]), lambda _: [by_header])
    assert body["route"]["hash_policy"] == [by_header]


def test_a_filter_of_a_route_goes_by_its_listeners_name():
    body = routes.route(Route("r", {}, [RouteDestination("a")], filters={HttpFilter.FAULT: {"@type": "x"}}))
    assert body["typed_per_filter_config"] == {"envoy.filters.http.fault": {"@type": "x"}}


def test_the_origin_of_a_route_is_in_its_metadata_beside_what_was_there():
    origin = Origin("VirtualService", "default", "reviews", "spec.http[0]")
    body = routes.route(Route("r", {}, [RouteDestination("a")], origin=origin))
    assert body["metadata"]["filter_metadata"]["meshconsole"]["origin"] == "VirtualService default/reviews"


def test_clusters_of_routes_are_those_that_are_sent_to_and_mirrored_to():
    made = [
        Route("r", {}, [RouteDestination("a"), RouteDestination("b")], mirror_clusters=["m"]),
        Route("s", {}, [RouteDestination("a")]),
        Route("t", {}, [RouteDestination("never")], redirect={"host_redirect": "x"}),
    ]
    assert routes.clusters_of(made) == ["a", "b", "m"]


def test_endpoints_are_grouped_by_locality_in_a_fixed_order():
    targets = [
        clusters.Target("10.0.0.2", 80, locality="eu/b", weight=3),
        clusters.Target("10.0.0.1", 80, locality="eu/a/one"),
        clusters.Target("10.0.0.3", 80, locality="eu/a/one", weight=0),
    ]
    body = clusters.load_assignment("c", targets)
    assert body == clusters.load_assignment("c", reversed(targets))
    assert [g["locality"] for g in body["endpoints"]] == [{"region": "eu", "zone": "a", "sub_zone": "one"}, {"region": "eu", "zone": "b"}]
    assert [g["load_balancing_weight"] for g in body["endpoints"]] == [2, 3]


def test_http_options_choose_one_protocol():
    key = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    plain = {"name": "c"}
    assert clusters.with_http_options(plain, {}, http2=False) == plain
    assert (
        "http2_protocol_options"
        in clusters.with_http_options(plain, {}, http2=True)["typed_extension_protocol_options"][key]["explicit_http_config"]
    )
    chosen = clusters.with_http_options(plain, {"use_downstream_protocol_config": {}}, http2=True)["typed_extension_protocol_options"][key]
    assert "explicit_http_config" not in chosen


def test_filters_stand_in_the_enums_order_with_the_router_last():
    made = listeners.ordered({HttpFilter.FAULT: [{"name": "fault"}], HttpFilter.ON_DEMAND: [{"name": "on_demand"}]})
    assert [f["name"] for f in made] == ["on_demand", "fault", "envoy.filters.http.router"]


def test_istios_circuit_breakers_are_unlimited_and_panic_is_off():
    body = defaults.cluster("c")
    (threshold,) = body["circuit_breakers"]["thresholds"]
    assert {threshold[k] for k in ("max_connections", "max_pending_requests", "max_requests", "max_retries")} == {4294967295}
    assert body["common_lb_config"] == {"healthy_panic_threshold": {}}
