"""A ServiceEntry that selects its endpoints follows workloads and WorkloadEntries as they come, change and go."""

from dataclasses import replace
from typing import Any

from meshconsole.core.mesh.model import MeshConfig, Protocol, Service, Workload, WorkloadPort
from meshconsole.core.mesh.snapshot import Snapshot
from meshconsole.core.policies.service_entry import ServiceEntry
from meshconsole.core.policies.workload_entry import WorkloadEntry

HOST = "shop.example.com"
MESH = MeshConfig()


def entry(resolution: str = "STATIC", **spec: Any) -> ServiceEntry:
    ports = [{"number": 80, "name": "http", "protocol": "HTTP", "targetPort": 8080}]
    body = {"hosts": [HOST], "resolution": resolution, "ports": ports, "workloadSelector": {"labels": {"app": "shop"}}, **spec}
    data = {"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry", "metadata": {"name": "e", "namespace": "default"}, "spec": body}
    return ServiceEntry.model_validate(data)


def machine(name: str, address: str, namespace: str = "default", **labels: str) -> WorkloadEntry:
    spec = {"address": address, "labels": labels or {"app": "shop"}}
    metadata = {"name": name, "namespace": namespace}
    data = {"apiVersion": "networking.istio.io/v1", "kind": "WorkloadEntry", "metadata": metadata, "spec": spec}
    return WorkloadEntry.model_validate(data)


def workload(name: str, port: int = 8080, **labels: str) -> Workload:
    ports = (WorkloadPort(port, "http", Protocol.HTTP),)
    return Workload("default", name, address=f"127.0.0.{port % 100}", labels=labels or {"app": "shop"}, ports=ports)


def service(snapshot: Snapshot) -> Service:
    (found,) = snapshot.ask(("service", HOST))
    return found  # type: ignore[no-any-return]


def addresses(snapshot: Snapshot) -> list[str]:
    return [endpoint.address for endpoint in service(snapshot).endpoints]


def follow(last: Snapshot, policies: list[Any], workloads: list[Workload]) -> Snapshot:
    return Snapshot.following(last, MESH, policies, workloads, last.revision + 1)


def test_both_kinds_of_endpoints_are_selected_by_label_and_namespace():
    policies = [
        entry(),
        machine("b", "192.0.2.2"),
        machine("a", "192.0.2.1"),
        machine("c", "192.0.2.3", namespace="other"),
        machine("d", "192.0.2.4", app="x"),
    ]
    found = Snapshot(MESH, policies, [workload("shop-v1"), workload("cart-v1", app="cart")])
    assert addresses(found) == ["192.0.2.1", "192.0.2.2", "127.0.0.80"]


def test_a_workload_is_an_endpoint_at_the_target_port_and_proves_its_account():
    (endpoint,) = service(Snapshot(MESH, [entry()], [workload("shop-v1")])).endpoints
    assert (endpoint.ports, endpoint.workload, endpoint.mtls) == ((("80", 8080),), "shop-v1", True)


def test_a_workload_that_does_not_serve_the_port_is_no_endpoint():
    assert addresses(Snapshot(MESH, [entry()], [workload("shop-v1", port=9999)])) == []


def test_a_host_name_is_an_endpoint_only_where_dns_resolves():
    policies = [machine("a", "vm.example.com"), machine("b", "unix://@shop")]
    assert addresses(Snapshot(MESH, [entry("STATIC"), *policies], [])) == ["@shop"]
    assert "vm.example.com" in addresses(Snapshot(MESH, [entry("DNS"), *policies], []))
    assert addresses(Snapshot(MESH, [entry("NONE"), *policies], [])) == []


def test_a_workload_that_comes_changes_and_goes_dirties_the_service_that_selects_it():
    policies, other = [entry()], workload("cart-v1", app="cart")
    first = Snapshot(MESH, policies, [other])
    shop = workload("shop-v1")
    came = follow(first, policies, [other, shop])
    assert addresses(came) == ["127.0.0.80"]
    assert ("service", HOST) in (came.dirty or ())
    sick = follow(came, policies, [other, replace(shop, healthy=False)])
    assert [e.healthy for e in service(sick).endpoints] == [False]
    gone = follow(sick, policies, [other])
    assert addresses(gone) == []
    changed = follow(gone, policies, [replace(other, healthy=False)])
    assert ("service", HOST) not in (changed.dirty or ())


def test_a_workload_entry_that_comes_changes_and_goes_dirties_the_service_that_selects_it():
    select, here, there = entry(), machine("a", "192.0.2.1"), machine("a", "192.0.2.9")
    first = Snapshot(MESH, [select], [])
    came = follow(first, [select, here], [])
    moved = follow(came, [select, there], [])
    gone = follow(moved, [select], [])
    assert [addresses(each) for each in (first, came, moved, gone)] == [[], ["192.0.2.1"], ["192.0.2.9"], []]
    assert all(("service", HOST) in (each.dirty or ()) for each in (came, moved, gone))
    unrelated = follow(gone, [select, machine("x", "192.0.2.5", app="x")], [])
    assert ("service", HOST) not in (unrelated.dirty or ())
