"""What a VirtualService may say (istio.io/latest/docs/reference/config/networking/virtual-service). Counterpart: routes.py, what it means."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from meshconsole.core.resources.common import (
    Boolean,
    Count,
    Destination,
    Percent,
    PortNumber,
    PositiveDuration,
    Regex,
    StringMatch,
    Whole,
)
from meshconsole.core.resources.envelope import Model
from meshconsole.core.resources.retries import Retries

Status = Annotated[int, Field(strict=True, ge=200, le=599)]


class PresenceMatch(StringMatch):
    """One of exact, prefix, regex; empty: it is there, whatever it says."""

    regex: Annotated[str, Field(max_length=1024)] | None = None
    """RE2; the whole value must match. `*` alone means that it is there."""


class HttpMatch(Model):
    """All conditions of one match must hold."""

    name: str = ""
    """Joined to the route's name in logs: `<route>.<match>`."""
    stat_prefix: str = ""
    """Envoy counts requests of this match under `vhost.<virtual host>.route.<statPrefix>`."""
    uri: StringMatch | None = None
    """The path, without the query. `prefix: /foo` also matches `/foobar`."""
    scheme: StringMatch | None = None
    """`http` or `https`."""
    method: StringMatch | None = None
    """GET, POST, …"""
    authority: StringMatch | None = None
    """The Host header, with the port if the client sent one."""
    headers: dict[str, PresenceMatch] = Field(default_factory=dict)
    """Header name (lower case) -> condition; an empty condition asks for presence."""
    without_headers: dict[str, PresenceMatch] = Field(default_factory=dict)
    """The same, and the condition must not hold."""
    query_params: dict[str, PresenceMatch] = Field(default_factory=dict)
    """Query parameter -> condition; an empty condition asks for presence."""
    port: PortNumber | None = None
    """The port that was called."""
    source_labels: dict[str, str] = Field(default_factory=dict)
    """Labels that the calling workload must bear. Where this match names `gateways`, they are not looked at (as in Istio)."""
    source_namespace: str = ""
    """The calling workload's namespace. Not looked at where this match names `gateways`."""
    gateways: list[str] = Field(default_factory=list)
    """Overrides the VirtualService's own list for this match."""
    ignore_uri_case: Boolean = False
    """For uri exact and prefix."""


class HeaderOperations(Model):
    set: dict[str, str] = Field(default_factory=dict)
    """Overwrite. `Host` rewrites the authority."""
    add: dict[str, str] = Field(default_factory=dict)
    """Append to what is there."""
    remove: list[str] = Field(default_factory=list)
    """Take away. Names that begin with `:` and `Host` cannot be removed."""


class Headers(Model):
    request: HeaderOperations = Field(default_factory=HeaderOperations)
    """Before the request is forwarded."""
    response: HeaderOperations = Field(default_factory=HeaderOperations)
    """Before the response is given back."""


class RouteDestination(Model):
    destination: Destination
    """Where this share of the requests goes."""
    weight: Count = 0
    """Relative to the other destinations' weights. With one destination it means nothing; with several, 0 takes the destination out."""
    headers: Headers | None = None
    """Applied to this share only."""


class RegexRewrite(Model):
    match: Regex
    """RE2; what it matches of the path is replaced."""
    rewrite: str
    r"""The replacement; `\1` is the first group."""


class Rewrite(Model):
    uri: str = ""
    """Replaces the matched prefix, or the whole exact path."""
    authority: str = ""
    """Replaces the Host header; beats `headers` that set it. The former one is appended to `x-forwarded-host`."""
    uri_regex_rewrite: RegexRewrite | None = None
    """Replaces what a regular expression finds in the path; excludes uri."""


class RedirectPort(StrEnum):
    FROM_PROTOCOL_DEFAULT = "FROM_PROTOCOL_DEFAULT"
    FROM_REQUEST_PORT = "FROM_REQUEST_PORT"


class Redirect(Model):
    uri: str = ""
    """The whole new path; excludes prefixRewrite."""
    prefix_rewrite: str = ""
    """Replaces the matched prefix of the path."""
    authority: str = ""
    """The new host; default the request's."""
    scheme: str = ""
    """`http` or `https`; default the request's."""
    port: PortNumber | None = None
    """The new port; excludes derivePort. 80 with http and 443 with https are left out of the URL."""
    derive_port: RedirectPort | None = None
    """`FROM_PROTOCOL_DEFAULT` (default): none. `FROM_REQUEST_PORT`: the port that was called."""
    redirect_code: Whole = 301
    """301 (default), 302, 303, 307 or 308."""


class Body(Model):
    """One of string and bytes."""

    string: str | None = None
    """Text."""
    bytes: str | None = None
    """Base64."""


class DirectResponse(Model):
    status: Status
    """200 to 599."""
    body: Body | None = None
    """Default: none. 100 kB and more cost memory in every proxy; 1 MB is the limit."""


class Delegate(Model):
    name: str
    """A VirtualService without hosts and gateways, whose http rules stand in for this one's."""
    namespace: str = ""
    """Default: this VirtualService's."""


class Delay(Model):
    unsupported: ClassVar[dict[str, str]] = {"exponentialDelay": "Istio does not act on it either; use fixedDelay"}

    fixed_delay: PositiveDuration | None = None
    """How long, before the request is forwarded."""
    percentage: Percent | None = None
    """Of the requests. Unset: none is delayed, unless the old `percent` says otherwise."""
    percent: Annotated[int, Field(strict=True, ge=0, le=100)] = 0
    """Deprecated; use percentage."""


class Abort(Model):
    unsupported: ClassVar[dict[str, str]] = {"http2Error": "Istio does not act on it either; use httpStatus"}

    http_status: Status | None = None
    """200 to 599; excludes grpcStatus."""
    grpc_status: str = ""
    """A gRPC status by name (`UNAVAILABLE`) or number; excludes httpStatus."""
    percentage: Percent | None = None
    """Of the requests. Unset: none is aborted."""


class Fault(Model):
    delay: Delay | None = None
    """Requests wait before they are forwarded."""
    abort: Abort | None = None
    """Requests are answered with an error and not forwarded."""


class Mirror(Model):
    destination: Destination
    """Where the copies go."""
    percentage: Percent | None = None
    """Of the requests; default all, 0 none."""


class Preflights(StrEnum):
    UNSPECIFIED = "UNSPECIFIED"
    FORWARD = "FORWARD"
    IGNORE = "IGNORE"


class Cors(Model):
    allow_origins: list[StringMatch] = Field(default_factory=list)
    """Origins that are let in: `exact: https://example.com`, …"""
    allow_origin: list[str] = Field(default_factory=list)
    """Deprecated; use allowOrigins, which wins where both are given. `*` is any origin."""
    allow_methods: list[str] = Field(default_factory=list)
    """Sent as access-control-allow-methods."""
    allow_headers: list[str] = Field(default_factory=list)
    """Sent as access-control-allow-headers."""
    expose_headers: list[str] = Field(default_factory=list)
    """Sent as access-control-expose-headers."""
    max_age: PositiveDuration | None = None
    """How long a preflight's answer may be kept; whole seconds."""
    allow_credentials: Boolean | None = None
    """Whether the browser may send credentials. Default: not said."""
    unmatched_preflights: Preflights = Preflights.UNSPECIFIED
    """A preflight whose origin is not allowed: forwarded to the application (default), or answered here (`IGNORE`)."""


class HttpRoute(Model):
    """One rule: the first whose match holds serves the request."""

    name: str = ""
    """Seen in access logs and in `proxy-config`."""
    match: list[HttpMatch] = Field(default_factory=list)
    """Any of them is enough; none: every request."""
    route: list[RouteDestination] = Field(default_factory=list)
    """Where requests go; excludes redirect, directResponse and delegate."""
    redirect: Redirect | None = None
    """Answer with a redirect."""
    direct_response: DirectResponse | None = None
    """Answer at once, without asking a service."""
    delegate: Delegate | None = None
    """Another VirtualService goes on from here."""
    rewrite: Rewrite | None = None
    """Change path or authority before the request is forwarded."""
    timeout: PositiveDuration | None = None
    """For the whole request, retries included. Default: none."""
    retries: Retries | None = None
    """Default: two more tries when the connection failed or the request was refused before it was processed."""
    fault: Fault | None = None
    """Delays and errors on purpose."""
    mirror: Destination | None = None
    """A copy of each request goes here; its answer is thrown away."""
    mirror_percentage: Percent | None = None
    """Of the requests that `mirror` copies; default all, 0 none."""
    mirror_percent: Annotated[int, Field(strict=True, ge=0, le=100)] | None = None
    """Deprecated; use mirrorPercentage, which wins where both are given."""
    mirrors: list[Mirror] = Field(default_factory=list)
    """Several mirrors; excludes `mirror`."""
    cors_policy: Cors | None = None
    """Which other web origins may call."""
    headers: Headers | None = None
    """Header operations on requests and responses."""

    unsupported: ClassVar[dict[str, str]] = {"mirror_percent": "a former spelling; use mirrorPercentage"}


class ConnectionMatch(Model):
    """All conditions of one match must hold."""

    unsupported: ClassVar[dict[str, str]] = {"sourceSubnet": "Istio does not act on it either; use sourceLabels"}

    destination_subnets: list[str] = Field(default_factory=list)
    """Addresses or CIDR ranges, of which the address that the client dialled must be in one. Where traffic is not captured that is the
    proxy's outbound address, or the service's own."""
    port: PortNumber | None = None
    """The port that was called."""
    source_labels: dict[str, str] = Field(default_factory=dict)
    """Labels that the calling workload must bear. Not looked at by gateways."""
    source_namespace: str = ""
    """The calling workload's namespace. Not looked at by gateways."""
    gateways: list[str] = Field(default_factory=list)
    """Overrides the VirtualService's own list for this match."""


class TlsMatch(ConnectionMatch):
    sni_hosts: list[str] = Field(default_factory=list)
    """Server names (SNI) of which the client must ask for one, `*.example.com` among them; each within the VirtualService's hosts."""


class WeightedDestination(Model):
    destination: Destination
    """Where this share of the connections goes."""
    weight: Count = 0
    """Relative to the other destinations' weights. With one destination it means nothing; with several, 0 takes the destination out."""


class TlsRoute(Model):
    """One rule for TLS that is passed on as it is."""

    match: list[TlsMatch] = Field(default_factory=list)
    """Any of them is enough; there must be one."""
    route: list[WeightedDestination] = Field(default_factory=list)
    """Where connections go."""


class TcpRoute(Model):
    """One rule for connections: the first whose match holds serves."""

    match: list[ConnectionMatch] = Field(default_factory=list)
    """Any of them is enough; none: every connection."""
    route: list[WeightedDestination] = Field(default_factory=list)
    """Where connections go."""


class VirtualServiceSpec(Model):
    hosts: list[str] = Field(default_factory=list)
    """What callers call: services, or names under a gateway; wildcards like `*.example.com`. Empty only for a delegate."""
    gateways: list[str] = Field(default_factory=list)
    """`<namespace>/<name>` of Gateways, and `mesh` for the sidecars. Default: `mesh` alone."""
    http: list[HttpRoute] = Field(default_factory=list)
    """Rules in order: the first that matches serves. For ports that speak HTTP."""
    tls: list[TlsRoute] = Field(default_factory=list)
    """Rules by server name, for TLS that is not ended here: ports of protocol TLS and HTTPS, and a Gateway's servers in mode PASSTHROUGH."""
    tcp: list[TcpRoute] = Field(default_factory=list)
    """Rules for all other ports, in order: the first that matches serves; and for TLS that a Gateway's server of protocol TLS ends."""
    export_to: list[str] = Field(default_factory=list)
    """Namespaces whose proxies see it: `.` its own, `*` all (default)."""
