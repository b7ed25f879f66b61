"""What a DestinationRule may say (istio.io/latest/docs/reference/config/networking/destination-rule). Counterpart: clusters.py."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from meshconsole.core.resources.common import Duration, Int32, PortSelector, PositiveDuration, Uint32
from meshconsole.core.resources.envelope import Model
from meshconsole.core.resources.common import WorkloadSelector


class Simple(StrEnum):
    UNSPECIFIED = "UNSPECIFIED"
    LEAST_CONN = "LEAST_CONN"
    RANDOM = "RANDOM"
    PASSTHROUGH = "PASSTHROUGH"
    ROUND_ROBIN = "ROUND_ROBIN"
    LEAST_REQUEST = "LEAST_REQUEST"


class CookieAttribute(Model):
    name: str
    value: str = ""


class Cookie(Model):
    name: str
    path: str = ""
    ttl: Duration | None = None
    """Given: a client without the cookie gets one of this life (0s: for the session). Not given: only clients that have it stick."""
    attributes: list[CookieAttribute] = Field(default_factory=list)


class RingHash(Model):
    minimum_ring_size: Annotated[int, Field(ge=0, le=8388608)] = 0
    """Default (and 0): 1024."""


class Maglev(Model):
    table_size: Annotated[int, Field(ge=0, le=5000011)] = 0
    """A prime; default (and 0): 65537."""


class ConsistentHash(Model):
    """Requests that are alike go to the same instance. One key of four; the ring unless maglev is given."""

    http_header_name: str = ""
    http_cookie: Cookie | None = None
    use_source_ip: bool = False
    http_query_parameter_name: str = ""
    ring_hash: RingHash | None = None
    maglev: Maglev | None = None
    minimum_ring_size: Annotated[int, Field(ge=0, le=8388608)] = 0
    """Deprecated; use ringHash.minimumRingSize."""


class Warmup(Model):
    """A new instance gets its full share only after a while (ROUND_ROBIN and LEAST_REQUEST)."""

    duration: PositiveDuration
    minimum_percent: Annotated[float, Field(ge=0, le=100)] = 10
    aggression: Annotated[float, Field(ge=1)] = 1.0
    """1: linear; more: slower at first."""


class LoadBalancer(Model):
    unsupported: ClassVar[dict[str, str]] = {
        "localityLbSetting": "locality comes with the traffic issue",
        "zoneAwareLbSetting": "locality comes with the traffic issue",
    }

    simple: Simple | None = None
    """`LEAST_REQUEST` (default), `ROUND_ROBIN`, `RANDOM`."""
    consistent_hash: ConsistentHash | None = None
    warmup_duration_secs: PositiveDuration | None = None
    """Deprecated; use warmup."""
    warmup: Warmup | None = None


class Keepalive(Model):
    probes: Uint32 = 0
    """Unanswered probes before the connection is given up; 0: the system's default."""
    time: Duration | None = None
    """Idle time before the first probe."""
    interval: Duration | None = None


class TcpPool(Model):
    unsupported: ClassVar[dict[str, str]] = {"idleTimeout": "TCP routes come with the traffic issue; http.idleTimeout is here"}

    max_connections: Int32 = 0
    """To one service; 0 (default): 2^32-1."""
    connect_timeout: PositiveDuration | None = None
    """Default 10s."""
    tcp_keepalive: Keepalive | None = None
    max_connection_duration: PositiveDuration | None = None


class H2Upgrade(StrEnum):
    DEFAULT = "DEFAULT"
    DO_NOT_UPGRADE = "DO_NOT_UPGRADE"
    UPGRADE = "UPGRADE"


class HttpPool(Model):
    unsupported: ClassVar[dict[str, str]] = {"http2KeepAlive": "comes with the traffic issue; use tcp.tcpKeepalive"}

    http1_max_pending_requests: Annotated[Int32, Field(alias="http1MaxPendingRequests")] = 0
    """Requests that wait for a connection; 0 (default): 2^32-1."""
    http2_max_requests: Annotated[Int32, Field(alias="http2MaxRequests")] = 0
    """Requests under way at once (HTTP/1.1 too); 0 (default): 2^32-1."""
    max_requests_per_connection: Int32 = 0
    """0 (default): no limit; 1: no keep-alive."""
    max_retries: Int32 = 0
    """Retries under way at once; 0 (default): 2^32-1."""
    idle_timeout: Duration | None = None
    """Of a connection without requests; default 1h."""
    h2_upgrade_policy: Annotated[H2Upgrade, Field(alias="h2UpgradePolicy")] = H2Upgrade.DEFAULT
    use_client_protocol: bool = False
    """HTTP/1.1 or HTTP/2 as the client came."""
    max_concurrent_streams: Annotated[int, Field(ge=0, le=2147483647)] = 0
    """Per HTTP/2 connection; 0 (default): 2147483647."""


class ConnectionPool(Model):
    tcp: TcpPool | None = None
    http: HttpPool | None = None


class OutlierDetection(Model):
    """Instances that fail are taken out for a while."""

    unsupported: ClassVar[dict[str, str]] = {"outlierDetectionHttpErrorCodes": "comes with the traffic issue"}

    consecutive_errors: Annotated[int, Field(ge=0)] = 0
    """Deprecated; use consecutiveGatewayErrors or consecutive5xxErrors."""
    split_external_local_origin_errors: bool = False
    """Count errors of the proxy's own side (connect failures, timeouts) apart."""
    consecutive_local_origin_failures: Uint32 | None = None
    """Default 5. Needs splitExternalLocalOriginErrors."""
    consecutive_gateway_errors: Uint32 | None = None
    """502, 503, 504 in a row; 0 and unset: off."""
    consecutive5xx_errors: Annotated[Uint32 | None, Field(alias="consecutive5xxErrors")] = None
    """Any 5xx in a row; default 5, 0: off."""
    interval: PositiveDuration | None = None
    """Between sweeps; default 10s."""
    base_ejection_time: PositiveDuration | None = None
    """Times how often the instance was ejected; default 30s."""
    max_ejection_percent: Annotated[int, Field(ge=0, le=100)] = 0
    """At most this part of the instances (but always one); 0 and default: 10."""
    min_health_percent: Annotated[int, Field(ge=0, le=100)] = 0
    """Below this part of healthy instances all are used again; default 0: never."""


class TlsMode(StrEnum):
    DISABLE = "DISABLE"
    SIMPLE = "SIMPLE"
    MUTUAL = "MUTUAL"
    ISTIO_MUTUAL = "ISTIO_MUTUAL"


class ClientTls(Model):
    unsupported: ClassVar[dict[str, str]] = {
        "credentialName": "use files on the host: clientCertificate, privateKey, caCertificates",
        "caCrl": "comes with the security issue",
    }

    mode: TlsMode = TlsMode.DISABLE
    """`ISTIO_MUTUAL`: the mesh's own certificates. Unset tls altogether: automatic mTLS between workloads of the mesh."""
    client_certificate: str = ""
    """MUTUAL: a PEM file on the proxy's host."""
    private_key: str = ""
    """MUTUAL: a PEM file on the proxy's host."""
    ca_certificates: str = ""
    """A PEM file on the proxy's host. Without it a server's certificate is not verified (IST0128)."""
    subject_alt_names: list[str] = Field(default_factory=list)
    """Names of which the server must prove one."""
    sni: str = ""
    insecure_skip_verify: bool = False


class PortPolicy(Model):
    """Stands for the port alone: what is not said here is at its default, not inherited."""

    port: PortSelector
    load_balancer: LoadBalancer | None = None
    connection_pool: ConnectionPool | None = None
    outlier_detection: OutlierDetection | None = None
    tls: ClientTls | None = None


class RetryBudget(Model):
    percent: Annotated[float, Field(ge=0, le=100)] = 20
    """Retries may be this part of the requests under way."""
    min_retry_concurrency: Uint32 = 3


class TrafficPolicy(Model):
    unsupported: ClassVar[dict[str, str]] = {
        "tunnel": "comes with the traffic issue",
        "proxyProtocol": "comes with the traffic issue",
    }

    load_balancer: LoadBalancer | None = None
    connection_pool: ConnectionPool | None = None
    outlier_detection: OutlierDetection | None = None
    """Without this block no instance is ever ejected."""
    tls: ClientTls | None = None
    port_level_settings: list[PortPolicy] = Field(default_factory=list)
    retry_budget: RetryBudget | None = None


class Subset(Model):
    name: str
    """What a route's destination calls it."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Instances that bear them all."""
    traffic_policy: TrafficPolicy | None = None
    """Replaces, field by field, the policy above. It acts only when a route names the subset."""


class DestinationRuleSpec(Model):
    host: str
    """A service (a short name is of this namespace), a ServiceEntry's host, or a wildcard like `*.example.com`."""
    traffic_policy: TrafficPolicy | None = None
    subsets: list[Subset] = Field(default_factory=list)
    export_to: list[str] = Field(default_factory=list)
    """Namespaces whose proxies see it: `.` its own, `*` all (default), `~` none."""
    workload_selector: WorkloadSelector | None = None
    """Callers in this namespace for which the rule holds; default all."""
