"""What a Gateway makes a proxy listen to."""

from typing import Any

import pytest

from meshconsole.core.envoy.draft import GatewayDraft, ServerDraft
from meshconsole.core.mesh.model import MeshConfig, ProxyKind, Workload
from meshconsole.core.policies.gateway import Gateway
from meshconsole.core.resources.messages import Level

HTTP: dict[str, Any] = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}
FILES = {"serverCertificate": "/cert.pem", "privateKey": "/key.pem"}


class View:
    mesh = MeshConfig(trust_domain="mesh.example.com")
    namespace = "edge"


def gateway(*servers: dict[str, Any], selector: dict[str, str] | None = None) -> Gateway:
    spec = {"servers": list(servers), "selector": selector or {}}
    return Gateway.model_validate(
        {"apiVersion": "networking.istio.io/v1", "kind": "Gateway", "metadata": {"name": "g", "namespace": "shop"}, "spec": spec}
    )


def https(**tls: Any) -> dict[str, Any]:
    return {"port": {"number": 443, "name": "https", "protocol": "HTTPS"}, "hosts": ["shop.example.com"], "tls": tls}


def servers(policy: Gateway, **labels: str) -> list[ServerDraft]:
    draft = GatewayDraft(Workload("edge", "gw", ProxyKind.GATEWAY, labels=labels))
    Gateway.apply([policy], draft, View())  # type: ignore[arg-type]
    return draft.servers


def context(**tls: Any) -> dict[str, Any]:
    (server,) = servers(gateway(https(**tls)))
    assert server.tls is not None
    return server.tls


def errors(policy: Gateway) -> list[str]:
    return [m.text for m in policy.check() if m.level is Level.ERROR]


def test_a_selector_reaches_into_any_namespace():
    chosen = gateway(HTTP, selector={"istio": "ingressgateway"})
    assert [s.gateway for s in servers(chosen, istio="ingressgateway", app="x")] == ["shop/g"]
    assert servers(chosen, istio="egressgateway") == []


def test_without_a_selector_every_gateway_serves_it():
    assert len(servers(gateway(HTTP))) == 1


def test_simple_tls_shows_a_certificate_and_asks_for_none():
    found = context(mode="SIMPLE", **FILES)
    common = found["common_tls_context"]
    assert common["tls_certificates"] == [{"certificate_chain": {"filename": "/cert.pem"}, "private_key": {"filename": "/key.pem"}}]
    assert found["require_client_certificate"] is False
    assert "validation_context" not in common


def test_tls_1_2_is_the_oldest_taken_unless_it_is_said():
    assert context(mode="SIMPLE", **FILES)["common_tls_context"]["tls_params"]["tls_minimum_protocol_version"] == "TLSv1_2"
    params = context(mode="SIMPLE", minProtocolVersion="TLSV1_0", maxProtocolVersion="TLSV1_2", **FILES)["common_tls_context"]["tls_params"]
    assert (params["tls_minimum_protocol_version"], params["tls_maximum_protocol_version"]) == ("TLSv1_0", "TLSv1_2")


@pytest.mark.parametrize(("mode", "required"), [("MUTUAL", True), ("OPTIONAL_MUTUAL", False)])
def test_mutual_tls_checks_the_clients_certificate(mode: str, required: bool):
    found = context(mode=mode, caCertificates="/ca.pem", caCrl="/crl.pem", subjectAltNames=["a.example.com"], **FILES)
    validation = found["common_tls_context"]["validation_context"]
    assert found["require_client_certificate"] is required
    assert (validation["trusted_ca"], validation["crl"]) == ({"filename": "/ca.pem"}, {"filename": "/crl.pem"})
    assert {each["matcher"]["exact"] for each in validation["match_typed_subject_alt_names"]} == {"a.example.com"}


def test_istio_mutual_uses_the_meshs_own_certificates():
    found = context(mode="ISTIO_MUTUAL")
    assert found["common_tls_context"]["tls_certificate_sds_secret_configs"][0]["name"] == "default"
    assert found["require_client_certificate"] is True
    assert "spiffe://mesh.example.com/" in str(found)


def test_a_mode_that_is_not_written_is_passthrough_as_in_istio():
    assert any("PASSTHROUGH (the default where no mode is set)" in text for text in errors(gateway(https(**FILES))))


def test_a_redirecting_server_needs_no_certificate():
    policy = gateway({**HTTP, "tls": {"httpsRedirect": True}})
    assert errors(policy) == []
    assert [s.https_redirect for s in servers(policy)] == [True]


@pytest.mark.parametrize(
    ("server", "said"),
    [
        ({**HTTP, "tls": {"mode": "SIMPLE"}}, "server cannot have TLS settings for plain text HTTP ports"),
        ({**https(), "tls": None}, "server must have TLS settings"),
        (https(mode="SIMPLE"), "SIMPLE TLS requires a server certificate"),
        (https(mode="MUTUAL", **FILES), "MUTUAL TLS requires a client CA bundle"),
        (https(mode="SIMPLE", cipherSuites=["ROT13"], **FILES), "unknown cipher suite"),
        (https(mode="SIMPLE", minProtocolVersion="TLSV1_3", maxProtocolVersion="TLSV1_2", **FILES), "older than minProtocolVersion"),
        (https(mode="SIMPLE", maxProtocolVersion="TLSV1_1", **FILES), "older than the default minProtocolVersion"),
        ({**HTTP, "hosts": ["a/b/c"]}, "namespace 'a/b' is neither"),
        ({**HTTP, "hosts": []}, "server config must contain at least one host"),
        ({**HTTP, "port": {"number": 3306, "name": "db", "protocol": "UDP"}}, "not supported yet: UDP"),
    ],
)
def test_what_cannot_be_served_is_refused(server: dict[str, Any], said: str):
    assert any(text.startswith(said) for text in errors(gateway(server)))


def test_one_name_for_two_tls_servers_of_a_port_would_mix_up_their_routes():
    assert any("duplicate name https" in text for text in errors(gateway(https(mode="SIMPLE", **FILES), https(mode="SIMPLE", **FILES))))
    assert errors(gateway(HTTP, HTTP)) == []
