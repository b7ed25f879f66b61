"""What a Gateway may say (istio.io/latest/docs/reference/config/networking/gateway). Counterparts: checks.py, tls.py."""

from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from meshconsole.core.resources.common import Boolean, Whole
from meshconsole.core.resources.envelope import Model


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


class ServerPort(Model):
    unsupported: ClassVar[dict[str, str]] = {"targetPort": "Kubernetes' service ports; the proxy listens to `number`"}

    number: Whole
    """The port that the gateway listens to, 1 to 65535."""
    protocol: str
    """`HTTP`, `HTTP2`, `GRPC`, `GRPC-WEB`; `HTTPS` and `TLS`, which need `tls`; `TCP`, `MONGO`, `MYSQL`, `REDIS`."""
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
