"""Where a Gateway's server contradicts itself. Rules are Istio's (pkg/config/validation: validateServer, validateTLSOptions)."""

import re
from collections.abc import Iterator

from meshconsole.core.envoy.draft import Serves
from meshconsole.core.resources.names import name_fault

from .schema import Server, ServerTls, TlsMode, TlsVersion
from .tls import MUTUAL, authorities, credentials, pairs

HTTP = ("HTTP", "HTTP2", "GRPC", "GRPC-WEB")
PROTOCOLS = (*HTTP, "HTTPS", "TLS", "TCP", "MONGO", "MYSQL", "REDIS")
PASSING = (TlsMode.PASSTHROUGH, TlsMode.AUTO_PASSTHROUGH)
_NAMESPACE = re.compile(r"\*|\.|[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_HOST = re.compile(r"\*|(\*\.)?[A-Za-z0-9_]([-A-Za-z0-9_]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([-A-Za-z0-9_]*[A-Za-z0-9_])?)*")
CIPHERS = frozenset(
    [
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
        "ECDHE-ECDSA-AES128-SHA",
        "ECDHE-RSA-AES128-SHA",
        "ECDHE-ECDSA-AES256-SHA",
        "ECDHE-RSA-AES256-SHA",
        "AES128-GCM-SHA256",
        "AES256-GCM-SHA384",
        "AES128-SHA",
        "AES256-SHA",
        "DES-CBC3-SHA",
    ]
)
"""What BoringSSL, and so Envoy, knows."""
_VERSIONS = list(TlsVersion)


def server_problems(server: Server) -> Iterator[tuple[str, str]]:
    """(field, what is wrong)"""
    port, protocol = server.port, server.port.protocol.upper()
    if not 0 < port.number < 65536:
        yield "port.number", "port must be between 1-65535"
    if not port.name:
        yield "port.name", "port name must be set"
    if protocol == "UDP":
        yield "port.protocol", "not supported yet: UDP; Istio's gateways do not serve it either"
    elif protocol not in PROTOCOLS:
        yield "port.protocol", f"unknown protocol {port.protocol!r}: one of {', '.join(PROTOCOLS)}"
    if not server.hosts:
        yield "hosts", "server config must contain at least one host"
    for i, written in enumerate(server.hosts):
        namespace, slash, host = written.rpartition("/")
        if slash and not _NAMESPACE.fullmatch(namespace):
            yield f"hosts[{i}]", f"namespace {namespace!r} is neither a name nor one of `.`, `*`"
        if not _HOST.fullmatch(host):
            yield f"hosts[{i}]", f"{host!r} is neither a domain name nor a wildcard (`*.example.com`, `*`)"
    if server.bind.startswith(("unix://", "@", "/")):
        yield "bind", "not supported yet: a Unix socket"
    if protocol in HTTP:
        if server.tls is not None and (server.tls.mode is not TlsMode.PASSTHROUGH or _files(server.tls)):
            yield "tls", "server cannot have TLS settings for plain text HTTP ports (besides httpsRedirect)"
    elif server.tls is not None:
        yield from ((f"tls.{field}", text) for field, text in _tls_problems(server.tls))
        if server.tls.https_redirect and protocol != "HTTPS":
            yield "tls.httpsRedirect", f"only HTTP requests can be redirected; this server speaks {protocol}"
    elif protocol in ("HTTPS", "TLS"):
        yield "tls", "server must have TLS settings for HTTPS/TLS protocols"


def _files(tls: ServerTls) -> list[str]:
    return [
        f
        for f in (tls.server_certificate, tls.private_key, tls.ca_certificates, *(c.server_certificate for c in tls.tls_certificates))
        if f
    ]


def _tls_problems(tls: ServerTls) -> Iterator[tuple[str, str]]:
    if tls.mode in PASSING:
        if _files(tls) or tls.private_key or credentials(tls):
            written = "" if "mode" in tls.model_fields_set else " (the default where no mode is set)"
            yield "mode", f"{tls.mode}{written} passes TLS on as it is and uses no certificate: SIMPLE ends it, or remove the certificate"
    elif tls.mode is TlsMode.ISTIO_MUTUAL:
        if _files(tls):
            yield "mode", "ISTIO_MUTUAL TLS uses the mesh's certificates: no files may be named"
        if credentials(tls) or tls.ca_cert_credential_name:
            yield "mode", "ISTIO_MUTUAL TLS uses the mesh's certificates: no credentials may be named"
    elif credentials(tls):
        yield from _credential_problems(tls)
    else:
        if tls.tls_certificates and (tls.server_certificate or tls.private_key):
            yield "tlsCertificates", "only one of serverCertificate and tlsCertificates can be set"
        for path, pair in pairs(tls):
            if not pair.server_certificate:
                yield f"{path}serverCertificate", f"{tls.mode} TLS requires a server certificate"
            if not pair.private_key:
                yield f"{path}privateKey", f"{tls.mode} TLS requires a private key"
        if tls.mode in MUTUAL and not authorities(tls):
            yield "caCertificates", f"{tls.mode} TLS requires a client CA bundle"
        if tls.mode is TlsMode.SIMPLE and (tls.subject_alt_names or tls.verify_certificate_spki or tls.verify_certificate_hash):
            yield "mode", "SIMPLE TLS asks for no client certificate that could be verified: use MUTUAL"
    for i, suite in enumerate(tls.cipher_suites):
        if suite not in CIPHERS:
            yield f"cipherSuites[{i}]", f"unknown cipher suite {suite!r}: one of {', '.join(sorted(CIPHERS))}"
    if TlsVersion.TLS_AUTO not in (tls.min_protocol_version, tls.max_protocol_version):
        if _VERSIONS.index(tls.max_protocol_version) < _VERSIONS.index(tls.min_protocol_version):
            yield "maxProtocolVersion", f"older than minProtocolVersion {tls.min_protocol_version}"
    elif tls.max_protocol_version in (TlsVersion.TLSV1_0, TlsVersion.TLSV1_1):
        yield "maxProtocolVersion", "older than the default minProtocolVersion, TLSV1_2: set that too"


def _credential_problems(tls: ServerTls) -> Iterator[tuple[str, str]]:
    at = "credentialNames" if tls.credential_names else "credentialName"
    if tls.credential_name and tls.credential_names:
        yield "credentialNames", "only one of credentialName and credentialNames can be set"
    if _files(tls) or tls.private_key:
        yield at, "the files of a server are named by path or by credential, not by both"
    for name in (*credentials(tls), *filter(None, [tls.ca_cert_credential_name])):
        if fault := name_fault(name):
            yield at if name != tls.ca_cert_credential_name else "caCertCredentialName", f"{name!r}: {fault}"
    if tls.ca_crl:
        yield "caCrl", "goes with caCertificates; a credential brings its own list as ca.crl"
    if tls.mode is TlsMode.SIMPLE and (tls.subject_alt_names or tls.verify_certificate_spki or tls.verify_certificate_hash):
        yield "mode", "SIMPLE TLS asks for no client certificate that could be verified: use MUTUAL"


def serves(server: Server) -> Serves:
    """Istio: IsTCPServer, IsPassThroughServer, IsHTTPSServerWithTLSTermination and their like."""
    protocol = server.port.protocol.upper()
    if protocol in HTTP:
        return Serves.HTTP
    if server.tls is not None and server.tls.mode is TlsMode.PASSTHROUGH:
        return Serves.TLS
    if server.tls is not None and server.tls.mode is TlsMode.AUTO_PASSTHROUGH:
        return Serves.MESH
    return Serves.HTTP if protocol == "HTTPS" else Serves.TCP
