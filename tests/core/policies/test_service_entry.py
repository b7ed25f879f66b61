"""What a ServiceEntry declares to the mesh."""

from typing import Any

import pytest

from meshconsole.core.mesh.model import Location, MeshConfig, Protocol, Resolution
from meshconsole.core.policies.service_entry import ServiceEntry

MINIMAL: dict[str, Any] = {"hosts": ["api.example.com"], "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}]}


def entry(**spec: Any) -> ServiceEntry:
    metadata = {"name": "e", "namespace": "shop", "creationTimestamp": "2026-01-01T00:00:00Z"}
    data = {"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry", "metadata": metadata, "spec": {**MINIMAL, **spec}}
    return ServiceEntry.model_validate(data)


def texts(policy: ServiceEntry) -> list[str]:
    return [m.text for m in policy.check()]


def test_each_host_is_a_service_once():
    services = list(entry(hosts=["a.example.com", "B.example.com", "b.example.com"]).services(MeshConfig()))
    assert [s.host for s in services] == ["a.example.com", "b.example.com"]
    assert {s.created for s in services} == {"2026-01-01T00:00:00Z"}


def test_the_defaults_are_istios():
    (service,) = entry().services(MeshConfig())
    assert (service.resolution, service.location, service.export_to) == (Resolution.NONE, Location.MESH_EXTERNAL, ("*",))


@pytest.mark.parametrize(
    ("written", "protocol"),
    [("HTTP", "http"), ("http2", "http2"), ("GRPC", "grpc"), ("GRPC-WEB", "grpc-web"), ("MONGO", "tcp"), ("TLS", "tls"), ("", "")],
)
def test_protocols_are_taken_in_any_case(written: str, protocol: str):
    (service,) = entry(ports=[{"number": 80, "name": "p", "protocol": written}]).services(MeshConfig())
    assert service.ports[0].protocol is Protocol(protocol)


def test_an_endpoint_takes_mutual_tls_when_it_says_so():
    endpoints = [
        {"address": "192.0.2.1", "labels": {"security.istio.io/tlsMode": "istio"}, "ports": {"http": 8080}, "weight": 0},
        {"address": "192.0.2.2"},
        {"address": "unix:///run/app.sock"},
    ]
    (inside,) = entry(resolution="STATIC", location="MESH_INTERNAL", endpoints=endpoints).services(MeshConfig())
    assert [e.mtls for e in inside.endpoints] == [True, False, False]
    assert inside.endpoints[0].ports == (("http", 8080),)
    assert inside.endpoints[0].weight == 1
    assert inside.endpoints[2].address == "/run/app.sock"


def test_a_wildcard_cannot_be_resolved_without_endpoints():
    assert any("hosts must be FQDN" in text for text in texts(entry(hosts=["*.example.com"], resolution="DNS")))
    assert texts(entry(hosts=["*.example.com"], resolution="DNS", endpoints=[{"address": "a.example.com"}])) == []
    assert texts(entry(hosts=["*.example.com"], resolution="NONE")) == []


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"hosts": ["*"]}, "hostname cannot be wildcard"),
        ({"endpoints": [{"address": "192.0.2.1"}]}, "NONE mode cannot set endpoints"),
        (
            {"resolution": "DNS_ROUND_ROBIN", "endpoints": [{"address": "a.b"}, {"address": "c.d"}]},
            "DNS_ROUND_ROBIN mode cannot have multiple",
        ),
        ({"resolution": "DNS", "addresses": ["10.0.0.0/8"]}, "CIDR addresses are allowed only for NONE/STATIC"),
        ({"resolution": "STATIC", "endpoints": [{"address": "a.example.com"}]}, "must be an IP address for resolution STATIC"),
        ({"ports": [{"number": 1, "name": "a"}, {"number": 1, "name": "b"}]}, "port number cannot be duplicated"),
        ({"ports": [{"number": 1, "name": "a"}, {"number": 2, "name": "a"}]}, "Duplicate value"),
        ({"ports": [{"number": 0, "name": "a"}]}, "port must be between 1-65535"),
        ({"ports": [{"number": 53, "name": "a", "protocol": "UDP"}]}, "not supported yet: UDP"),
        ({"resolution": "DYNAMIC_DNS"}, "resolution DYNAMIC_DNS is for wildcard hosts"),
    ],
)
def test_contradictions_are_refused(spec: dict[str, Any], said: str):
    assert any(text.startswith(said) for text in texts(entry(**spec)))
