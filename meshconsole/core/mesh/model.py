"""The mesh as the compiler sees it: services, endpoints, workloads, proxies. Values only; discovery fills them in."""

from dataclasses import dataclass, field
from enum import StrEnum

from meshconsole.core.envoy.reporting import AccessLog, FileLog

Labels = dict[str, str]


class Protocol(StrEnum):
    HTTP = "http"
    HTTP2 = "http2"
    GRPC = "grpc"
    GRPC_WEB = "grpc-web"
    HTTPS = "https"
    TLS = "tls"
    TCP = "tcp"
    UNKNOWN = ""
    """Undeclared: to be sniffed."""

    @property
    def is_http(self) -> bool:
        return self in (Protocol.HTTP, Protocol.HTTP2, Protocol.GRPC, Protocol.GRPC_WEB)

    @property
    def is_http2(self) -> bool:
        return self in (Protocol.HTTP2, Protocol.GRPC, Protocol.GRPC_WEB)

    @property
    def is_grpc(self) -> bool:
        return self in (Protocol.GRPC, Protocol.GRPC_WEB)

    @property
    def is_tls(self) -> bool:
        """The applications' own TLS: all that is seen of it is the server name."""
        return self in (Protocol.TLS, Protocol.HTTPS)

    @property
    def is_opaque(self) -> bool:
        """Connections, not requests, are what is routed."""
        return self.is_tls or self is Protocol.TCP


class Resolution(StrEnum):
    STATIC = "STATIC"
    """Endpoints are known: EDS."""
    DNS = "DNS"
    DNS_ROUND_ROBIN = "DNS_ROUND_ROBIN"
    DYNAMIC_DNS = "DYNAMIC_DNS"
    """A wildcard's names, each looked up when it is called."""
    NONE = "NONE"
    """The proxy forwards to where the caller was going."""


class Location(StrEnum):
    MESH_INTERNAL = "MESH_INTERNAL"
    MESH_EXTERNAL = "MESH_EXTERNAL"


@dataclass(frozen=True, slots=True)
class Port:
    number: int
    name: str = ""
    protocol: Protocol = Protocol.UNKNOWN
    target_port: int = 0
    """The port at the endpoint where it differs; 0 means `number`."""


@dataclass(frozen=True)
class Endpoint:
    """One instance of a service, at every port of the service."""

    address: str
    """An IP address, a DNS name (resolution DNS) or a Unix path."""
    ports: tuple[tuple[str, int], ...] = ()
    """Port name -> port at this endpoint, where it differs from the service's."""
    labels: Labels = field(default_factory=dict)
    namespace: str = ""
    workload: str = ""
    service_account: str = ""
    mtls: bool = False
    """A proxy of the mesh stands there and takes mutual TLS (Istio: the label security.istio.io/tlsMode=istio)."""
    healthy: bool = True
    locality: str = ""
    weight: int = 1
    network: str = ""


@dataclass(frozen=True)
class Service:
    """A host name with ports and the endpoints behind it."""

    host: str
    """Fully qualified: `reviews.default.svc.cluster.local`; may be a wildcard (`*.example.com`) for a ServiceEntry."""
    namespace: str
    name: str
    """Short name for mesh services; the host again for external ones."""
    ports: tuple[Port, ...]
    endpoints: tuple[Endpoint, ...] = ()
    resolution: Resolution = Resolution.STATIC
    location: Location = Location.MESH_INTERNAL
    export_to: tuple[str, ...] = ("*",)
    addresses: tuple[str, ...] = ()
    subject_alt_names: tuple[str, ...] = ()
    created: str = ""
    """RFC 3339; precedence among equals is by age."""
    selector: Labels | None = None
    """Where not None: endpoints are what bears these labels in its namespace, workloads and declared endpoints; the registry fills them in."""

    def port(self, number: int) -> Port | None:
        return next((p for p in self.ports if p.number == number), None)


@dataclass(frozen=True)
class WorkloadPort:
    number: int
    name: str = ""
    protocol: Protocol = Protocol.UNKNOWN
    app_address: str = "127.0.0.1"
    app_port: int = 0
    app_protocol: str = ""
    """Says the protocol in the name's stead."""


class ProxyKind(StrEnum):
    SIDECAR = "sidecar"
    GATEWAY = "gateway"


@dataclass(frozen=True)
class Workload:
    """One running instance with a proxy of ours beside it."""

    namespace: str
    name: str
    kind: ProxyKind = ProxyKind.SIDECAR
    service_account: str = "default"
    address: str = "127.0.0.1"
    labels: Labels = field(default_factory=dict)
    services: tuple[str, ...] = ()
    """Short names of services in its own namespace."""
    ports: tuple[WorkloadPort, ...] = ()
    healthy: bool = True
    outbound_address: str = "127.0.0.1"
    outbound_port: int = 15001
    locality: str = ""
    network: str = ""
    weight: int = 1
    created: str = ""
    lowest_port: int = 0
    """Below it the proxy has no right to listen beside its own ports; 0: it may anywhere."""
    group: str = ""
    """The WorkloadGroup that it is a member of."""

    @property
    def id(self) -> str:
        """The proxy's id too."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True)
class Authorizer:
    """An external authorizer that AuthorizationPolicies with action CUSTOM name (Istio: an extension provider)."""

    name: str
    grpc: bool
    host: str
    port: int
    namespace: str = ""
    """Of the service, where it is not that of a full name."""
    timeout: str = ""
    fail_open: bool = False
    status_on_error: int = 0
    clear_route_cache: bool = False
    max_body_bytes: int = 0
    """0: the body is not sent."""
    partial_body: bool = False
    body_as_bytes: bool = False
    path_prefix: str = ""
    check_headers: tuple[str, ...] = ()
    added_headers: tuple[tuple[str, str], ...] = ()
    upstream_headers: tuple[str, ...] = ()
    allowed_headers: tuple[str, ...] = ()
    denied_headers: tuple[str, ...] = ()


@dataclass(frozen=True)
class MeshConfig:
    """What holds for the whole mesh (Istio's MeshConfig, the part that we have)."""

    trust_domain: str = "cluster.local"
    trust_domain_aliases: tuple[str, ...] = ()
    """Former or other names of the trust domain: a principal of one is a principal of all (migration)."""
    root_namespace: str = "istio-system"
    domain: str = "cluster.local"
    """The suffix of service names: `<name>.<namespace>.svc.<domain>`."""
    allow_any: bool = True
    """outboundTrafficPolicy: ALLOW_ANY; else REGISTRY_ONLY."""
    allow_any_dynamic: bool = False
    """ALLOW_ANY_DYNAMIC_DNS: ALLOW_ANY by the dynamic forward proxy, instead of a cluster for each host."""
    auto_mtls: bool = True
    path_normalization: str = "BASE"
    """NONE, BASE, MERGE_SLASHES or DECODE_AND_MERGE_SLASHES."""
    trusted_proxies: int = 0
    """Proxies of the user's own before the gateways."""
    gateway_client_cert: str = "SANITIZE_SET"
    """What gateways make of X-Forwarded-Client-Cert: an Envoy ForwardClientCertDetails."""
    authorizers: tuple[Authorizer, ...] = ()
    tracing_sampling: float = 0.0
    """Percent."""
    locality_lb: str | None = None
    """localityLbSetting, as JSON: for hosts whose DestinationRule says none."""
    connect_timeout: str = "10s"
    private_keysets: bool = False
    """The console fetches keys of issuers from private addresses, too."""
    detection_timeout: str = "0s"
    """How long a proxy waits for the first bytes that tell a connection's protocol; `0s`: for ever."""
    dns_refresh_rate: str = "5s"
    """How often names are looked up again whose TTL does not say."""
    tcp_keepalive: str = ""
    """envoy.config.core.v3.TcpKeepalive as JSON, of clients' connections whose DestinationRule says none."""
    retry_policy: str = ""
    """envoy.config.route.v3.RetryPolicy as JSON, of routes that say no retries; '' is Istio's default, `null` none."""
    service_export: tuple[str, ...] = ("*",)
    virtual_service_export: tuple[str, ...] = ("*",)
    destination_rule_export: tuple[str, ...] = ("*",)
    """exportTo of those that say none."""
    networks: tuple[tuple[str, tuple[tuple[str, int], ...]], ...] = ()
    """(network, its gateways' (address, port)): through these it is reached from others."""
    access_log: AccessLog | None = None
    """What the agents relay to the console; None: nothing."""
    file_logs: tuple[FileLog, ...] = ()
    """What is written at every proxy's host (accessLogFile)."""
    log_providers: tuple[tuple[str, FileLog], ...] = ()
    """Extension providers of access logs (envoyFileAccessLog), by name."""
