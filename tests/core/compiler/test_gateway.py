"""What a gateway proxy holds: listeners of its Gateways, the hosts bound to them, and every cluster that these lead to."""

from typing import Any, ClassVar

import pytest

from meshconsole.core.compiler import Compiler
from meshconsole.core.compiler.kinds import Kinds
from meshconsole.core.envoy import tls, wire
from meshconsole.core.envoy.draft import GatewayDraft, HostDraft, Route, RouteDestination, ServerDraft
from meshconsole.core.envoy.resource_set import Origin, ResourceSet, XdsType
from meshconsole.core.mesh.model import MeshConfig, ProxyKind, Workload
from meshconsole.core.mesh.snapshot import Snapshot
from meshconsole.core.policies.base import Phase
from tests.golden import bootstrap

from .mesh import Fake, bookinfo, snapshot

EDGE = Workload("istio-system", "edge", kind=ProxyKind.GATEWAY, labels={"istio": "ingressgateway"})


class Serving(Fake):
    """`spec: [{port, hosts, …}]`: the fields of a ServerDraft."""

    plural: ClassVar[str] = "servings"
    phase: ClassVar[Phase | None] = Phase.SERVERS

    @classmethod
    def apply(cls, policies: Any, draft: Any, view: Any) -> None:
        if isinstance(draft, GatewayDraft):
            for policy in policies:
                name = f"{policy.metadata.namespace}/{policy.metadata.name}"
                draft.servers += [ServerDraft(gateway=name, **{"bind": "", "protocol": "HTTP", **server}) for server in policy.spec]


class Routing(Fake):
    """`spec: {host, to, gateway}`"""

    plural: ClassVar[str] = "routings"
    phase: ClassVar[Phase | None] = Phase.ROUTES

    def concerns(self, mesh: MeshConfig) -> tuple[str, ...] | None:
        return (self.spec["host"],)

    @classmethod
    def apply(cls, policies: Any, draft: Any, view: Any) -> None:
        if not isinstance(draft, HostDraft):
            return
        for policy in policies:
            if draft.gateway == policy.spec.get("gateway", "default/gw"):
                cluster = view.cluster(policy.spec["to"], policy.metadata.namespace, default_port=draft.port)
                origin = Origin("Routing", policy.metadata.namespace, policy.metadata.name)
                draft.routes.append(Route(policy.metadata.name, {"prefix": "/"}, [RouteDestination(cluster)], origin=origin))
                draft.origins.append(origin)


KINDS = Kinds([Serving, Routing])


def compiled(*policies: Any) -> ResourceSet:
    return Compiler(KINDS).compile(snapshot(list(policies), [*bookinfo(), EDGE]), EDGE)


def body(resources: ResourceSet, type_: XdsType, name: str) -> dict:
    return wire.parse(type_, resources.blobs[type_, name].body)


def domains(resources: ResourceSet, config: str) -> dict[str, dict]:
    return {host["domains"][0]: host for host in body(resources, XdsType.RDS, config)["virtual_hosts"]}


def test_a_gateway_without_servers_holds_nothing():
    assert len(compiled()) == 0


def test_a_bound_host_comes_with_its_listener_routes_cluster_and_endpoints():
    resources = compiled(
        Serving.make("gw", [{"port": 8080, "hosts": ("*",), "bind": "127.0.0.1"}]),
        Routing.make("r", {"host": "shop.example", "to": "productpage"}),
    )
    cluster = "outbound|9080||productpage.default.svc.cluster.local"
    assert set(resources.blobs) == {
        (XdsType.LDS, "gateway_127.0.0.1_8080"),
        (XdsType.RDS, "http.8080.127.0.0.1"),
        (XdsType.CDS, cluster),
        (XdsType.EDS, cluster),
    }
    assert list(domains(resources, "http.8080.127.0.0.1")) == ["shop.example"]


def test_an_http_server_that_nobody_is_bound_to_answers_404():
    resources = compiled(Serving.make("gw", [{"port": 80, "hosts": ("*",)}]))
    (host,) = body(resources, XdsType.RDS, "http.80")["virtual_hosts"]
    assert host == {"name": "blackhole:80", "domains": ["*"]}


@pytest.mark.parametrize(
    ("server", "host", "served"),
    [
        ("*", "shop.example", "shop.example"),
        ("shop.example", "*", "shop.example"),
        ("*.example", "shop.example", "shop.example"),
        ("other.example", "shop.example", None),
        ("./*", "shop.example", "shop.example"),
        ("elsewhere/*", "shop.example", None),
        ("default/shop.example", "*.example", "shop.example"),
    ],
)
def test_the_host_served_is_the_narrower_of_the_servers_and_the_routes(server: str, host: str, served: str | None):
    resources = compiled(Serving.make("gw", [{"port": 80, "hosts": (server,)}]), Routing.make("r", {"host": host, "to": "reviews"}))
    found = domains(resources, "http.80")
    assert list(found) == [served or "*"]
    assert bool(found[served or "*"].get("routes")) is (served is not None)


def test_routes_of_a_wildcard_are_not_those_of_each_host_in_it():
    resources = compiled(
        Serving.make("gw", [{"port": 80, "hosts": ("*",)}]),
        Routing.make("all", {"host": "*.example", "to": "reviews"}),
        Routing.make("one", {"host": "shop.example", "to": "ratings"}),
    )
    found = domains(resources, "http.80")
    assert [r["name"] for r in found["*.example"]["routes"]] == ["all"]
    assert [r["name"] for r in found["shop.example"]["routes"]] == ["one"]


def test_several_routes_of_one_host_are_one_virtual_host_the_oldest_first():
    resources = compiled(
        Serving.make("gw", [{"port": 80, "hosts": ("*",)}]),
        Routing.make("a", {"host": "shop.example", "to": "reviews"}, created="2026-01-02T00:00:00Z"),
        Routing.make("b", {"host": "shop.example", "to": "ratings"}, created="2026-01-01T00:00:00Z"),
    )
    (host,) = domains(resources, "http.80").values()
    assert [r["name"] for r in host["routes"]] == ["b", "a"]


def test_https_servers_of_one_port_are_told_apart_by_sni():
    context = tls.mesh_server("cluster.local")
    resources = compiled(
        Serving.make(
            "gw",
            [
                {"port": 443, "hosts": ("a.example",), "protocol": "HTTPS", "name": "a", "tls": context},
                {"port": 443, "hosts": ("b.example", "a.example"), "protocol": "HTTPS", "name": "b", "tls": context},
                {"port": 443, "hosts": ("a.example",), "protocol": "HTTPS", "name": "again", "tls": context},
            ],
        ),
        Routing.make("r", {"host": "a.example", "to": "reviews"}),
    )
    chains = body(resources, XdsType.LDS, "gateway_0.0.0.0_443")["filter_chains"]
    assert [c["filter_chain_match"]["server_names"] for c in chains] == [["a.example"], ["b.example"]]
    assert {key for key in resources.blobs if key[0] is XdsType.RDS} == {
        (XdsType.RDS, "https.443.a.gw.default"),
        (XdsType.RDS, "https.443.b.gw.default"),
    }


def test_https_redirect_sends_every_plain_request_to_tls():
    resources = compiled(Serving.make("gw", [{"port": 80, "hosts": ("*",), "https_redirect": True}]))
    (host,) = domains(resources, "http.80").values()
    assert host["require_tls"] == "ALL"


def test_a_gateway_of_another_namespace_and_a_change_of_its_routes():
    compiler, workloads = Compiler(KINDS), [*bookinfo(), EDGE]
    gateway = Serving.make("gw", [{"port": 80, "hosts": ("*",)}])
    first = Snapshot(MeshConfig(), [gateway, Routing.make("r", {"host": "shop.example", "to": "reviews"})], workloads, 1)
    before = compiler.compile(first, EDGE)
    policies = [gateway, Routing.make("r", {"host": "shop.example", "to": "ratings"})]
    after = compiler.compile(Snapshot.following(first, MeshConfig(), policies, workloads, 2), EDGE)
    assert (XdsType.CDS, "outbound|9080||ratings.default.svc.cluster.local") in after.blobs
    assert (XdsType.CDS, "outbound|9080||reviews.default.svc.cluster.local") not in after.blobs
    listener = (XdsType.LDS, "gateway_0.0.0.0_80")
    assert before.blobs[listener] is after.blobs[listener]


@pytest.mark.envoy
def test_a_real_envoy_takes_all_of_it(tmp_path):
    context = tls.mesh_server("cluster.local")
    resources = compiled(
        Serving.make(
            "gw",
            [
                {"port": 80, "hosts": ("*",), "https_redirect": True},
                {"port": 443, "hosts": ("a.example",), "protocol": "HTTPS", "name": "a", "tls": context},
                {"port": 443, "hosts": ("*",), "protocol": "HTTPS", "name": "b", "tls": context},
                {"port": 443, "hosts": ("*",), "name": "plain"},
            ],
        ),
        Routing.make("r", {"host": "a.example", "to": "reviews"}),
        Routing.make("s", {"host": "*", "to": "ratings"}),
    )
    secrets = bootstrap.Authority().issue("default", "edge")
    assert not bootstrap.validate(bootstrap.static([("edge", resources)], secrets), tmp_path)
