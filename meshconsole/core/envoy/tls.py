"""TLS contexts of the mesh. Certificate and trust bundle are the agent's secrets `default` and `ROOTCA`, served over the same stream."""

from collections.abc import Iterable, Sequence

from .draft import Json
from .filling import Once
from .vocabulary import ENVOY, ads

OWN = "default"
ROOTS = "ROOTCA"
UPSTREAM = ENVOY + "extensions.transport_sockets.tls.v3.UpstreamTlsContext"
DOWNSTREAM = ENVOY + "extensions.transport_sockets.tls.v3.DownstreamTlsContext"
ALPN = "istio"
"""What a mesh client offers to a port whose own protocol is TLS, to be told from the application's TLS (PERMISSIVE)."""


def secret(name: str) -> Json:
    """A reference to a secret, by its SDS name."""
    return {"name": name, "sds_config": ads()}


def _common(validation: Json, alpn: Sequence[str]) -> Json:
    return {
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_2", "tls_maximum_protocol_version": "TLSv1_3"},
        "alpn_protocols": list(alpn),
        "tls_certificate_sds_secret_configs": [secret(OWN)],
        "combined_validation_context": {
            "default_validation_context": validation,
            "validation_context_sds_secret_config": secret(ROOTS),
        },
    }


def mesh_server(trust_domain: str, alpn: Sequence[str] = ("h2", "http/1.1")) -> Json:
    """The inbound side: a client certificate of the trust domain is a must."""
    any_of_ours = {"san_type": "URI", "matcher": {"prefix": f"spiffe://{trust_domain}/"}}
    return {
        "@type": DOWNSTREAM,
        "common_tls_context": _common({"match_typed_subject_alt_names": [any_of_ours]}, alpn),
        "require_client_certificate": True,
    }


def mesh_client(identities: Iterable[str], sni: str, alpn: Sequence[str]) -> Json:
    """The outbound side: the server must prove one of `identities` (SPIFFE ids of the accounts behind the service)."""
    sans = [{"san_type": "URI", "matcher": {"exact": identity}} for identity in sorted(set(identities))]
    validation: Json = {"match_typed_subject_alt_names": sans} if sans else {}
    return {"@type": UPSTREAM, "common_tls_context": _common(validation, alpn), "sni": sni}


def transport_socket(context: Json) -> Json:
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}


_RAW_BUFFER = Once({"@type": ENVOY + "extensions.transport_sockets.raw_buffer.v3.RawBuffer"})


def raw_buffer() -> Json:
    return {"name": "envoy.transport_sockets.raw_buffer", "typed_config": _RAW_BUFFER}


def by_endpoint(mesh_context: Json) -> list[Json]:
    """Auto mTLS: mesh TLS to endpoints that take it, plaintext to the others."""
    return [
        {"name": "tlsMode-istio", "match": {"tlsMode": "istio"}, "transport_socket": transport_socket(mesh_context)},
        {"name": "tlsMode-disabled", "match": {}, "transport_socket": raw_buffer()},
    ]


def sni(port: int, subset: str, host: str) -> str:
    """Istio's form, which survives SNI's character set: `outbound_.9080_.v1_.reviews.default.svc.cluster.local`."""
    return f"outbound_.{port}_.{subset}_.{host}"
