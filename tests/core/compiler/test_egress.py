"""Listeners that a Sidecar asks for: which stand, and which cannot."""

from typing import Any

from meshconsole.core.compiler import Compiler, Demand
from meshconsole.core.envoy import wire
from meshconsole.core.envoy.resource_set import ResourceSet, XdsType
from meshconsole.core.mesh.model import Protocol, WorkloadPort
from meshconsole.core.mesh.snapshot import Snapshot
from meshconsole.core.policies import parse_object

from .mesh import bookinfo, snapshot, workload

CLIENT = workload("client-v1", address="127.0.1.9", ports=(WorkloadPort(7000, "http", Protocol.HTTP, "127.0.0.1", 7001),))


def sidecar(**spec: Any) -> Any:
    data = {"apiVersion": "networking.istio.io/v1", "kind": "Sidecar", "metadata": {"name": "s", "namespace": "default"}, "spec": spec}
    return parse_object(data)[0]


def compiled(**spec: Any) -> ResourceSet:
    return Compiler().compile(snapshot([sidecar(**spec)], [CLIENT, *bookinfo()]), CLIENT)


def listeners(resources: ResourceSet) -> set[str]:
    return {name for type_, name in resources.blobs if type_ is XdsType.LDS}


def egress(number: int, *hosts: str, **more: Any) -> dict[str, Any]:
    return {"port": {"number": number, "protocol": "HTTP"}, "hosts": list(hosts or ("./*",)), **more}


def test_a_port_stands_beside_the_outbound_one():
    resources = compiled(egress=[egress(9080), {"hosts": ["~/*"]}])
    assert listeners(resources) == {"inbound|7000", "outbound", "127.0.0.1_9080"}
    config = wire.parse(XdsType.RDS, resources.blobs[XdsType.RDS, "9080"].body)
    assert len(config["virtual_hosts"]) == 5  # the four services of that port, and what is none of them


def test_where_somebody_listens_already_no_listener_is_sent_and_the_others_stand():
    resources = compiled(egress=[egress(7000, bind="127.0.1.9"), egress(15001), egress(9080)])
    assert listeners(resources) == {"inbound|7000", "outbound", "127.0.0.1_9080"}
    assert [str(failure).partition(": a ")[0] for failure in resources.failures] == [
        "egress 127.0.1.9:7000 (Sidecar default/s)",
        "egress 127.0.0.1:15001 (Sidecar default/s)",
    ]
    assert not resources.partial


def test_ingress_takes_the_place_of_declared_ports_and_never_calls_itself():
    ports = [
        {"port": {"number": 7000}, "defaultEndpoint": "unix:///run/app"},
        {"port": {"number": 7005}, "defaultEndpoint": "0.0.0.0:7005"},
    ]
    assert listeners(compiled(ingress=ports)) == {"inbound|7000", "outbound"}
    assert listeners(compiled(ingress=[{"port": {"number": 7006}}])) == {"inbound|7006", "outbound"}


def test_an_application_is_where_its_agent_says_unless_ingress_says_otherwise():
    name = (XdsType.CDS, "inbound|7000||")
    assert b"127.0.0.1\x18\xd9\x36" in compiled(ingress=[{"port": {"number": 7000}}]).blobs[name].body  # 7001
    assert b"127.0.0.1\x18\xda\x36" in compiled(ingress=[{"port": {"number": 7000}, "defaultEndpoint": "127.0.0.1:7002"}]).blobs[name].body


def test_a_change_of_a_route_reaches_the_listener_of_its_port():
    compiler, workloads, rule = Compiler(), [CLIENT, *bookinfo()], sidecar(egress=[egress(9080)])
    first = snapshot([rule], workloads)
    before = compiler.compile(first, CLIENT)
    assert compiler.compile(first, CLIENT) is before
    data = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "v", "namespace": "default"}}
    data["spec"] = {"hosts": ["reviews"], "http": [{"directResponse": {"status": 418}}]}
    after = compiler.compile(Snapshot.following(first, first.mesh, [rule, parse_object(data)[0]], workloads, 2), CLIENT)
    key = (XdsType.RDS, "9080")
    assert before.blobs[key] is not after.blobs[key]
    assert before.blobs[XdsType.LDS, "127.0.0.1_9080"] is after.blobs[XdsType.LDS, "127.0.0.1_9080"]


def test_other_hosts_go_to_the_egress_proxy_where_there_is_one():
    policy = {"mode": "ALLOW_ANY", "egressProxy": {"host": "ratings", "port": {"number": 9080}}}
    rule = sidecar(egress=[egress(9080), {"hosts": ["./*"]}], outboundTrafficPolicy=policy)
    resources = Compiler().compile(snapshot([rule], [CLIENT, *bookinfo()]), CLIENT, Demand(frozenset({"www.example.com"})))
    for type_, name in ((XdsType.VHDS, "outbound/www.example.com:80"), (XdsType.RDS, "9080")):
        body = wire.parse(type_, resources.blobs[type_, name].body)
        host = body if type_ is XdsType.VHDS else body["virtual_hosts"][-1]
        assert host["routes"][0]["route"]["cluster"] == "outbound|9080||ratings.default.svc.cluster.local"
