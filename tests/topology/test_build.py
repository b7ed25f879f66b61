import itertools
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshconsole.core.mesh.model import Workload
from meshconsole.topology.build import Known, build
from meshconsole.topology.graph import Graph, Instance, Node
from telemetry.edges import Edge, Peer, Response
from telemetry.histogram import observe

from .bookinfo import EXTERNAL, INSTANCES, KNOWN, PERIOD, SERVICES, TRAFFIC, WORKLOADS, edge, host, peer

HERE = Path(__file__).parent


def graph(*traffic: Edge, known: Known = KNOWN, **more) -> Graph:
    return build(traffic, known, PERIOD, **more)


def node(of: Graph, id_: str) -> Node:
    return next(n for n in of.nodes if n.id == id_)


def ids(of: Graph) -> list[str]:
    return [n.id for n in of.nodes]


@pytest.mark.parametrize("kind", ["workload", "versionedApp", "app", "service"])
def test_golden(kind: str, request: pytest.FixtureRequest):
    """Read these in review. Refresh: `pytest tests/golden tests/topology -k golden --refresh`."""
    path = HERE / "golden" / f"bookinfo.{kind}.json"
    drawn = msgspec.json.format(msgspec.json.encode(graph(*TRAFFIC, kind=kind)), indent=1) + b"\n"
    if request.config.getoption("--refresh", default=False):
        path.write_bytes(drawn)
    assert drawn.decode() == path.read_text()


def test_the_sample_that_the_page_is_drawn_from_is_this_graph():
    sample = msgspec.json.decode((HERE / "sample_graph.json").read_bytes(), type=Graph)
    assert sample == graph(*TRAFFIC)


def test_bookinfo_has_its_six_workloads_and_a_gateway():
    found = graph(*TRAFFIC, kind="workload")
    assert [n.name for n in found.nodes if n.kind == "workload"] == [
        "details-v1",
        "ingressgateway",
        "productpage-v1",
        "ratings-v1",
        "reviews-v1",
        "reviews-v2",
        "reviews-v3",
    ]


def test_the_order_of_edges_and_names_does_not_matter():
    backwards = Known(SERVICES[::-1], WORKLOADS[::-1], dict(reversed(INSTANCES.items())), KNOWN.badges)
    assert graph(*TRAFFIC[::-1], known=backwards) == graph(*TRAFFIC)


class TestKinds:
    def test_the_versions_of_an_app_share_a_box_and_a_single_version_needs_none(self):
        found = graph(*TRAFFIC)
        assert [b.id for b in found.boxes] == ["box:default/reviews", "namespace:default"]
        assert node(found, "version:default/reviews/v2").parent == "box:default/reviews"
        assert node(found, "version:default/ratings/v1").parent == "namespace:default"

    def test_an_app_is_all_its_versions_together(self):
        found = graph(*TRAFFIC, kind="app")
        (to_reviews,) = [e for e in found.edges if e.target == "app:default/reviews"]
        assert (to_reviews.requests, to_reviews.rate, to_reviews.codes) == (600, 10.0, {"200": 598, "503": 2})
        assert node(found, "app:default/reviews").workloads == ("reviews-v1", "reviews-v2", "reviews-v3")

    def test_percentiles_of_an_app_are_those_of_all_its_requests_not_a_mean_of_percentiles(self):
        slow, fast = edge("productpage-v1", "reviews-v2", 10, milliseconds=900), edge("productpage-v1", "reviews-v1", 90, milliseconds=4)
        (both,) = graph(slow, fast, kind="app").edges
        (one,) = graph(edge("productpage-v1", "reviews-v1", 100, buckets=observe([4] * 90 + [900] * 10)), kind="app").edges
        assert (both.p50, both.p95, both.p99) == (one.p50, one.p95, one.p99)
        assert both.p95 is not None and both.p95 > 500

    def test_between_services_workloads_disappear(self):
        found = graph(*TRAFFIC, kind="service")
        assert {(e.source, e.target) for e in found.edges} == {
            ("workload:default/ingressgateway", "service:default/productpage"),
            ("service:default/productpage", "service:default/details"),
            ("service:default/productpage", "service:default/reviews"),
            ("service:default/reviews", "service:default/ratings"),
        }
        (faulty,) = [e for e in found.edges if e.target == "service:default/ratings"]
        assert (faulty.requests, faulty.codes, faulty.flags) == (60, {"200": 54, "500": 6}, {"FI": 6})

    @given(st.sampled_from(["workload", "versionedApp", "app", "service"]), st.lists(st.sampled_from(TRAFFIC), max_size=12))
    def test_no_request_is_lost_between_edges_and_graph(self, kind: str, traffic: list[Edge]):
        found = graph(*traffic, kind=kind)
        assert sum(e.requests for e in found.edges) == sum(e.requests for e in traffic)
        assert {e.source for e in found.edges} | {e.target for e in found.edges} <= set(ids(found))
        assert {n.parent for n in found.nodes} - {None} <= {b.id for b in found.boxes}


class TestIdle:
    def test_what_is_known_but_calls_nobody_is_drawn_idle(self):
        found = graph()
        assert all("idle" in n.flags for n in found.nodes)
        assert "version:default/reviews/v3" in ids(found) and "service:/api.example.com" in ids(found)

    def test_it_can_be_left_out(self):
        found = graph(*TRAFFIC, idle=False)
        assert not [n for n in found.nodes if "idle" in n.flags]
        assert "version:default/reviews/v3" not in ids(found)

    def test_workloads_of_other_namespaces_are_not_drawn_for_their_names_alone(self):
        elsewhere = Workload("shop", "cart-v1", labels={"app": "cart", "version": "v1"})
        known = Known(SERVICES, (*WORKLOADS, elsewhere), INSTANCES)
        assert "version:shop/cart/v1" in ids(graph(known=known))
        assert "version:shop/cart/v1" not in ids(graph(known=known, namespaces={"default"}))


class TestFlags:
    def test_a_neighbour_in_another_namespace_is_outside_and_tells_nothing_of_itself(self):
        cart = Workload("shop", "cart-v1", labels={"app": "cart", "version": "v1"})
        caller = Peer("cart-v1", "shop", "cart", "v1", "cart", "v1")
        call = msgspec.structs.replace(edge("productpage-v1", "details-v1", 5), source=caller)
        known = Known(SERVICES, (*WORKLOADS, cart), {"shop/cart-v1": Instance("shop/cart-v1", "NACKED", True, True, "secret")})
        found = node(graph(call, known=known, namespaces={"default"}), "version:shop/cart/v1")
        assert "outside" in found.flags and found.instances == () and found.badges == ()
        assert node(graph(call, known=known), "version:shop/cart/v1").instances[0].error == "secret"

    def test_callers_without_a_name_are_one_unknown_node(self):
        found = node(graph(edge("unknown", "details-v1", 5, mtls=0, reporter="destination")), "unknown:")
        assert (found.kind, found.flags, found.parent) == ("unknown", ("root", "unknown"), None)

    def test_plaintext_and_mutual_tls_are_told_apart(self):
        found = graph(edge("productpage-v1", "details-v1", 5), edge("unknown", "reviews-v1", 5, mtls=0))
        assert "mtls" in node(found, "version:default/details/v1").flags
        assert "plaintext" in node(found, "version:default/reviews/v1").flags

    def test_a_workload_that_nobody_registered_has_no_sidecar(self):
        stray = msgspec.structs.replace(
            edge("productpage-v1", "details-v1", 5), destination=Peer("db", "default", "db", "", "db", "latest"), mtls=None, secured=0
        )
        assert "noSidecar" in node(graph(stray), "version:default/db").flags
        assert "noSidecar" not in node(graph(*TRAFFIC), "version:default/reviews/v1").flags

    def test_an_external_service_is_known_by_its_host(self):
        call = edge("productpage-v1", "unknown", 5, service_name=EXTERNAL.host, mtls=None)
        call = msgspec.structs.replace(call, service=EXTERNAL.host)
        found = node(graph(call), "service:/api.example.com")
        assert (found.flags, found.parent, found.name) == (("external",), None, "api.example.com")

    def test_an_undeclared_host_keeps_its_name(self):
        call = edge("productpage-v1", "unknown", 5, service_name="PassthroughCluster", service_namespace="", mtls=None)
        call = msgspec.structs.replace(call, service="httpbin.org:80")
        found = node(graph(call), "service:/httpbin.org:80")
        assert set(found.flags) == {"external", "passthrough"}

    @pytest.mark.parametrize(
        ("instance", "flag"),
        [
            (Instance("default/details-v1", "NACKED", True), "outOfSync"),
            (Instance("default/details-v1", "STALE", True), "outOfSync"),
            (Instance("default/details-v1", "SYNCED", False), "disconnected"),
        ],
    )
    def test_the_state_of_its_proxies_is_shown_at_the_node(self, instance: Instance, flag: str):
        known = Known(SERVICES, WORKLOADS, INSTANCES | {instance.id: instance})
        assert flag in node(graph(known=known), "version:default/details/v1").flags
        assert flag not in node(graph(known=known), "version:default/ratings/v1").flags

    def test_proxies_are_counted(self):
        states = ["NACKED", "STALE", "SYNCED"]
        known = Known(SERVICES, WORKLOADS, {w.id: Instance(w.id, s, s != "STALE") for w, s in zip(WORKLOADS, itertools.cycle(states))})
        proxies = graph(known=known).proxies
        assert (proxies.total, proxies.synced, proxies.stale, proxies.nacked, proxies.disconnected) == (7, 2, 2, 3, 2)


class TestEdges:
    def test_the_share_is_of_all_that_leaves_the_source(self):
        found = graph(*TRAFFIC)
        shares = {e.target: e.share for e in found.edges if e.source == "version:default/productpage/v1"}
        assert shares == {"version:default/details/v1": 0.5, "version:default/reviews/v1": 0.45, "version:default/reviews/v2": 0.05}

    def test_tcp_is_drawn_by_connections_and_bytes(self):
        db = edge(
            "reviews-v2",
            "ratings-v1",
            0,
            protocol="tcp",
            responses=(),
            sent=60_000,
            received=6_000,
            connections=30,
            request_bytes=0,
            response_bytes=0,
        )
        (found,) = graph(db).edges
        assert (found.rate, found.requests, found.request_bytes, found.response_bytes) == (0.5, 30, 100.0, 1000.0)
        assert found.p50 is None and found.health.status == "none" or found.health.status == "healthy"
        assert graph(db).totals.tcp_bytes == 1100.0

    def test_no_response_is_a_code_of_its_own_and_a_failure(self):
        (found,) = graph(
            edge("productpage-v1", "details-v1", 10, responses=(Response("200", "", "-", 8), Response("0", "", "DC", 2)))
        ).edges
        assert (found.codes, found.flags, found.error_share, found.health.status) == ({"-": 2, "200": 8}, {"DC": 2}, 0.2, "failure")

    def test_two_protocols_between_the_same_two_are_two_edges(self):
        found = graph(
            edge("reviews-v2", "ratings-v1", 5),
            edge("reviews-v2", "ratings-v1", 5, protocol="grpc", responses=(Response("200", "14", "-", 5),)),
        )
        assert [(e.protocol, e.grpc, e.health.status) for e in found.edges] == [("grpc", {"14": 5}, "failure"), ("http", {}, "healthy")]


def test_badges_of_its_services_and_workloads_are_at_the_node():
    found = graph(*TRAFFIC)
    assert [b.kind for b in node(found, "version:default/reviews/v1").badges] == ["routing", "shifting"]
    assert [b.kind for b in node(found, "version:default/ingressgateway").badges] == ["gateway"]
    assert [b.kind for b in node(graph(*TRAFFIC, kind="service"), "service:default/ratings").badges] == ["fault"]


def test_a_box_is_as_ill_as_the_worst_inside():
    found = graph(*TRAFFIC)
    assert {b.id: b.health.status for b in found.boxes} == {"box:default/reviews": "failure", "namespace:default": "failure"}


def test_every_field_is_in_the_json_whatever_it_holds():
    drawn = msgspec.json.decode(msgspec.json.encode(graph(*TRAFFIC)))
    assert len({frozenset(n) for n in drawn["nodes"]}) == 1 == len({frozenset(e) for e in drawn["edges"]})


def test_hosts_of_the_fixture_are_what_discovery_says():
    assert host("reviews") in {s.host for s in SERVICES} and peer("reviews-v2").version == "v2"
