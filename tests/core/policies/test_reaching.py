"""What a client reaches under ServiceEntries and Sidecars, compiled: by name, by virtual address, and what is hidden from it."""

from typing import Any

from meshconsole.core.compiler import Compiler, Demand
from meshconsole.core.envoy import wire
from meshconsole.core.envoy.resource_set import ResourceSet, XdsType
from meshconsole.core.mesh.model import MeshConfig, Protocol, Workload, WorkloadPort
from meshconsole.core.mesh.snapshot import Snapshot
from meshconsole.core.policies import parse

MESH = MeshConfig()
ENTRY = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: %s, namespace: default}
spec: {hosts: [%s], resolution: %s, addresses: [%s], ports: [{number: 80, name: http, protocol: HTTP}] %s}
"""
STATIC = ", endpoints: [{address: 192.0.2.1}]"
VIRTUAL_SERVICE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: vs, namespace: %s}
spec: {hosts: [%s], http: [{directResponse: {status: 418}}]}
"""
SIDECAR = """
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: s, namespace: default}
spec: {egress: [{hosts: [%s]}], outboundTrafficPolicy: {}}
"""


def workload(name: str, namespace: str = "default") -> Workload:
    port = WorkloadPort(80, "http", Protocol.HTTP)
    return Workload(namespace, name, labels={"app": name}, services=(name,), ports=(port,))


CLIENT = workload("client")
WORKLOADS = [CLIENT, workload("reviews"), workload("far", "other")]


def held(text: str, *authorities: str) -> ResourceSet:
    policies, _ = parse(text)
    return Compiler().compile(Snapshot(MESH, policies, WORKLOADS, 1), CLIENT, Demand(frozenset(authorities)))


def virtual_host(resources: ResourceSet, authority: str) -> dict[str, Any]:
    return wire.parse(XdsType.VHDS, resources.blobs[XdsType.VHDS, resources.aliases[authority]].body)  # type: ignore[no-any-return]


def answer(text: str, authority: str) -> Any:
    (route,) = [r for r in virtual_host(held(text, authority), authority)["routes"] if "connect_matcher" not in r["match"]]
    return route["route"]["cluster"] if "route" in route else route["direct_response"]["status"]


def test_a_service_is_reached_by_its_virtual_address_too():
    resources = held(
        ENTRY % ("e", "db.example.com", "STATIC", '10.1.2.3, "2001:db8::1"', STATIC), "db.example.com", "10.1.2.3", "[2001:db8::1]:80"
    )
    assert set(resources.aliases.values()) == {"outbound/db.example.com:80"}
    assert {"db.example.com", "10.1.2.3", "10.1.2.3:80", "[2001:db8::1]:80"} <= set(virtual_host(resources, "10.1.2.3")["domains"])


def test_an_address_of_a_range_is_the_services_and_the_smallest_range_wins():
    wide = ENTRY % ("wide", "wide.example.com", "STATIC", "10.0.0.0/8", STATIC)
    narrow = ENTRY % ("narrow", "narrow.example.com", "STATIC", "10.1.0.0/16", STATIC)
    assert answer(f"{wide}---{narrow}", "10.1.2.3") == "outbound|80||narrow.example.com"
    assert answer(f"{wide}---{narrow}", "10.2.2.3") == "outbound|80||wide.example.com"
    both = held(f"{wide}---{narrow}", "10.1.2.3", "narrow.example.com")
    domains = [domain for blob in both if blob.type is XdsType.VHDS for domain in wire.parse(blob.type, blob.body)["domains"]]
    assert len(domains) == len(set(domains))


def test_without_resolution_an_address_is_where_the_caller_was_going():
    resources = held(ENTRY % ("e", "any.example.com", "NONE", "10.0.0.0/8", ""), "10.1.2.3")
    cluster = wire.parse(XdsType.CDS, resources.blobs[XdsType.CDS, "outbound|80||10.1.2.3"].body)
    assert "10.1.2.3" in str(cluster["load_assignment"])


def test_an_address_that_comes_and_goes_is_known_to_the_next_snapshot():
    policies, _ = parse(ENTRY % ("e", "db.example.com", "STATIC", "10.1.2.3", STATIC))
    compiler, demand = Compiler(), Demand(frozenset({"10.1.2.3"}))
    first = Snapshot(MESH, [], WORKLOADS, 1)
    second = Snapshot.following(first, MESH, policies, WORKLOADS, 2)
    third = Snapshot.following(second, MESH, [], WORKLOADS, 3)
    found = [compiler.compile(each, CLIENT, demand).aliases["10.1.2.3"] for each in (first, second, third)]
    assert found == ["outbound/10.1.2.3:80", "outbound/db.example.com:80", "outbound/10.1.2.3:80"]


def test_a_sidecar_hides_a_service_together_with_the_routes_to_it():
    routes = VIRTUAL_SERVICE % ("default", "reviews")
    assert answer(routes, "reviews") == 418
    assert answer(f"{routes}---{SIDECAR % 'other/*'}", "reviews") == 502


def test_a_virtual_service_is_seen_only_where_its_own_namespace_is():
    routes = VIRTUAL_SERVICE % ("other", "reviews.default.svc.cluster.local")
    assert answer(f"{routes}---{SIDECAR % './*, other/*'}", "reviews") == 418
    assert answer(f"{routes}---{SIDECAR % './*'}", "reviews") == "outbound|80||reviews.default.svc.cluster.local"
