"""EnvoyFilter's fields, as Istio has them."""

from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import Field

from meshconsole.core.resources.common import Int32, NetworkingSelector, Regex, Uint32
from meshconsole.core.resources.envelope import Model

_WAYPOINT = "waypoints belong to Istio's ambient mode; here each workload has its own proxy"


class ApplyTo(StrEnum):
    LISTENER = "LISTENER"
    FILTER_CHAIN = "FILTER_CHAIN"
    NETWORK_FILTER = "NETWORK_FILTER"
    HTTP_FILTER = "HTTP_FILTER"
    ROUTE_CONFIGURATION = "ROUTE_CONFIGURATION"
    VIRTUAL_HOST = "VIRTUAL_HOST"
    HTTP_ROUTE = "HTTP_ROUTE"
    CLUSTER = "CLUSTER"
    EXTENSION_CONFIG = "EXTENSION_CONFIG"
    BOOTSTRAP = "BOOTSTRAP"
    LISTENER_FILTER = "LISTENER_FILTER"


class Where(StrEnum):
    ANY = "ANY"
    SIDECAR_INBOUND = "SIDECAR_INBOUND"
    SIDECAR_OUTBOUND = "SIDECAR_OUTBOUND"
    GATEWAY = "GATEWAY"
    WAYPOINT = "WAYPOINT"


class Operation(StrEnum):
    MERGE = "MERGE"
    ADD = "ADD"
    REMOVE = "REMOVE"
    INSERT_BEFORE = "INSERT_BEFORE"
    INSERT_AFTER = "INSERT_AFTER"
    INSERT_FIRST = "INSERT_FIRST"
    REPLACE = "REPLACE"
    MERGE_AND_REPLACE_LIST = "MERGE_AND_REPLACE_LIST"


class FilterClass(StrEnum):
    UNSPECIFIED = "UNSPECIFIED"
    AUTHN = "AUTHN"
    AUTHZ = "AUTHZ"
    STATS = "STATS"


class RouteAction(StrEnum):
    ANY = "ANY"
    ROUTE = "ROUTE"
    REDIRECT = "REDIRECT"
    DIRECT_RESPONSE = "DIRECT_RESPONSE"


class ProxyMatch(Model):
    proxy_version: Regex = ""
    """A regular expression that is looked for in Istio's version of the proxy. Proxies here say the release of Istio whose API they speak
    (see the page of this kind), so that `^1\\.` matches and a filter for one old release does not."""
    metadata: dict[str, str] = Field(default_factory=dict)
    """Node metadata that the proxy must have: `NAMESPACE` or `ISTIO_VERSION`. For labels use `workloadSelector`."""


class SubFilterMatch(Model):
    name: str = ""
    """The HTTP filter's name, such as `envoy.filters.http.router`."""


class FilterMatch(Model):
    name: str = ""
    """The network filter's name, such as `envoy.filters.network.http_connection_manager`."""
    sub_filter: SubFilterMatch | None = None
    """An HTTP filter in the connection manager: before or after which to insert, which to change or remove."""


class FilterChainMatch(Model):
    name: str = ""
    """The chain's name."""
    sni: str = ""
    """One of the server names that the chain is for."""
    transport_protocol: str = ""
    """`raw_buffer` or `tls`."""
    application_protocols: str = ""
    """Protocols that the chain is for, with commas; all of them must be among its own."""
    filter: FilterMatch | None = None
    """A network filter in the chain."""
    destination_port: Uint32 = 0
    """The port that the chain is for; inbound, the workload's port."""


class ListenerMatch(Model):
    unsupported: ClassVar[dict[str, str]] = {"portName": "Istio does not look at it; use portNumber"}

    port_number: Uint32 = 0
    """The port: of a workload (inbound), of a gateway's server, of a service (outbound). 0: any. HTTP services share one outbound
    listener: there an HTTP_FILTER can be put, replaced or removed for one port, and nothing else."""
    filter_chain: FilterChainMatch | None = None
    """A filter chain of the listener, and filters in it."""
    listener_filter: str = ""
    """The listener filter's name, such as `envoy.filters.listener.tls_inspector`."""
    name: str = ""
    """The listener's name; `virtualInbound` is each inbound one, `virtualOutbound` the outbound one for HTTP."""


class RouteMatch(Model):
    name: str = ""
    """The route's name: that of the VirtualService's rule, or `default`."""
    action: RouteAction = RouteAction.ANY
    """What the route does. Default: whatever."""


class VirtualHostMatch(Model):
    name: str = ""
    """The virtual host's name: `inbound|http|<port>`, or `<host>:<port>`."""
    domain_name: str = ""
    """One of the virtual host's domains."""
    route: RouteMatch | None = None
    """A route in it."""


class RouteConfigurationMatch(Model):
    port_number: Uint32 = 0
    """The port of the service, of the workload (inbound) or of the gateway's server. 0: any."""
    port_name: str = ""
    """Gateways: the name of an HTTPS server's port; routes of HTTP servers belong to their port only, as in Istio."""
    gateway: str = ""
    """Gateways: `<namespace>/<name>` of the Gateway resource of an HTTPS server."""
    vhost: VirtualHostMatch | None = None
    """A virtual host, and a route in it."""
    name: str = ""
    """The route configuration's name: `inbound|<port>||`, `http.<port>` of a gateway, the service's port outbound."""


class ClusterMatch(Model):
    port_number: Uint32 = 0
    """The service's port; inbound the workload's. 0: any."""
    service: str = ""
    """The service's fully qualified name; not short."""
    subset: str = ""
    """The subset."""
    name: str = ""
    """The cluster's name, such as `outbound|9080|v1|reviews.default.svc.cluster.local`; the other fields are then not looked at."""


class Match(Model):
    unsupported: ClassVar[dict[str, str]] = {"waypoint": _WAYPOINT}

    context: Where = Where.ANY
    """Which side of a proxy: `SIDECAR_INBOUND`, `SIDECAR_OUTBOUND`, `GATEWAY`. Default `ANY`."""
    proxy: ProxyMatch | None = None
    """Which proxies, besides the workloadSelector."""
    listener: ListenerMatch | None = None
    """For LISTENER, LISTENER_FILTER, FILTER_CHAIN, NETWORK_FILTER, HTTP_FILTER."""
    route_configuration: RouteConfigurationMatch | None = None
    """For ROUTE_CONFIGURATION, VIRTUAL_HOST, HTTP_ROUTE."""
    cluster: ClusterMatch | None = None
    """For CLUSTER."""


class PatchBody(Model):
    operation: Operation | None = None
    """What is done with what matches. MERGE joins `value` to it as protobuf does: numbers and strings replace, lists are appended to."""
    value: dict[str, Any] | None = None
    """The Envoy v3 message, or the part of one that is merged. Checked when it is written: an unknown field is refused with its path."""
    filter_class: FilterClass = FilterClass.UNSPECIFIED
    """HTTP_FILTER with ADD: where it stands. `AUTHN` after the filters that authenticate, `AUTHZ` after those that authorize, `STATS` last
    before the router. Default: before the router."""


class ConfigPatch(Model):
    apply_to: ApplyTo | None = None
    """What is patched."""
    match: Match | None = None
    """Where. Default: everywhere."""
    patch: PatchBody | None = None
    """How."""


class EnvoyFilterSpec(Model):
    unsupported: ClassVar[dict[str, str]] = {"targetRefs": "they name resources of the Gateway API; use workloadSelector"}

    workload_selector: NetworkingSelector | None = None
    """The workloads and gateways whose proxies are patched. Default: all of the namespace; all of the mesh in the root namespace."""
    config_patches: list[ConfigPatch] = Field(default_factory=list)
    """Applied in this order."""
    priority: Annotated[Int32, Field()] = 0
    """Lower ones come first, then those of the root namespace, then the older ones. Negative: before all that say nothing. Default 0."""
