"""What a DestinationRule may say (istio.io/latest/docs/reference/config/networking/destination-rule). Counterpart: clusters.py."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from meshconsole.core.resources.common import (
    Boolean,
    Count,
    Duration,
    Number,
    PortNumber,
    PortSelector,
    PositiveDuration,
    Uint32,
    WorkloadSelector,
)
from meshconsole.core.resources.connection_pool import ConnectionPool
from meshconsole.core.resources.envelope import Model
from meshconsole.core.resources.locality import LocalityLbSetting, ZoneAwareLbSetting

Percentage = Annotated[Number, Field(ge=0, le=100)]
WholePercentage = Annotated[int, Field(strict=True, ge=0, le=100)]
ErrorCode = Annotated[int, Field(strict=True, ge=100, le=599)]
RingSize = Annotated[int, Field(strict=True, ge=0, le=8388608)]


class Simple(StrEnum):
    UNSPECIFIED = "UNSPECIFIED"
    LEAST_CONN = "LEAST_CONN"
    RANDOM = "RANDOM"
    PASSTHROUGH = "PASSTHROUGH"
    ROUND_ROBIN = "ROUND_ROBIN"
    LEAST_REQUEST = "LEAST_REQUEST"


class CookieAttribute(Model):
    name: str
    """`SameSite`, `Secure`, …"""
    value: str = ""
    """Default: none."""


class Cookie(Model):
    name: str
    """Of the cookie that is hashed."""
    path: str = ""
    """Of a cookie that is made."""
    ttl: Duration | None = None
    """Given: a client without the cookie gets one of this life (0s: for the session). Not given: only clients that have it stick."""
    attributes: list[CookieAttribute] = Field(default_factory=list)
    """Of a cookie that is made."""


class RingHash(Model):
    minimum_ring_size: RingSize = 0
    """Default (and 0): 1024."""


class Maglev(Model):
    table_size: Annotated[int, Field(strict=True, ge=0, le=5000011)] = 0
    """A prime; default (and 0): 65537."""


class ConsistentHash(Model):
    """Requests that are alike go to the same instance. One key of four; the ring unless maglev is given."""

    http_header_name: str = ""
    """Hash this request header."""
    http_cookie: Cookie | None = None
    """Hash this cookie."""
    use_source_ip: Boolean = False
    """Hash the client's address."""
    http_query_parameter_name: str = ""
    """Hash this query parameter."""
    ring_hash: RingHash | None = None
    """The ring's size."""
    maglev: Maglev | None = None
    """Maglev instead of a ring: faster to build, moves a little more when instances come and go."""
    minimum_ring_size: RingSize = 0
    """Deprecated; use ringHash.minimumRingSize."""


class Warmup(Model):
    """A new instance gets its full share only after a while (ROUND_ROBIN and LEAST_REQUEST)."""

    duration: PositiveDuration
    """How long an instance is new."""
    minimum_percent: Percentage = 10
    """Of the full share, at the beginning. Default 10."""
    aggression: Annotated[Number, Field(ge=1)] = 1.0
    """1 (default): linear; more: faster at first."""


class LoadBalancer(Model):
    simple: Simple | None = None
    """`LEAST_REQUEST` (default), `ROUND_ROBIN`, `RANDOM`. `PASSTHROUGH`: forward to where the caller was going; its request says a name
    and no address, so the name is resolved by DNS."""
    consistent_hash: ConsistentHash | None = None
    """Excludes simple."""
    warmup_duration_secs: PositiveDuration | None = None
    """Deprecated; use warmup."""
    warmup: Warmup | None = None
    """For new instances. Default: their full share at once."""
    locality_lb_setting: LocalityLbSetting | None = None
    """Where requests go, by place. Default: with outlierDetection the nearest instances first (sub-zone, zone, region, elsewhere); else,
    and for clients of which nobody said where they are, wherever. What the MeshConfig says holds where this is left out."""
    zone_aware_lb_setting: ZoneAwareLbSetting | None = None
    """Keep requests in the client's zone as far as instances there can take them. The console computes the zones' shares from the instances
    of both sides. Excludes localityLbSetting."""


class OutlierDetection(Model):
    """Instances that fail are taken out for a while."""

    consecutive_errors: Count = 0
    """Deprecated; use consecutiveGatewayErrors, which it means, or consecutive5xxErrors."""
    split_external_local_origin_errors: Boolean = False
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
    max_ejection_percent: WholePercentage = 0
    """At most this part of the instances: of three, 10 % is none. 0 (default): 10."""
    min_health_percent: WholePercentage = 0
    """Below this part of healthy instances all are used again; default 0: never."""

    outlier_detection_http_error_codes: list[ErrorCode] = Field(default_factory=list)
    """The statuses that count as errors, 100 to 599; a 5xx that is not among them counts as success. Default: every 5xx."""

    @property
    def gateway_errors(self) -> int | None:
        return self.consecutive_errors or None if self.consecutive_gateway_errors is None else self.consecutive_gateway_errors


class TlsMode(StrEnum):
    DISABLE = "DISABLE"
    SIMPLE = "SIMPLE"
    MUTUAL = "MUTUAL"
    ISTIO_MUTUAL = "ISTIO_MUTUAL"


class ClientTls(Model):
    mode: TlsMode = TlsMode.DISABLE
    """`DISABLE` (default): plaintext. `SIMPLE`: TLS. `MUTUAL`: TLS with a client certificate of yours. `ISTIO_MUTUAL`: the mesh's own
    certificates. Without any `tls`: automatic mTLS between workloads of the mesh."""
    client_certificate: str = ""
    """MUTUAL: a PEM file on the proxy's host."""
    private_key: str = ""
    """MUTUAL: a PEM file on the proxy's host."""
    ca_certificates: str = ""
    """A PEM file on the proxy's host. Without it a server's certificate is not verified (IST0128)."""
    ca_crl: str = ""
    """A PEM file on the proxy's host: certificates that were revoked."""
    credential_name: str = ""
    """Instead of files: the Secret, in the proxy's namespace, that holds the certificate and key (MUTUAL) and the CA certificates (`ca.crt`, or
    in a Secret `<name>-cacert`). Gateways read it; a sidecar only from a rule with a workloadSelector."""
    subject_alt_names: list[str] = Field(default_factory=list)
    """Names of which the server must prove one. Default: the ServiceEntry's, else the name that was called."""
    sni: str = ""
    """The name that the server is asked for. Default: the one that was called."""
    insecure_skip_verify: Boolean = False
    """Take any certificate."""


class PortPolicy(Model):
    """Stands for the port alone: what is not said here is at its default, not inherited."""

    port: PortSelector
    """Of the service."""
    load_balancer: LoadBalancer | None = None
    """Which instance gets the next request."""
    connection_pool: ConnectionPool | None = None
    """Limits of connections and requests."""
    outlier_detection: OutlierDetection | None = None
    """Without this block no instance is ever ejected."""
    tls: ClientTls | None = None
    """TLS to the service."""


class RetryBudget(Model):
    percent: Percentage = 20
    """Retries may be this part of the requests under way, or of those of the interval. Default 20."""
    budget_interval: PositiveDuration | None = None
    """Count the requests of this long, too. Default: only those that are under way."""
    min_retry_concurrency: Uint32 = 3
    """That many retries may always be under way. Default 3."""


class ProxyVersion(StrEnum):
    V1 = "V1"
    V2 = "V2"


class ProxyProtocol(Model):
    version: ProxyVersion = ProxyVersion.V1
    """`V1` (text, default) or `V2` (binary)."""


class TunnelProtocol(StrEnum):
    CONNECT = "CONNECT"
    POST = "POST"


class Tunnel(Model):
    """Connections (TCP and TLS, not HTTP requests) reach their target through the service, which is an HTTP proxy."""

    protocol: TunnelProtocol = TunnelProtocol.CONNECT
    """The method that opens the tunnel: `CONNECT` (default). `POST` is refused: Envoy crashes when the server is the first to end it."""
    target_host: str
    """What the proxy is asked to connect to."""
    target_port: PortNumber
    """Its port."""


class TrafficPolicy(Model):
    load_balancer: LoadBalancer | None = None
    """Which instance gets the next request. Default: LEAST_REQUEST."""
    connection_pool: ConnectionPool | None = None
    """Limits of connections and requests. Default: none but a connect timeout of 10s."""
    outlier_detection: OutlierDetection | None = None
    """Without this block no instance is ever ejected."""
    tls: ClientTls | None = None
    """TLS to the service. Default: automatic mTLS between workloads of the mesh, else plaintext."""
    port_level_settings: list[PortPolicy] = Field(default_factory=list)
    """What holds for single ports instead."""
    retry_budget: RetryBudget | None = None
    """How many retries there may be, relative to requests. Replaces connectionPool.http.maxRetries."""
    tunnel: Tunnel | None = None
    """The service is an HTTP proxy by which connections reach another host."""
    proxy_protocol: ProxyProtocol | None = None
    """Connections begin with a PROXY header that names the client; the service must expect it. Default: none."""


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
    """What holds for the host, whatever subset."""
    subsets: list[Subset] = Field(default_factory=list)
    """Parts of the host's instances that routes can name."""
    export_to: list[str] = Field(default_factory=list)
    """Namespaces whose proxies see it: `.` its own, `*` all (default)."""
    workload_selector: WorkloadSelector | None = None
    """Callers in this namespace for which the rule holds; default all."""
