"""What a Sidecar may say (istio.io/latest/docs/reference/config/networking/sidecar)."""

from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from meshconsole.core.resources.common import Destination, NetworkingSelector, Whole
from meshconsole.core.resources.connection_pool import ConnectionPool
from meshconsole.core.resources.envelope import Model
from meshconsole.core.resources.server_tls import ServerTls


class OutboundMode(StrEnum):
    REGISTRY_ONLY = "REGISTRY_ONLY"
    ALLOW_ANY = "ALLOW_ANY"


class CaptureMode(StrEnum):
    DEFAULT = "DEFAULT"
    IPTABLES = "IPTABLES"
    NONE = "NONE"


class OutboundTrafficPolicy(Model):
    mode: OutboundMode = OutboundMode.REGISTRY_ONLY
    """`REGISTRY_ONLY`: requests to hosts that nobody declared are answered 502. `ALLOW_ANY`: they are passed on, the host's name resolved
    by DNS. Beware: `outboundTrafficPolicy: {}` means `REGISTRY_ONLY`, as in Istio; leave the whole field out for the mesh's default."""
    egress_proxy: Destination | None = None
    """Where requests to undeclared hosts go instead, with mode ALLOW_ANY: a service that `egress` shows, such as an egress gateway's."""


class ListenerPort(Model):
    unsupported: ClassVar[dict[str, str]] = {"targetPort": "Kubernetes' service ports; the proxy listens to `number`"}

    number: Whole = 0
    """The port that the proxy listens to; 0 only with a Unix socket."""
    protocol: str = ""
    """`HTTP`, `HTTP2`, `GRPC`, `GRPC-WEB`, `HTTPS`, `TLS`, `TCP`, `MONGO`, `MYSQL`, `REDIS`. Not said: the name's `<protocol>-` decides, else
    the first bytes."""
    name: str = ""
    """`<protocol>[-<suffix>]`, or any."""


class IngressListener(Model):
    port: ListenerPort
    """Where callers connect to."""
    bind: str = ""
    """The address to listen at. Default: the workload's own."""
    capture_mode: CaptureMode = CaptureMode.DEFAULT
    """`DEFAULT` and `NONE` are the same here: callers name the port. `IPTABLES` is refused: nothing is captured."""
    default_endpoint: str = ""
    """The application: `127.0.0.1:<port>`, `[::1]:<port>`, `0.0.0.0:<port>` and `[::]:<port>` (the workload's address), or `unix:///<path>`. Default: where
    the workload's agent says that the port's application is; for a port that it does not declare, the same port at 127.0.0.1."""
    tls: ServerTls | None = None
    """For callers outside the mesh, at a port of protocol HTTPS (then HTTP comes out of it) or TLS (connections): the proxy ends their TLS. Modes
    SIMPLE, MUTUAL and OPTIONAL_MUTUAL, with files on the workload's host. The mesh's own mutual TLS is taken besides unless a
    PeerAuthentication says DISABLE, and nothing else where it says STRICT."""
    connection_pool: ConnectionPool | None = None
    """Limits in front of the application, instead of inboundConnectionPool."""


class EgressListener(Model):
    port: ListenerPort | None = None
    """A listener of its own for these hosts. Without it: what the outbound port serves; one egress listener may be without."""
    bind: str = ""
    """The address to listen at, or `unix:///<path>`. Default: the workload's outbound address. Only with a port."""
    capture_mode: CaptureMode = CaptureMode.DEFAULT
    """`DEFAULT` and `NONE` are the same here: the application connects to the listener. `IPTABLES` is refused: nothing is captured."""
    hosts: list[str]
    """Services that are visible, each as `<namespace>/<host>`: a namespace, `.` (the workload's own), `*` (any) or `~` (none), and a host
    name in full or with a wildcard in front: `./*`, `*/*.example.com`, `payments/api.payments.svc.cluster.local`, `~/*` for nothing at all."""


class SidecarSpec(Model):
    workload_selector: NetworkingSelector | None = None
    """The workloads that this is for. Without it: all of the namespace, or of the whole mesh when in the root namespace; a more specific
    Sidecar wins, and among equals the oldest."""
    ingress: list[IngressListener] = Field(default_factory=list)
    """Where the proxy listens in front of the application. Given: there and nowhere else. Default: at the ports that the workload's agent declares."""
    egress: list[EgressListener] = Field(default_factory=list)
    """What the workload may reach. Services named here are delivered to its proxy before the first request. Empty (default): everything,
    on demand."""
    inbound_connection_pool: ConnectionPool | None = None
    """Limits in front of the application, at every port that says none of its own."""
    outbound_traffic_policy: OutboundTrafficPolicy | None = None
    """What becomes of requests to undeclared hosts. Default: the mesh's policy."""
