"""What a VirtualService may say (istio.io/latest/docs/reference/config/networking/virtual-service). Counterpart: routes.py, what it means."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from meshconsole.core.resources.common import (
    Destination,
    Duration,
    Int32,
    Percent,
    PortNumber,
    PositiveDuration,
    Regex,
    StringMatch,
    Uint32,
)
from meshconsole.core.resources.envelope import Model

ANYTHING = "*"


class HeaderMatch(StringMatch):
    """One of exact, prefix, regex; empty: the header is there, whatever it says."""

    regex: Annotated[str, Field(max_length=1024)] | None = None
    """RE2; the whole value must match. `*` alone means that the header is there."""


class HttpMatch(Model):
    """All conditions of one match must hold."""

    unsupported: ClassVar[dict[str, str]] = {"statPrefix": "routes have no statistics of their own"}

    name: str = ""
    """Joined to the route's name in logs."""
    uri: StringMatch | None = None
    """The path, without the query. `prefix: /foo` also matches `/foobar`."""
    scheme: StringMatch | None = None
    """`http` or `https`."""
    method: StringMatch | None = None
    """GET, POST, …"""
    authority: StringMatch | None = None
    """The Host header, with the port if the client sent one."""
    headers: dict[str, HeaderMatch] = Field(default_factory=dict)
    """Header name (lower case) -> condition; an empty condition asks for presence."""
    without_headers: dict[str, HeaderMatch] = Field(default_factory=dict)
    """The same, and the condition must not hold."""
    query_params: dict[str, StringMatch] = Field(default_factory=dict)
    """Query parameter -> condition."""
    port: PortNumber | None = None
    """The port that was called."""
    source_labels: dict[str, str] = Field(default_factory=dict)
    """Labels that the calling workload must bear. Not for gateways."""
    source_namespace: str = ""
    """The calling workload's namespace."""
    gateways: list[str] = Field(default_factory=list)
    """Overrides the VirtualService's own list for this match."""
    ignore_uri_case: bool = False
    """For uri exact and prefix."""


class HeaderOperations(Model):
    set: dict[str, str] = Field(default_factory=dict)
    """Overwrite. `Host` rewrites the authority."""
    add: dict[str, str] = Field(default_factory=dict)
    """Append."""
    remove: list[str] = Field(default_factory=list)


class Headers(Model):
    request: HeaderOperations = Field(default_factory=HeaderOperations)
    response: HeaderOperations = Field(default_factory=HeaderOperations)


class RouteDestination(Model):
    destination: Destination
    """Where this share of the requests goes."""
    weight: Int32 = 0
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
    """Replaces the Host header."""
    uri_regex_rewrite: RegexRewrite | None = None


class RedirectPort(StrEnum):
    FROM_PROTOCOL_DEFAULT = "FROM_PROTOCOL_DEFAULT"
    FROM_REQUEST_PORT = "FROM_REQUEST_PORT"


class Redirect(Model):
    uri: str = ""
    """The whole new path; excludes uriPrefix. `%PREFIX()%` with a prefix match replaces the prefix only."""
    authority: str = ""
    """The new host; default the request's."""
    scheme: str = ""
    """`http` or `https`; default the request's."""
    port: PortNumber | None = None
    """The new port; excludes derivePort."""
    derive_port: RedirectPort | None = None
    redirect_code: Uint32 = 301
    """301 (default), 302, 303, 307 or 308."""


class Body(Model):
    string: str | None = None
    bytes: str | None = None
    """Base64."""


class DirectResponse(Model):
    status: Annotated[int, Field(ge=200, le=599)]
    body: Body | None = None
    """100 kB and more cost memory in every proxy; 1 MB is the limit."""


class Delegate(Model):
    name: str
    """A VirtualService without hosts and gateways, whose http rules stand in for this one's."""
    namespace: str = ""
    """Default: this VirtualService's."""


class Retries(Model):
    attempts: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    """How many tries after the first; 0 turns retries off."""
    per_try_timeout: Duration | None = None
    """Default: the route's timeout."""
    retry_on: str = ""
    """Envoy's conditions, comma-separated; integers are status codes. Default:
    `connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes`."""
    retry_remote_localities: bool | None = None
    retry_ignore_previous_hosts: bool | None = None
    """Never again at a host that was tried. Default true."""
    backoff: PositiveDuration | None = None
    """The base of the exponential back-off. Default 25 ms."""


class Delay(Model):
    unsupported: ClassVar[dict[str, str]] = {"exponentialDelay": "Istio does not act on it either; use fixedDelay"}

    fixed_delay: PositiveDuration
    """At least 1 ms."""
    percentage: Percent | None = None
    """Of the requests. Unset: none, unless the old `percent` says otherwise."""
    percent: Annotated[int, Field(ge=0, le=100)] = 0
    """Deprecated; use percentage."""


class Abort(Model):
    unsupported: ClassVar[dict[str, str]] = {"http2Error": "Istio does not act on it either; use httpStatus"}

    http_status: Annotated[int, Field(ge=200, le=599)] | None = None
    grpc_status: str = ""
    """A gRPC status by name (`UNAVAILABLE`) or number; excludes httpStatus."""
    percentage: Percent | None = None
    """Of the requests. Unset: none is aborted."""


class Fault(Model):
    delay: Delay | None = None
    abort: Abort | None = None


class Mirror(Model):
    destination: Destination
    percentage: Percent | None = None
    """Of the requests; default all."""


class Preflights(StrEnum):
    UNSPECIFIED = "UNSPECIFIED"
    FORWARD = "FORWARD"
    IGNORE = "IGNORE"


class Cors(Model):
    unsupported: ClassVar[dict[str, str]] = {"allowOrigin": "deprecated in Istio; use allowOrigins"}

    allow_origins: list[StringMatch] = Field(default_factory=list)
    allow_methods: list[str] = Field(default_factory=list)
    allow_headers: list[str] = Field(default_factory=list)
    expose_headers: list[str] = Field(default_factory=list)
    max_age: Duration | None = None
    """How long a preflight's answer may be kept; whole seconds."""
    allow_credentials: bool | None = None
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
    direct_response: DirectResponse | None = None
    delegate: Delegate | None = None
    rewrite: Rewrite | None = None
    timeout: Duration | None = None
    """For the whole request, retries included. Default and 0s: none."""
    retries: Retries | None = None
    """Default: two more tries when the connection failed or the request was refused before it was processed."""
    fault: Fault | None = None
    mirror: Destination | None = None
    """A copy of each request goes here; its answer is thrown away."""
    mirror_percentage: Percent | None = None
    """Of the requests that `mirror` copies; default all."""
    mirrors: list[Mirror] = Field(default_factory=list)
    """Several mirrors; excludes `mirror`."""
    cors_policy: Cors | None = None
    headers: Headers | None = None

    unsupported: ClassVar[dict[str, str]] = {"mirrorPercent": "deprecated in Istio; use mirrorPercentage"}


class VirtualServiceSpec(Model):
    unsupported: ClassVar[dict[str, str]] = {
        "tcp": "TCP routes come with the traffic issue; http is here",
        "tls": "SNI routes come with the traffic issue; http is here",
    }

    hosts: list[str] = Field(default_factory=list)
    """What callers call: services, or names under a gateway; wildcards like `*.example.com`. Empty only for a delegate."""
    gateways: list[str] = Field(default_factory=list)
    """`<namespace>/<name>` of Gateways, and `mesh` for the sidecars. Default: `mesh` alone."""
    http: list[HttpRoute] = Field(default_factory=list)
    """Rules in order: the first that matches serves."""
    export_to: list[str] = Field(default_factory=list)
    """Namespaces whose proxies see it: `.` its own, `*` all (default), `~` none."""
