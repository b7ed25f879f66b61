"""
What one unit says, keyed by meaning, before it is rendered to Envoy's v3 API.

A *unit* is the smallest piece that is compiled and remembered: one host as one class of clients sees it, one
cluster, one port of a workload's inbound side, one gateway's servers. The compiler fills a draft with Istio's
defaults, hands it to each kind of policy in phase order, and renders what then stands in it.

Values named `…: dict` are Envoy v3 messages as JSON-like dicts with proto field names (snake_case); every Any bears `@type`.
"""

from dataclasses import dataclass, field
from enum import IntEnum

from .reporting import ReportingDraft
from .resource_set import Origin

Json = dict  # an Envoy v3 message as a dict


class HttpFilter(IntEnum):
    """The order of HTTP filters in a listener (Istio: pilot/pkg/networking/core/listener_builder.go); each with its reason."""

    ON_DEMAND = 10  # first: it waits for the virtual host that everything after it reads
    EXT_AUTHZ_SHADOW = 20  # CUSTOM's RBAC shadow decides whether the authorizer is asked
    EXT_AUTHZ = 21  # CUSTOM runs before JWT, as in Istio
    WASM_AUTHN = 30
    JWT_AUTHN = 40  # before RBAC, which reads its claims
    WASM_AUTHZ = 50
    RBAC_AUDIT = 60
    RBAC_DENY = 61  # DENY before ALLOW
    RBAC_ALLOW = 62
    WASM_STATS = 70
    WASM = 75
    WORKLOAD_RATE_LIMIT = 79  # its own filter: what a route says would take the place of what the workload says
    LOCAL_RATE_LIMIT = 80  # after authorization: a refused request costs no budget
    GRPC_WEB = 90
    GRPC_STATS = 91
    SPOKEN = 95  # says which protocol the caller speaks, to a server that looks (Istio: istio.alpn)
    FAULT = 100
    CORS = 110
    DYNAMIC_PORT = 119  # where the one after it goes, if the Host names no port
    DYNAMIC_FORWARD_PROXY = 120
    ROUTER = 1000  # terminal


class NetworkFilter(IntEnum):
    EXT_AUTHZ_SHADOW = 2
    EXT_AUTHZ = 3
    RBAC_AUDIT = 10
    RBAC_DENY = 11
    RBAC_ALLOW = 12
    FORWARD = 900  # resolves the server name, last before what connects there
    TERMINAL = 1000


class MtlsMode(IntEnum):
    DISABLE = 1
    PERMISSIVE = 2
    STRICT = 3


@dataclass
class RouteDestination:
    """Where a share of a route's requests goes."""

    cluster: str
    """`outbound|<port>|<subset>|<fqdn>`"""
    weight: int = 100
    request_headers: Json = field(default_factory=dict)
    """Parts of ClusterWeight / Route: request_headers_to_add, …_to_remove, response_…"""
    host_rewrite: str = ""


@dataclass
class Route:
    """One Envoy route-to-be."""

    name: str
    match: Json
    """envoy.config.route.v3.RouteMatch"""
    destinations: list[RouteDestination] = field(default_factory=list)
    """For a forwarding route; empty for a redirect or a direct response."""
    action: Json = field(default_factory=dict)
    """RouteAction's fields besides the cluster specifier (timeout, retry_policy, request_mirror_policies, prefix_rewrite …)."""
    redirect: Json | None = None
    direct_response: Json | None = None
    headers: Json = field(default_factory=dict)
    """request_headers_to_add, request_headers_to_remove, response_headers_to_add, response_headers_to_remove"""
    filters: dict[HttpFilter, Json] = field(default_factory=dict)
    """Per-route configuration: what goes to typed_per_filter_config; the listener then gets the filter itself."""
    mirror_clusters: list[str] = field(default_factory=list)
    stat_prefix: str = ""
    """Envoy counts this route's requests apart under that name."""
    retry_anywhere: bool = False
    """Retries at other instances were asked for; else a consistent hash keeps them where the hash leads (Istio: DefaultConsistentHashPolicy)."""
    origin: Origin | None = None


@dataclass
class HostDraft:
    """One host and port as one class of clients (or a gateway) sees it: becomes a virtual host."""

    host: str
    port: int
    domains: tuple[str, ...]
    service: object | None = None
    """The mesh.Service, when the host is one."""
    gateway: str = ""
    """`<namespace>/<name>` of the Gateway when this host is served by one; '' in a sidecar (Istio's gateway `mesh`)."""
    client_labels: dict[str, str] | None = None
    routes: list[Route] = field(default_factory=list)
    """Prefilled with one default route; a VirtualService replaces them."""
    origins: list[Origin] = field(default_factory=list)


@dataclass
class TcpRoute:
    """Where connections go that meet its conditions: becomes a filter chain."""

    destinations: list[RouteDestination]
    sni: tuple[str, ...] = ()
    """Server names, maybe wildcards; () where none is asked for."""
    subnets: tuple[str, ...] = ()
    """CIDR ranges of which the address that was dialled must be in one; () any."""
    own: bool = False
    """The service's own default: it takes what asks for the service's name."""
    origin: Origin | None = None


@dataclass
class TcpDraft:
    """One TCP or TLS port of a host as one class of clients (or a server of a gateway) sees it."""

    host: str
    port: int
    tls: bool
    """Connections are told apart by SNI (rules under `tls` hold, not those under `tcp`)."""
    service: object | None = None
    """The mesh.Service, when the host is one."""
    gateway: str = ""
    """`<namespace>/<name>` of the Gateway; '' in a sidecar."""
    client_labels: dict[str, str] | None = None
    routes: list[TcpRoute] = field(default_factory=list)
    """Prefilled with the service's default route, at a gateway with none; a VirtualService replaces them."""
    origins: list[Origin] = field(default_factory=list)


@dataclass(frozen=True)
class Zones:
    """Requests stay in the client's zone as far as the instances there can take them (Envoy's zone aware routing, computed here)."""

    min_size: int
    """With fewer instances in the client's region zones make no difference."""
    peers: tuple[str, ...] = ()
    """The places of the instances of the client's own service, the client among them."""


@dataclass(frozen=True)
class Localities:
    """How one client's requests are spread over the places (`region/zone/sub-zone`) where a cluster's endpoints are."""

    client: str
    """Where the client is."""
    shares: tuple[tuple[str, int], ...] = ()
    """(place, share in percent): what goes where; a place that is not among them gets nothing. Empty: the nearest first."""
    fallback: str = ""
    """The region that comes before all others when the client's own one is down."""
    labels: tuple[tuple[str, str], ...] = ()
    """(key, value) that rank instances before places do: by how many of the first ones they bear."""
    near_first: bool = True
    zones: Zones | None = None


@dataclass
class ClusterDraft:
    """One outbound cluster: a service's port, maybe a subset of it."""

    name: str
    service: object
    """mesh.Service"""
    port: object
    """mesh.Port"""
    subset: str = ""
    subset_labels: dict[str, str] = field(default_factory=dict)
    """Written by the DestinationRule that defines the subset; endpoints must bear them all."""
    body: Json = field(default_factory=dict)
    """The v3 Cluster as it stands, with Istio's defaults; policies merge into it."""
    hash_policy: list[Json] = field(default_factory=list)
    """RouteAction.hash_policy for every route that leads here."""
    http_options: Json = field(default_factory=dict)
    """The cluster's HttpProtocolOptions (typed_extension_protocol_options), besides the protocol choice."""
    tls: Json | None = None
    """An explicit client transport socket (DestinationRule.tls SIMPLE/MUTUAL); None where auto mTLS decides."""
    auto_mtls: bool = True
    """False once a DestinationRule said tls.mode (DISABLE leaves tls None)."""
    mtls_forced: bool = False
    """ISTIO_MUTUAL: every endpoint by mesh mTLS, whatever its metadata says."""
    passthrough: bool = False
    """loadBalancer PASSTHROUGH: ORIGINAL_DST."""
    tcp_proxy: Json = field(default_factory=dict)
    """Fields of the TcpProxy of every TCP route that leads here (of several destinations, the first's): idle_timeout, hash_policy, …"""
    sni: str = ""
    proxy_protocol: str = ""
    """`V1` or `V2`: connections begin with a PROXY header."""
    localities: Localities | None = None
    """None: endpoints are chosen wherever they are."""
    credentials: dict[str, Json | None] = field(default_factory=dict)
    """SDS name -> Secret of those that `tls` names; None while nobody has it: then there is no endpoint."""
    origins: list[Origin] = field(default_factory=list)


@dataclass
class InboundDraft:
    """One port of a workload, as its callers see it."""

    workload: object
    """mesh.Workload"""
    port: object
    """mesh.WorkloadPort"""
    mtls: MtlsMode = MtlsMode.PERMISSIVE
    clusters: list[str] = field(default_factory=list)
    """Outbound clusters that its filters call: the proxy gets them whether or not anybody asked."""
    http_filters: dict[HttpFilter, list[Json]] = field(default_factory=dict)
    """v3 HttpFilter messages ({name, typed_config})."""
    network_filters: dict[NetworkFilter, list[Json]] = field(default_factory=dict)
    allowing: list[Origin] = field(default_factory=list)
    """Policies of which one must allow a request,"""
    would_allow: list[Origin] = field(default_factory=list)
    """and those of which one would have to, were they no dry run."""
    told: list[Json] = field(default_factory=list)
    """Access-log filters: requests that are told of whatever becomes of them;"""
    told_tcp: list[Json] = field(default_factory=list)
    """and connections."""
    origins: list[Origin] = field(default_factory=list)


class CREDENTIAL:
    """How Istio names in SDS what a Gateway names by `credentialName`."""

    scheme = "kubernetes://"
    authorities = "-cacert"


class Serves(IntEnum):
    """What becomes of a gateway server's connections."""

    HTTP = 1
    TCP = 2  # whatever it is that comes, or comes out of the TLS that the server ends
    TLS = 3  # passed on by server name (PASSTHROUGH)
    MESH = 4  # passed on to the service that the server name spells (AUTO_PASSTHROUGH)


@dataclass
class ServerDraft:
    """One server of a Gateway at one gateway proxy: becomes a listener, or a filter chain of one."""

    gateway: str
    """`<namespace>/<name>` of the Gateway resource."""
    bind: str
    port: int
    protocol: str
    name: str = ""
    serves: Serves = Serves.HTTP
    hosts: tuple[str, ...] = ()
    """As written: `<namespace>/<host>`, `*`, …"""
    tls: Json | None = None
    """DownstreamTlsContext, for a terminating server."""
    https_redirect: bool = False
    credentials: tuple[str, ...] = ()
    """SDS names of what it needs before it can be served."""
    sni: tuple[str, ...] = ()
    origin: Origin | None = None


@dataclass
class GatewayDraft:
    """All servers of one gateway workload; HTTP filters apply to each HTTP server."""

    workload: object
    servers: list[ServerDraft] = field(default_factory=list)
    clusters: list[str] = field(default_factory=list)
    """Clusters that its filters call."""
    credentials: dict[str, Json] = field(default_factory=dict)
    """SDS name -> envoy.extensions.transport_sockets.tls.v3.Secret, of those that servers name and that there are."""
    http_filters: dict[HttpFilter, list[Json]] = field(default_factory=dict)
    network_filters: dict[NetworkFilter, list[Json]] = field(default_factory=dict)
    allowing: list[Origin] = field(default_factory=list)
    """Policies of which one must allow a request,"""
    would_allow: list[Origin] = field(default_factory=list)
    """and those of which one would have to, were they no dry run."""
    told: list[Json] = field(default_factory=list)
    """Access-log filters: requests that are told of whatever becomes of them;"""
    told_tcp: list[Json] = field(default_factory=list)
    """and connections."""
    origins: list[Origin] = field(default_factory=list)


Draft = ReportingDraft | HostDraft | TcpDraft | ClusterDraft | InboundDraft | GatewayDraft
