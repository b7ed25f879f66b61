"""What a client may see of the mesh, and what it is given before it asks. `Sidecar` makes it smaller."""

from dataclasses import dataclass, field

from meshconsole.core.envoy.reporting import Side

from . import hosts as host_names
from .model import Labels, Protocol

Hosts = tuple[tuple[str, str], ...]
"""(namespace or `*`, host pattern) of each visible service, with `.` resolved already."""


@dataclass(frozen=True)
class Ingress:
    """A port that the proxy has in front of its application instead of those that its workload declares."""

    number: int
    name: str = ""
    protocol: Protocol = Protocol.UNKNOWN
    bind: str = ""
    """'': the workload's own address."""
    app_address: str = ""
    """An address, `0.0.0.0` or `::` for the workload's own, or a Unix path; '': where the workload says."""
    app_port: int = 0
    tls: str = ""
    """What TLS of callers outside the mesh is ended with (a DownstreamTlsContext), as JSON; '': with nothing."""
    pool: str = ""
    """Limits, as JSON; '': none of its own."""


@dataclass(frozen=True)
class Egress:
    """A listener for some services, beside the one that is for all."""

    bind: str
    """'': the workload's outbound address. A Unix path otherwise, or an address."""
    name: str
    """Of its route configuration: the port, or what tells it from another one there."""
    port: int
    """0 at a Unix path: every port of the services."""
    protocol: Protocol
    hosts: Hosts | None
    """As Scope.hosts."""


@dataclass(frozen=True)
class EgressProxy:
    """Where requests to hosts go that nobody declared."""

    namespace: str
    """Of the rule that says so."""
    host: str
    port: int = 0
    subset: str = ""


@dataclass(frozen=True)
class Scope:
    """
    Begins as everything, on demand. The compiler offers it to `Policy.narrow` of every policy of the client's namespace and of the root
    namespace, oldest first. A policy that does not hold for the client (by `labels`) returns it untouched; so does one whose
    `rank` is not greater than the scope's. Else it returns `dataclasses.replace(scope, rank=..., hosts=..., eager=..., allow_any=...)`.
    Ranks: 3 selects the workload in its own namespace, 2 the own namespace's default, 1 the root namespace's default; so the most
    specific wins, and among equals the oldest.
    """

    namespace: str
    """The client's."""
    root_namespace: str
    labels: Labels = field(default_factory=dict)
    """The client's; read with `.get`, so that the compiler sees which labels mattered."""
    gateway: bool = False
    """The client is a gateway proxy."""
    hosts: Hosts | None = None
    """Of the outbound port; None is everything, () nothing."""
    eager: bool = False
    """Visible services are delivered before a request asks for them. (`*/*` in a mesh of 1,000 services is then delivered in whole.)"""
    allow_any: bool = True
    """outboundTrafficPolicy ALLOW_ANY: a host that nobody knows is reached through DNS; else it is 502."""
    egress_proxy: EgressProxy | None = None
    """Instead of DNS."""
    listeners: tuple[Egress, ...] = ()
    ingress: tuple[Ingress, ...] | None = None
    """None: the ports that the workload declares."""
    inbound_pool: str = ""
    """Limits of inbound ports that have none of their own, as Ingress.pool."""
    rank: int = 0
    told: Side | None = None
    """What the client's proxy tells of its calls, where Telemetry policies say something of that."""
    origin: str = ""
    """`Sidecar ns/name` that narrowed it."""

    def sees(self, namespace: str, host: str) -> bool:
        """Is a service of `namespace` named `host` among the visible ones?"""
        if self.hosts is None:
            return True
        return any(ns in ("*", namespace) and host_names.matches(pattern, host) for ns, pattern in self.hosts)
