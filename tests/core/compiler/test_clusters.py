"""What a cluster says to whom: mutual TLS, protocols, names resolved by Envoy."""

from dataclasses import replace
from typing import Any, ClassVar

import pytest

from meshconsole.core.compiler import Compiler, Demand
from meshconsole.core.compiler.kinds import Kinds
from meshconsole.core.envoy import wire
from meshconsole.core.envoy.draft import ClusterDraft, HostDraft
from meshconsole.core.envoy.resource_set import Origin, XdsType
from meshconsole.core.mesh.model import Endpoint, Location, MeshConfig, Port, Protocol, Resolution, Service, WorkloadPort
from meshconsole.core.policies.base import Phase

from .mesh import Fake, snapshot, workload


class Shaping(Fake):
    """`spec: {host, …}`: attributes of the ClusterDraft; `subset` and its labels; `reroute` sends the host's requests to another cluster."""

    plural: ClassVar[str] = "shapings"
    phase: ClassVar[Phase | None] = Phase.CLUSTERS

    def concerns(self, mesh: MeshConfig) -> tuple[str, ...] | None:
        return (self.spec["host"],)

    @classmethod
    def apply(cls, policies: Any, draft: Any, view: Any) -> None:
        for policy in policies:
            if isinstance(draft, HostDraft) and "reroute" in policy.spec:
                draft.routes[0].destinations[0].cluster = policy.spec["reroute"]
            if isinstance(draft, ClusterDraft) and policy.spec.get("subset", draft.subset) == draft.subset:
                for name, value in policy.spec.get("set", {}).items():
                    setattr(draft, name, value)
                draft.origins.append(Origin("Shaping", policy.metadata.namespace, policy.metadata.name))


class Declaring(Fake):
    """`spec`: fields of a Service."""

    plural: ClassVar[str] = "declarings"

    def services(self, mesh: MeshConfig) -> Any:
        ports = (Port(80, "http", Protocol.HTTP), Port(443, "https", Protocol.HTTPS))
        base = Service("api.example.com", "default", "api.example.com", ports, resolution=Resolution.DNS, location=Location.MESH_EXTERNAL)
        yield replace(base, **self.spec)


KINDS = Kinds([Shaping, Declaring])
WEB = "web.default.svc.cluster.local"


def cluster(*policies: Any, protocol: Protocol = Protocol.HTTP, mesh: MeshConfig | None = None, subset: str = "") -> dict:
    one = workload("web-v1", ports=(WorkloadPort(80, "", protocol),))
    name = f"outbound|80|{subset}|{WEB}"
    demand = Demand(frozenset({"web"}), frozenset({name}))
    resources = Compiler(KINDS).compile(snapshot(list(policies), [one], mesh), one, demand)
    return wire.parse(XdsType.CDS, resources.blobs[XdsType.CDS, name].body)


def external(asked: str, name: str, **spec: Any) -> dict:
    one = workload("web-v1")
    resources = Compiler(KINDS).compile(snapshot([Declaring.make("ext", spec)], [one]), one, Demand(frozenset({asked})))
    return wire.parse(XdsType.CDS, resources.blobs[XdsType.CDS, name].body)


def alpn(body: dict) -> list[str]:
    return body["transport_socket_matches"][0]["transport_socket"]["typed_config"]["common_tls_context"].get("alpn_protocols", [])


@pytest.mark.parametrize(
    ("protocol", "offered"),
    [(Protocol.HTTP, ["http/1.1"]), (Protocol.GRPC, ["h2"]), (Protocol.TCP, ["istio"]), (Protocol.UNKNOWN, ["istio"])],
)
def test_a_mesh_client_offers_the_protocol_that_it_speaks(protocol: Protocol, offered: list[str]):
    assert alpn(cluster(protocol=protocol)) == offered


def test_http2_by_policy_is_offered_too():
    upgraded = {"explicit_http_config": {"http2_protocol_options": {}}}
    assert alpn(cluster(Shaping.make("s", {"host": WEB, "set": {"http_options": upgraded}}))) == ["h2"]
    as_spoken = {"use_downstream_protocol_config": {"http_protocol_options": {}}}
    assert alpn(cluster(Shaping.make("s", {"host": WEB, "set": {"http_options": as_spoken}}))) == []


def test_auto_mtls_can_be_off_for_the_mesh_or_said_otherwise_for_a_host():
    assert "transport_socket_matches" not in cluster(mesh=MeshConfig(auto_mtls=False))
    assert "transport_socket_matches" not in cluster(Shaping.make("s", {"host": WEB, "set": {"auto_mtls": False}}))
    forced = cluster(Shaping.make("s", {"host": WEB, "set": {"auto_mtls": False, "mtls_forced": True}}))
    assert forced["transport_socket"]["typed_config"]["sni"] == f"outbound_.80_._.{WEB}"


def test_the_server_must_prove_an_account_of_the_service():
    (context,) = [m["transport_socket"]["typed_config"] for m in cluster()["transport_socket_matches"] if m["match"]]
    sans = context["common_tls_context"]["combined_validation_context"]["default_validation_context"]["match_typed_subject_alt_names"]
    assert [san["matcher"]["exact"] for san in sans] == ["spiffe://cluster.local/ns/default/sa/web"]


def test_a_subset_that_nobody_defines_is_no_cluster():
    with pytest.raises(KeyError):
        cluster(subset="v9")
    assert cluster(Shaping.make("s", {"host": WEB, "subset": "v1", "set": {"subset_labels": {"version": "v1"}}}), subset="v1")


def test_an_external_name_is_resolved_by_envoy():
    body = external("api.example.com", "outbound|80||api.example.com")
    (endpoint,) = body["load_assignment"]["endpoints"][0]["lb_endpoints"]
    assert endpoint["endpoint"]["address"]["socket_address"] == {"address": "api.example.com", "port_value": 80}
    assert "transport_socket_matches" not in body
    listed = external("api.example.com:443", "outbound|443||api.example.com", endpoints=(Endpoint("a.example"), Endpoint("b.example")))
    assert len(listed["load_assignment"]["endpoints"][0]["lb_endpoints"]) == 2


def test_a_wildcard_without_addresses_stands_for_each_host_in_it():
    body = external("x.example.org", "outbound|80||x.example.org", host="*.example.org", resolution=Resolution.NONE)
    (endpoint,) = body["load_assignment"]["endpoints"][0]["lb_endpoints"]
    assert endpoint["endpoint"]["address"]["socket_address"]["address"] == "x.example.org"


def test_a_wildcard_with_endpoints_is_one_virtual_host():
    one = workload("web-v1")
    spec = {"host": "*.example.org", "resolution": Resolution.STATIC, "endpoints": (Endpoint("10.0.0.1"),)}
    asked = Demand(frozenset({"x.example.org", "y.example.org:80"}))
    resources = Compiler(KINDS).compile(snapshot([Declaring.make("ext", spec)], [one]), one, asked)
    assert set(resources.aliases.values()) == {"outbound/*.example.org:80"}
    host = wire.parse(XdsType.VHDS, resources.blobs[XdsType.VHDS, "outbound/*.example.org:80"].body)
    assert host["domains"] == ["*.example.org:80", "*.example.org"]


def test_a_service_that_is_not_exported_is_unknown_elsewhere():
    one, other = workload("web-v1"), workload("far-v1", namespace="far")
    mesh = snapshot([Declaring.make("ext", {"export_to": (".",)})], [one, other])
    asked = Demand(frozenset({"api.example.com"}))
    near, far = (Compiler(KINDS).compile(mesh, w, asked) for w in (one, other))
    assert (XdsType.CDS, "outbound|80||api.example.com") in near.blobs
    assert (XdsType.CDS, "PassthroughCluster|api.example.com:80") in far.blobs


def test_a_route_to_a_cluster_that_does_not_exist_is_delivered_without_it():
    one = workload("web-v1", port=80)
    reroute = Shaping.make("s", {"host": WEB, "reroute": "outbound|80||nobody.default.svc.cluster.local"})
    resources = Compiler(KINDS).compile(snapshot([reroute], [one]), one, Demand(frozenset({"web"})))
    assert not [key for key in resources.blobs if "nobody" in key[1]]
    assert b"nobody" in resources.blobs[XdsType.VHDS, f"outbound/{WEB}:80"].body
