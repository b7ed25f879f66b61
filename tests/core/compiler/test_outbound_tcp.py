"""What a client has for TCP and TLS services: listeners at its outbound address, by port, and told apart by server name."""

import dataclasses
from typing import Any

from meshconsole.core.compiler import Compiler
from meshconsole.core.envoy import wire
from meshconsole.core.envoy.resource_set import ResourceSet, XdsType
from meshconsole.core.mesh.model import WorkloadPort
from meshconsole.core.policies import parse

from .mesh import bookinfo, snapshot, workload


def entry(host: str, *, number: int, protocol: str = "TCP", created: str = "", namespace: str = "default", more: str = "") -> str:
    when = f", creationTimestamp: {created}" if created else ""
    return f"""
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {host.strip("*.").replace(".", "-")}-{number}, namespace: {namespace}{when}}}
spec:
  hosts: ["{host}"]
  resolution: STATIC
  ports: [{{number: {number}, name: main, protocol: {protocol}}}]
  endpoints: [{{address: 127.0.3.1}}]
  {more}
---
"""


def held(text: str = "", workloads: Any = None) -> ResourceSet:
    """What the first workload's proxy holds."""
    mesh = snapshot(parse(text)[0] if text else [], workloads)
    return Compiler().compile(mesh, mesh.workloads[0])


def listener(resources: ResourceSet, name: str) -> dict[str, Any] | None:
    found = resources.blobs.get((XdsType.LDS, name))
    return wire.parse(XdsType.LDS, found.body) if found else None


def ways(resources: ResourceSet, name: str) -> list[tuple[list[str], str]]:
    """(server names, cluster) of each filter chain."""
    found = listener(resources, name)
    assert found is not None, sorted(each for type_, each in resources.blobs if type_ is XdsType.LDS)
    return [
        (chain.get("filter_chain_match", {}).get("server_names", []), chain["filters"][-1]["typed_config"]["cluster"])
        for chain in found["filter_chains"]
    ]


def database(address: str = "127.0.4.1", **fields: Any) -> Any:
    return workload("db-v1", address=address, outbound_address=address, ports=(WorkloadPort(3306, "mysql"),), **fields)


def test_a_mesh_without_tcp_services_has_nothing_more():
    names = {blob.name for blob in held()}
    assert names == {"outbound", "outbound/init.invalid", "inbound|9080", "inbound|9080||"}


def test_a_client_listens_at_its_outbound_address_on_the_services_port():
    resources = held(workloads=[*bookinfo(), database()])
    found = listener(resources, "127.0.1.10_3306")
    assert found is not None and found["address"]["socket_address"] == {"address": "127.0.1.10", "port_value": 3306}
    assert ways(resources, "127.0.1.10_3306") == [([], "outbound|3306||db.default.svc.cluster.local")]
    assert "listener_filters" not in found  # a server that speaks first is heard at once
    assert (XdsType.EDS, "outbound|3306||db.default.svc.cluster.local") in resources.blobs


def test_a_port_at_which_somebody_listens_already_is_left_out():
    shared = [workload("app-v1", address="127.0.0.1"), database("127.0.0.1", outbound_port=15002)]
    assert listener(held(workloads=shared), "127.0.0.1_3306") is None
    text = entry("db.example.com", number=15001) + entry("db.example.com", number=9080)
    assert [name for type_, name in held(text).blobs if type_ is XdsType.LDS] == ["inbound|9080", "outbound"]


def test_a_proxy_listens_at_no_port_that_it_has_no_right_to():
    humble = [dataclasses.replace(each, lowest_port=1024) for each in bookinfo()]
    resources = held(entry("a.example.com", number=443, protocol="TLS") + entry("db.example.com", number=5432), humble)
    assert [name for type_, name in resources.blobs if type_ is XdsType.LDS] == ["inbound|9080", "outbound", "127.0.1.10_5432"]


def test_of_several_tcp_services_on_a_port_the_oldest_is_meant():
    text = entry("b.example.com", number=5432, created="2026-01-01T00:00:00Z") + entry(
        "a.example.com", number=5432, created="2026-01-02T00:00:00Z"
    )
    assert ways(held(text), "127.0.1.10_5432") == [([], "outbound|5432||b.example.com")]


def test_a_service_with_a_loopback_address_of_its_own_is_told_apart_by_it():
    text = entry("old.example.com", number=5432, created="2026-01-01T00:00:00Z", more="addresses: [127.0.9.9, 10.1.2.3, 127.1.0.0/16]")
    resources = held(text + entry("new.example.com", number=5432, created="2026-01-02T00:00:00Z"))
    assert ways(resources, "127.0.9.9_5432") == [([], "outbound|5432||old.example.com")]
    assert ways(resources, "127.0.1.10_5432") == [([], "outbound|5432||new.example.com")]
    assert len([name for type_, name in resources.blobs if type_ is XdsType.LDS and name.endswith("5432")]) == 2
    assert ways(held(text), "127.0.1.10_5432") == [([], "outbound|5432||old.example.com")]


def test_tls_services_share_a_port_and_are_told_apart_by_server_name():
    text = entry("a.example.com", number=443, protocol="TLS") + entry("*.b.example.com", number=443, protocol="HTTPS")
    resources = held(text + entry("plain.example.com", number=443))
    assert ways(resources, "127.0.1.10_443") == [
        (["*.b.example.com"], "outbound|443||*.b.example.com"),
        (["a.example.com"], "outbound|443||a.example.com"),
        ([], "outbound|443||plain.example.com"),
    ]
    found = listener(resources, "127.0.1.10_443")
    assert found is not None and [each["name"] for each in found["listener_filters"]] == ["envoy.filters.listener.tls_inspector"]


def test_a_tls_service_of_the_mesh_goes_by_each_of_its_names():
    vault = workload("vault-v1", address="127.0.4.1", ports=(WorkloadPort(8200, "tls"),))
    resources = held(workloads=[*bookinfo(), vault])
    (names, _), (others, cluster) = ways(resources, "127.0.1.10_8200")
    assert (others, cluster) == ([], "PassthroughCluster") and (XdsType.CDS, cluster) in resources.blobs
    assert names == ["vault.default.svc.cluster.local", "vault", "vault.default", "vault.default.svc"]


def test_a_name_that_nobody_declared_gets_no_connection_where_only_the_registry_counts():
    text = (
        entry("a.example.com", number=443, protocol="TLS")
        + """
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: strict, namespace: default}
spec: {outboundTrafficPolicy: {mode: REGISTRY_ONLY}}
"""
    )
    assert ways(held(text), "127.0.1.10_443") == [(["a.example.com"], "outbound|443||a.example.com")]


def test_a_wildcard_that_leaves_the_address_to_its_caller_is_for_server_names_only():
    text = "".join(entry("*.example.com", number=n, protocol=p) for n, p in ((443, "TLS"), (5432, "TCP"))).replace("STATIC", "NONE")
    resources = held(text.replace("  endpoints: [{address: 127.0.3.1}]\n", ""))
    assert ways(resources, "127.0.1.10_443")[0] == (["*.example.com"], "outbound|443||*.example.com")
    found = wire.parse(XdsType.CDS, resources.blobs[XdsType.CDS, "outbound|443||*.example.com"].body)
    assert found["cluster_type"]["name"] == "envoy.clusters.dynamic_forward_proxy"
    # A name may lead back to the very listener: such a circle ends somewhere.
    assert found["circuit_breakers"]["thresholds"][0]["max_connections"] == 4096
    assert listener(resources, "127.0.1.10_5432") is None


def test_what_a_client_does_not_see_it_does_not_listen_for():
    hidden = entry("db.example.com", number=5432, namespace="other", more="exportTo: [.]")
    assert listener(held(hidden), "127.0.1.10_5432") is None
    text = entry("db.example.com", number=5432) + entry("cache.example.com", number=6379)
    narrow = """
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: narrow, namespace: default}
spec: {egress: [{hosts: ["*/cache.example.com"]}]}
"""
    seen = held(text + narrow)
    assert listener(seen, "127.0.1.10_5432") is None and listener(seen, "127.0.1.10_6379") is not None
    assert not [name for type_, name in seen.blobs if "db.example.com" in name]


def test_proxies_at_one_outbound_address_share_the_listener():
    text = entry("db.example.com", number=5432)
    workloads = [workload(f"app-v{i}", address=f"10.0.0.{i}") for i in (1, 2)]
    mesh, compiler = snapshot(parse(text)[0], workloads), Compiler()
    first, second = (compiler.compile(mesh, each).blobs[XdsType.LDS, "127.0.0.1_5432"] for each in mesh.workloads)
    assert first is second


def test_a_service_that_comes_or_goes_changes_its_own_listener_only():
    from meshconsole.core.mesh.snapshot import Snapshot

    one = snapshot(parse(entry("db.example.com", number=5432))[0])
    two_policies = [*one.policies, *parse(entry("cache.example.com", number=6379))[0]]
    two = Snapshot.following(one, one.mesh, two_policies, one.workloads, 2)
    three = Snapshot.following(two, one.mesh, list(one.policies), one.workloads, 3)
    compiler = Compiler()
    sets = [compiler.compile(each, each.workloads[0]) for each in (one, two, three)]
    assert sets[1].blobs.keys() - sets[0].blobs.keys() == {
        (XdsType.LDS, "127.0.1.10_6379"),
        (XdsType.CDS, "outbound|6379||cache.example.com"),
        (XdsType.EDS, "outbound|6379||cache.example.com"),
    }
    assert all(sets[1].blobs[key] is blob for key, blob in sets[0].blobs.items())
    assert sets[2].blobs == sets[0].blobs


def test_connections_last_as_the_destination_rule_says():
    rule = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: db, namespace: default}
spec:
  host: db.example.com
  trafficPolicy:
    connectionPool: {tcp: {idleTimeout: 90s, maxConnectionDuration: 1h, maxConnections: 7}}
    loadBalancer: {consistentHash: {useSourceIp: true}}
"""
    found = listener(held(entry("db.example.com", number=5432) + rule), "127.0.1.10_5432")
    assert found is not None
    proxy = found["filter_chains"][0]["filters"][0]["typed_config"]
    assert (proxy["idle_timeout"], proxy["max_downstream_connection_duration"]) == ("90s", "3600s")
    assert proxy["hash_policy"] == [{"source_ip": {}}]
