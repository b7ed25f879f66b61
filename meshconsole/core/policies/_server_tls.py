"""What a proxy ends TLS with, at a Gateway's server or a Sidecar's ingress: files, credentials, or the mesh's own certificates."""

from meshconsole.core.envoy import tls as mesh_tls
from meshconsole.core.envoy.draft import CREDENTIAL, Json
from meshconsole.core.resources.server_tls import MUTUAL, ServerTls, TlsMode, TlsVersion, authorities, credentials, pairs

HTTP_ALPN = ("h2", "http/1.1")


def needed(tls: ServerTls) -> tuple[str, ...]:
    """SDS names of what the server's TLS is done with."""
    names = credentials(tls)
    roots = [_roots(tls)] if names and tls.mode in MUTUAL else []
    return tuple(CREDENTIAL.scheme + name for name in (*names, *roots))


def _roots(tls: ServerTls) -> str:
    return (tls.ca_cert_credential_name or credentials(tls)[0]) + CREDENTIAL.authorities


def context(tls: ServerTls, trust_domain: str, *, http: bool) -> Json:
    """DownstreamTlsContext of a server that ends TLS. `http`: what comes out of it is HTTP; else nobody knows, and no ALPN is agreed on
    but the mesh's own."""
    alpn = {"alpn_protocols": list(HTTP_ALPN)} if http else {}
    if tls.mode is TlsMode.ISTIO_MUTUAL:
        context = mesh_tls.mesh_server(trust_domain, HTTP_ALPN if http else (mesh_tls.ALPN,))
        common = context["common_tls_context"]
    elif names := credentials(tls):
        common = {
            **alpn,
            "tls_certificate_sds_secret_configs": [mesh_tls.secret(CREDENTIAL.scheme + name) for name in names],
        }
        context = {
            "@type": mesh_tls.DOWNSTREAM,
            "common_tls_context": common,
            "require_client_certificate": tls.mode is TlsMode.MUTUAL,
        }
        if tls.mode in MUTUAL:
            common["combined_validation_context"] = {
                "default_validation_context": _validation(tls),
                "validation_context_sds_secret_config": mesh_tls.secret(CREDENTIAL.scheme + _roots(tls)),
            }
    else:
        certificates = [
            {"certificate_chain": {"filename": pair.server_certificate}, "private_key": {"filename": pair.private_key}}
            for _, pair in pairs(tls)
        ]
        common = {**alpn, "tls_certificates": certificates}
        context = {
            "@type": mesh_tls.DOWNSTREAM,
            "common_tls_context": common,
            "require_client_certificate": tls.mode is TlsMode.MUTUAL,
        }
        if tls.mode in MUTUAL:
            common["validation_context"] = _validation(tls)
    common["tls_params"] = _parameters(tls)
    return context


def _validation(tls: ServerTls) -> Json:
    context: Json = {"trusted_ca": {"filename": authorities(tls)}} if authorities(tls) else {}
    if tls.ca_crl:
        context["crl"] = {"filename": tls.ca_crl}
    if tls.subject_alt_names:
        context["match_typed_subject_alt_names"] = [
            {"san_type": kind, "matcher": {"exact": name}}
            for name in tls.subject_alt_names
            for kind in ("DNS", "URI", "EMAIL", "IP_ADDRESS")
        ]
    if tls.verify_certificate_spki:
        context["verify_certificate_spki"] = list(tls.verify_certificate_spki)
    if tls.verify_certificate_hash:
        context["verify_certificate_hash"] = list(tls.verify_certificate_hash)
    return context


def _parameters(tls: ServerTls) -> Json:
    def named(version: TlsVersion, default: str) -> str:
        return default if version is TlsVersion.TLS_AUTO else version.value.replace("TLSV", "TLSv")

    parameters: Json = {
        "tls_minimum_protocol_version": named(tls.min_protocol_version, "TLSv1_2"),
        "tls_maximum_protocol_version": named(tls.max_protocol_version, "TLSv1_3"),
    }
    if tls.cipher_suites:
        parameters["cipher_suites"] = list(dict.fromkeys(tls.cipher_suites))
    return parameters
