"""What a connection pool means to an Envoy cluster, a caller's or one in front of an application (Istio: applyConnectionPool)."""

from dataclasses import dataclass, field

from meshconsole.core.envoy.draft import Json
from meshconsole.core.resources.common import proto_duration, seconds
from meshconsole.core.resources.connection_pool import ConnectionPool, H2Upgrade, HttpPool, TcpKeepalive, TcpPool


@dataclass(frozen=True)
class Connections:
    thresholds: Json = field(default_factory=dict)
    """Fields of the circuit breakers' one threshold."""
    body: Json = field(default_factory=dict)
    """Fields of the Cluster."""
    http_options: Json = field(default_factory=dict)
    """Fields of its HttpProtocolOptions."""
    tcp_proxy: Json = field(default_factory=dict)
    """Fields of the TcpProxy in front of it."""


def connections(pool: ConnectionPool, *, http2: bool) -> Connections:
    """`http2`: is that what the port says of itself?"""
    tcp, http = pool.tcp or TcpPool(), pool.http or HttpPool()
    limits = {
        "max_connections": tcp.max_connections,
        "max_pending_requests": http.http1_max_pending_requests,
        "max_requests": http.http2_max_requests,
        "max_retries": http.max_retries,
    }
    body: Json = {}
    if tcp.connect_timeout:
        body["connect_timeout"] = proto_duration(tcp.connect_timeout)
    if tcp.tcp_keepalive:
        body["upstream_connection_options"] = {"tcp_keepalive": keepalive(tcp.tcp_keepalive)}
    proxy = {"idle_timeout": tcp.idle_timeout, "max_downstream_connection_duration": tcp.max_connection_duration}
    return Connections(
        # 0 cannot be told from unset in Istio's API: it is the default, 2^32-1.
        {name: limit for name, limit in limits.items() if limit},
        body,
        _http(tcp, http, http2),
        {name: proto_duration(limit) for name, limit in proxy.items() if limit is not None},
    )


def _http(tcp: TcpPool, http: HttpPool, port_is_http2: bool) -> Json:
    options: Json = {}
    common: Json = {}
    idle = http.idle_timeout or tcp.idle_timeout
    if idle is not None:
        common["idle_timeout"] = proto_duration(idle)
    if tcp.max_connection_duration:
        common["max_connection_duration"] = proto_duration(tcp.max_connection_duration)
    if http.max_requests_per_connection:
        common["max_requests_per_connection"] = http.max_requests_per_connection
    if common:
        options["common_http_protocol_options"] = common
    http2: Json = {}
    if http.max_concurrent_streams:
        http2["max_concurrent_streams"] = http.max_concurrent_streams
    if http.http2_keep_alive:
        alive = {"interval": http.http2_keep_alive.interval, "timeout": http.http2_keep_alive.timeout}
        http2["connection_keepalive"] = {name: proto_duration(value) for name, value in alive.items() if value}
    if http.use_client_protocol:
        options["use_downstream_protocol_config"] = {"http_protocol_options": {}, "http2_protocol_options": http2}
    elif http.h2_upgrade_policy is H2Upgrade.UPGRADE or (http2 and port_is_http2):
        options["explicit_http_config"] = {"http2_protocol_options": http2}
    return options


def keepalive(said: TcpKeepalive) -> Json:
    """envoy.config.core.v3.TcpKeepalive"""
    made: Json = {"keepalive_probes": said.probes} if said.probes else {}
    for name, duration in (("keepalive_time", said.time), ("keepalive_interval", said.interval)):
        if duration:
            made[name] = max(1, int(seconds(duration)))  # Envoy takes whole seconds
    return made
