"""TLS that a proxy ends, as Istio's users write it: at a Gateway's server, at a Sidecar's ingress."""

from collections.abc import Iterator
from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from .common import Boolean
from .envelope import Model
from .names import name_fault


class TlsMode(StrEnum):
    PASSTHROUGH = "PASSTHROUGH"
    SIMPLE = "SIMPLE"
    MUTUAL = "MUTUAL"
    AUTO_PASSTHROUGH = "AUTO_PASSTHROUGH"
    ISTIO_MUTUAL = "ISTIO_MUTUAL"
    OPTIONAL_MUTUAL = "OPTIONAL_MUTUAL"


class TlsVersion(StrEnum):
    TLS_AUTO = "TLS_AUTO"
    TLSV1_0 = "TLSV1_0"
    TLSV1_1 = "TLSV1_1"
    TLSV1_2 = "TLSV1_2"
    TLSV1_3 = "TLSV1_3"


class TlsCertificate(Model):
    server_certificate: str = ""
    """Path, on the gateway's host, of the certificate chain in PEM."""
    private_key: str = ""
    """Path of its key."""
    ca_certificates: str = ""
    """Path of the CA certificates that client certificates are checked with."""


class ServerTls(Model):
    unsupported: ClassVar[dict[str, str]] = {
        "insecureSkipVerify": "leave the client's certificate out: mode SIMPLE",
    }

    https_redirect: Boolean = False
    """Answer every plain HTTP request with a redirect (301) to HTTPS. For servers of protocol HTTP. Default: false."""
    mode: TlsMode = TlsMode.PASSTHROUGH
    """`SIMPLE`: the gateway's certificate, none of the client's. `MUTUAL`: the client must have one. `OPTIONAL_MUTUAL`: the client may have
    one. `ISTIO_MUTUAL`: the mesh's own certificates on both sides. `PASSTHROUGH` (the default, as in Istio): TLS goes on as it is, to where
    a VirtualService's `tls` rules send its server name. `AUTO_PASSTHROUGH`: to the service of the mesh that the server name spells
    (`outbound_.9080_.v1_.reviews.default.svc.cluster.local`), as sidecars of another network ask for it."""
    server_certificate: str = ""
    """Path, on the gateway's host, of the certificate chain in PEM."""
    private_key: str = ""
    """Path of its key."""
    credential_name: str = ""
    """Instead of files: the Secret, in the gateway proxy's namespace, that holds certificate and key, and the CA certificates of clients
    (`ca.crt`) unless a Secret `<name>-cacert` does."""
    credential_names: list[str] = Field(default_factory=list, max_length=2)
    """Instead of credentialName: two Secrets, one with an RSA and one with an ECDSA certificate."""
    ca_cert_credential_name: str = ""
    """The Secret with the CA certificates of clients, where it is not that of credentialName: `<name>-cacert`, or `<name>`."""
    ca_certificates: str = ""
    """Path of the CA certificates that client certificates are checked with."""
    ca_crl: str = ""
    """Path of a certificate revocation list."""
    tls_certificates: list[TlsCertificate] = Field(default_factory=list, max_length=2)
    """Instead of serverCertificate and privateKey: two pairs, one RSA and one ECDSA."""
    subject_alt_names: list[str] = Field(default_factory=list)
    """Names of which a client certificate must bear one."""
    verify_certificate_spki: list[str] = Field(default_factory=list)
    """Base64 SHA-256 hashes of public keys: a client certificate must have one of them."""
    verify_certificate_hash: list[str] = Field(default_factory=list)
    """Hexadecimal SHA-256 hashes: a client certificate must be one of these."""
    min_protocol_version: TlsVersion = TlsVersion.TLS_AUTO
    """The oldest TLS version taken. Default: TLS 1.2."""
    max_protocol_version: TlsVersion = TlsVersion.TLS_AUTO
    """The newest TLS version taken. Default: TLS 1.3."""
    cipher_suites: list[str] = Field(default_factory=list)
    """Cipher suites for TLS 1.2 and older, by OpenSSL's names. Default: Envoy's."""


MUTUAL = (TlsMode.MUTUAL, TlsMode.OPTIONAL_MUTUAL)
PASSING = (TlsMode.PASSTHROUGH, TlsMode.AUTO_PASSTHROUGH)
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


def credentials(tls: ServerTls) -> list[str]:
    return tls.credential_names or ([tls.credential_name] if tls.credential_name else [])


def pairs(tls: ServerTls) -> list[tuple[str, TlsCertificate]]:
    if tls.tls_certificates:
        return [(f"tlsCertificates[{i}].", pair) for i, pair in enumerate(tls.tls_certificates)]
    return [("", TlsCertificate.model_validate({"serverCertificate": tls.server_certificate, "privateKey": tls.private_key}))]


def authorities(tls: ServerTls) -> str:
    return tls.ca_certificates or next((pair.ca_certificates for pair in tls.tls_certificates if pair.ca_certificates), "")


def files(tls: ServerTls) -> list[str]:
    return [
        f
        for f in (tls.server_certificate, tls.private_key, tls.ca_certificates, *(c.server_certificate for c in tls.tls_certificates))
        if f
    ]


def problems(tls: ServerTls) -> Iterator[tuple[str, str]]:
    """(field, what is wrong)"""
    if tls.mode in PASSING:
        if files(tls) or tls.private_key or credentials(tls):
            written = "" if "mode" in tls.model_fields_set else " (the default where no mode is set)"
            yield "mode", f"{tls.mode}{written} passes TLS on as it is and uses no certificate: SIMPLE ends it, or remove the certificate"
    elif tls.mode is TlsMode.ISTIO_MUTUAL:
        if files(tls):
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
    if files(tls) or tls.private_key:
        yield at, "the files of a server are named by path or by credential, not by both"
    for name in (*credentials(tls), *filter(None, [tls.ca_cert_credential_name])):
        if fault := name_fault(name):
            yield at if name != tls.ca_cert_credential_name else "caCertCredentialName", f"{name!r}: {fault}"
    if tls.ca_crl:
        yield "caCrl", "goes with caCertificates; a credential brings its own list as ca.crl"
    if tls.mode is TlsMode.SIMPLE and (tls.subject_alt_names or tls.verify_certificate_spki or tls.verify_certificate_hash):
        yield "mode", "SIMPLE TLS asks for no client certificate that could be verified: use MUTUAL"
