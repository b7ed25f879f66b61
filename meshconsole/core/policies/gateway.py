"""Gateway: what a gateway proxy listens to, and under which names. VirtualServices say where the requests go."""

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import ClassVar, Self

from pydantic import Field

from meshconsole.core.envoy import tls as mesh_tls
from meshconsole.core.envoy.draft import CREDENTIAL, Draft, GatewayDraft, Json, ServerDraft
from meshconsole.core.mesh.model import Workload
from meshconsole.core.mesh.selection import selects
from meshconsole.core.resources.common import Boolean, Whole
from meshconsole.core.resources.envelope import Model
from meshconsole.core.resources.messages import Message
from meshconsole.core.resources.names import name_fault
from meshconsole.core.resources.selectors import problems

from .base import Phase, Policy, View

HTTP = frozenset(("HTTP", "HTTP2", "GRPC"))
_LATER = frozenset(("GRPC-WEB", "TCP", "TLS", "MONGO", "MYSQL", "REDIS", "UDP"))
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


_MUTUAL = (TlsMode.MUTUAL, TlsMode.OPTIONAL_MUTUAL)
_VERSIONS = list(TlsVersion)


class ServerPort(Model):
    unsupported: ClassVar[dict[str, str]] = {"targetPort": "Kubernetes' service ports; the proxy listens to `number`"}

    number: Whole
    """The port that the gateway listens to, 1 to 65535."""
    protocol: str
    """`HTTP`, `HTTP2`, `GRPC`, or `HTTPS`, which needs `tls`."""
    name: str
    """Unique among the Gateway's servers."""


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
    one. `ISTIO_MUTUAL`: the mesh's own certificates on both sides. The default is `PASSTHROUGH`, as in Istio."""
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


class Server(Model):
    unsupported: ClassVar[dict[str, str]] = {"defaultEndpoint": "a VirtualService bound to the gateway says where requests go"}

    port: ServerPort
    """Where it listens."""
    hosts: list[str]
    """Names served: `shop.example.com`, `*.example.com`, `*`. `<namespace>/<host>` lets only that namespace's VirtualServices bind, `./<host>` the Gateway's own."""
    tls: ServerTls | None = None
    """For HTTPS, and for httpsRedirect."""
    bind: str = ""
    """The address to listen at. Default: all."""
    name: str = ""
    """Of the server, for people."""


class GatewaySpec(Model):
    servers: list[Server] = Field(default_factory=list)
    """What is listened to."""
    selector: dict[str, str] = Field(default_factory=dict)
    """Labels of the gateway proxies, of any namespace, that this is for. Empty: every gateway proxy."""


class Gateway(Policy):
    group: ClassVar[str] = "networking.istio.io"
    versions: ClassVar[tuple[str, ...]] = ("v1", "v1beta1", "v1alpha3")
    plural: ClassVar[str] = "gateways"
    short_names: ClassVar[tuple[str, ...]] = ("gw",)
    phase: ClassVar[Phase | None] = Phase.SERVERS

    spec: GatewaySpec
    """The servers, and whose they are."""

    def workload_labels(self) -> dict[str, str]:
        return self.spec.selector

    @classmethod
    def apply(cls, policies: Iterable[Self], draft: Draft, view: View) -> None:
        if not isinstance(draft, GatewayDraft):
            return
        assert isinstance(draft.workload, Workload)
        for gateway in policies:
            if selects(gateway.spec.selector, draft.workload.labels):
                draft.servers += gateway._servers(view)

    def _servers(self, view: View) -> Iterator[ServerDraft]:
        for i, server in enumerate(self.spec.servers):
            yield ServerDraft(
                gateway=f"{self.metadata.namespace}/{self.metadata.name}",
                bind=server.bind,
                port=server.port.number,
                protocol=server.port.protocol.upper(),
                name=server.port.name,
                hosts=tuple(server.hosts),
                tls=_context(server.tls, view) if server.tls and server.port.protocol.upper() == "HTTPS" else None,
                https_redirect=server.tls is not None and server.tls.https_redirect,
                credentials=_needed(server.tls) if server.tls and server.port.protocol.upper() == "HTTPS" else (),
                origin=self.origin(f"spec.servers[{i}]"),
            )

    def check(self) -> Iterator[Message]:
        yield from (self.error(path, text) for path, text in problems(self.spec.selector, "spec.selector"))
        if not self.spec.servers:
            yield self.warning("spec.servers", "gateway must have at least one server: this one serves nothing")
        names: dict[str, Server] = {}
        for i, server in enumerate(self.spec.servers):
            path = f"spec.servers[{i}]"
            yield from (self.error(f"{path}.{field}" if field else path, text) for field, text in _problems(server))
            same = names.setdefault(server.port.name, server)
            if same is not server:
                # Envoy's route configurations of TLS servers are named by port and name; plain ones share one.
                collides = server.tls is not None and same.tls is not None and same.port.number == server.port.number
                say = self.error if collides else self.warning
                yield say(f"{path}.port.name", f"port names in servers must be unique: duplicate name {server.port.name}")
            if server.tls and server.tls.https_redirect and server.port.protocol.upper() == "HTTPS":
                yield self.warning(f"{path}.tls.httpsRedirect", "tls.httpsRedirect should only be used with http servers")


def _problems(server: Server) -> Iterator[tuple[str, str]]:
    """(field, what is wrong)"""
    port, protocol = server.port, server.port.protocol.upper()
    if not 0 < port.number < 65536:
        yield "port.number", "port must be between 1-65535"
    if not port.name:
        yield "port.name", "port name must be set"
    if protocol in _LATER:
        yield "port.protocol", f"not supported yet: {protocol}; HTTP, HTTP2, GRPC and HTTPS are"
    elif protocol not in HTTP and protocol != "HTTPS":
        yield "port.protocol", f"unknown protocol {port.protocol!r}: one of HTTP, HTTP2, GRPC, HTTPS"
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
    if protocol == "HTTPS":
        if server.tls is None:
            yield "tls", "server must have TLS settings for HTTPS/TLS protocols"
        else:
            yield from ((f"tls.{field}", text) for field, text in _tls_problems(server.tls))
    elif server.tls is not None and (server.tls.mode is not TlsMode.PASSTHROUGH or _files(server.tls)):
        yield "tls", "server cannot have TLS settings for plain text HTTP ports (besides httpsRedirect)"


def _files(tls: ServerTls) -> list[str]:
    return [
        f
        for f in (tls.server_certificate, tls.private_key, tls.ca_certificates, *(c.server_certificate for c in tls.tls_certificates))
        if f
    ]


def _tls_problems(tls: ServerTls) -> Iterator[tuple[str, str]]:
    if tls.mode in (TlsMode.PASSTHROUGH, TlsMode.AUTO_PASSTHROUGH):
        written = "" if "mode" in tls.model_fields_set else " (the default where no mode is set)"
        yield "mode", f"not supported yet: {tls.mode}{written}; SIMPLE, MUTUAL, OPTIONAL_MUTUAL and ISTIO_MUTUAL are"
    elif tls.mode is TlsMode.ISTIO_MUTUAL:
        if _files(tls):
            yield "mode", "ISTIO_MUTUAL TLS uses the mesh's certificates: no files may be named"
        if _credentials(tls) or tls.ca_cert_credential_name:
            yield "mode", "ISTIO_MUTUAL TLS uses the mesh's certificates: no credentials may be named"
    elif _credentials(tls):
        yield from _credential_problems(tls)
    else:
        if tls.tls_certificates and (tls.server_certificate or tls.private_key):
            yield "tlsCertificates", "only one of serverCertificate and tlsCertificates can be set"
        for path, pair in _pairs(tls):
            if not pair.server_certificate:
                yield f"{path}serverCertificate", f"{tls.mode} TLS requires a server certificate"
            if not pair.private_key:
                yield f"{path}privateKey", f"{tls.mode} TLS requires a private key"
        if tls.mode in _MUTUAL and not _authorities(tls):
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


def _credentials(tls: ServerTls) -> list[str]:
    return tls.credential_names or ([tls.credential_name] if tls.credential_name else [])


def _credential_problems(tls: ServerTls) -> Iterator[tuple[str, str]]:
    at = "credentialNames" if tls.credential_names else "credentialName"
    if tls.credential_name and tls.credential_names:
        yield "credentialNames", "only one of credentialName and credentialNames can be set"
    if _files(tls) or tls.private_key:
        yield at, "the files of a server are named by path or by credential, not by both"
    for name in (*_credentials(tls), *filter(None, [tls.ca_cert_credential_name])):
        if fault := name_fault(name):
            yield at if name != tls.ca_cert_credential_name else "caCertCredentialName", f"{name!r}: {fault}"
    if tls.ca_crl:
        yield "caCrl", "goes with caCertificates; a credential brings its own list as ca.crl"
    if tls.mode is TlsMode.SIMPLE and (tls.subject_alt_names or tls.verify_certificate_spki or tls.verify_certificate_hash):
        yield "mode", "SIMPLE TLS asks for no client certificate that could be verified: use MUTUAL"


def _needed(tls: ServerTls) -> tuple[str, ...]:
    """SDS names of what the server's TLS is done with."""
    names = _credentials(tls)
    roots = [_roots(tls)] if names and tls.mode in _MUTUAL else []
    return tuple(CREDENTIAL.scheme + name for name in (*names, *roots))


def _roots(tls: ServerTls) -> str:
    return (tls.ca_cert_credential_name or _credentials(tls)[0]) + CREDENTIAL.authorities


def _pairs(tls: ServerTls) -> list[tuple[str, TlsCertificate]]:
    if tls.tls_certificates:
        return [(f"tlsCertificates[{i}].", pair) for i, pair in enumerate(tls.tls_certificates)]
    return [("", TlsCertificate.model_validate({"serverCertificate": tls.server_certificate, "privateKey": tls.private_key}))]


def _authorities(tls: ServerTls) -> str:
    return tls.ca_certificates or next((pair.ca_certificates for pair in tls.tls_certificates if pair.ca_certificates), "")


def _context(tls: ServerTls, view: View) -> Json:
    """DownstreamTlsContext of a server that ends TLS."""
    if tls.mode is TlsMode.ISTIO_MUTUAL:
        context = mesh_tls.mesh_server(view.mesh.trust_domain)
        common = context["common_tls_context"]
    elif names := _credentials(tls):
        common = {
            "alpn_protocols": ["h2", "http/1.1"],
            "tls_certificate_sds_secret_configs": [mesh_tls.secret(CREDENTIAL.scheme + name) for name in names],
        }
        context = {
            "@type": mesh_tls.DOWNSTREAM,
            "common_tls_context": common,
            "require_client_certificate": tls.mode is TlsMode.MUTUAL,
        }
        if tls.mode in _MUTUAL:
            common["combined_validation_context"] = {
                "default_validation_context": _validation(tls),
                "validation_context_sds_secret_config": mesh_tls.secret(CREDENTIAL.scheme + _roots(tls)),
            }
    else:
        certificates = [
            {"certificate_chain": {"filename": pair.server_certificate}, "private_key": {"filename": pair.private_key}}
            for _, pair in _pairs(tls)
        ]
        common = {"alpn_protocols": ["h2", "http/1.1"], "tls_certificates": certificates}
        context = {
            "@type": mesh_tls.DOWNSTREAM,
            "common_tls_context": common,
            "require_client_certificate": tls.mode is TlsMode.MUTUAL,
        }
        if tls.mode in _MUTUAL:
            common["validation_context"] = _validation(tls)
    common["tls_params"] = _parameters(tls)
    return context


def _validation(tls: ServerTls) -> Json:
    context: Json = {"trusted_ca": {"filename": _authorities(tls)}} if _authorities(tls) else {}
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
