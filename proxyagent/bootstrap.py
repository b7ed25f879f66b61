"""Envoy's bootstrap: only what must stand before the first discovery response. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

Json = dict

HISTOGRAM_BOUNDS = (0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000)
"""telemetry.samples.ISTIO_BOUNDS."""

KEPT_STATS = ("istio.", "server.", "listener_manager.", "cluster_manager.", "cluster.xds.", "control_plane.")
"""Envoy makes hundreds of counters per cluster and listener. Traffic is counted by the stats access logger, under
`istio.`; the rest would cost memory per cluster and be read by nobody."""
KEPT_SUFFIXES = (
    ".downstream_cx_active",
    ".downstream_rq_active",
    ".outlier_detection.ejections_active",
    ".outlier_detection.ejections_enforced_total",
    ".upstream_rq_pending_overflow",
    ".upstream_cx_overflow",
    ".ssl.fail_verify_san",
    ".ssl.fail_verify_error",
    ".grpc.request_message_count",
    ".grpc.response_message_count",
)

NAMED = (
    # Not by Envoy's own patterns: our names hold dots (`outbound|80||reviews.default.svc.cluster.local`, `outbound_127.0.0.1_15001`).
    {"tag_name": "envoy.cluster_name", "regex": "^cluster\\.((xds|[^|]+\\|.*)\\.)(?:outlier_detection\\.|upstream_|ssl\\.|grpc\\.)"},
    {"tag_name": "envoy.listener_address"},
    {"tag_name": "envoy.http_conn_manager_prefix", "regex": "^http\\.((.+?)\\.)downstream_(?:cx|rq)_active$"},
)
"""What Envoy takes out of its metrics' names and tells as labels; or each cluster would be a metric of its own."""

ADS: Json = {"ads": {}, "resource_api_version": "V3"}
_HTTP = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_HTTP2: Json = {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {"@type": _HTTP, "explicit_http_config": {"http2_protocol_options": {}}}
}
_MONITORS = "type.googleapis.com/envoy.extensions.resource_monitors."
_CONNECTIONS = "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig"

HEAP_ACTIONS = {"shrink_heap": 0.9, "disable_http_keepalive": 0.92, "stop_accepting_requests": 0.95, "stop_accepting_connections": 0.98}
"""Share of the heap from which each is done."""
_CARES = "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig"

TRACES = "agent_traces"
LOGS = "agent_logs"
LOGS_UNDER_WAY = 4
"""Exports of access-log records that Envoy has under way, and that wait; what comes beyond them it drops."""
SPANS = {"tracing.opentelemetry.flush_interval_ms": 500, "tracing.opentelemetry.min_flush_spans": 100}
"""Envoy's own 5 s and 5 spans: a trace would be seen late, and a busy proxy make a request for every fifth span."""


@dataclass(frozen=True)
class Sockets:
    """Where the two meet, in a folder of mode 0700."""

    ads: str
    admin: str
    traces: str
    logs: str


def bootstrap(
    *,
    proxy_id: str,
    cluster: str,
    locality: str,
    metadata: Json,
    sockets: Sockets,
    max_connections: int = 50_000,
    max_heap: int = 0,
    resolvers: Sequence[tuple[str, int]] = (),
) -> Json:
    """`resolvers`: (address, port) of the DNS servers to ask; none: the host's."""
    region, _, rest = locality.partition("/")
    zone, _, sub_zone = rest.partition("/")
    return {
        "node": {
            "id": proxy_id,
            "cluster": cluster,
            "metadata": metadata,
            "locality": {"region": region, "zone": zone, "sub_zone": sub_zone},
        },
        "admin": {"address": {"pipe": {"path": sockets.admin, "mode": 0o600}}},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "DELTA_GRPC",
                "transport_api_version": "V3",
                "set_node_on_first_message_only": True,
                "grpc_services": [
                    {
                        "envoy_grpc": {
                            "cluster_name": "xds",
                            # The agent is on this host: an agent that restarts is met at once, not after Envoy's 30 s.
                            "retry_policy": {"retry_back_off": {"base_interval": "0.1s", "max_interval": "1s"}},
                        }
                    }
                ],
            },
            "lds_config": ADS,
            "cds_config": ADS,
        },
        "static_resources": {
            "clusters": [
                {
                    "name": "xds",
                    "type": "STATIC",
                    "connect_timeout": "1s",
                    "typed_extension_protocol_options": _HTTP2,
                    "load_assignment": _at("xds", sockets.ads),
                },
                {
                    # Where the tracer's spans go (meshconsole/core/envoy/tracing.py).
                    "name": TRACES,
                    "type": "STATIC",
                    "connect_timeout": "1s",
                    "load_assignment": _at(TRACES, sockets.traces),
                },
                {
                    # Where access-log records go (meshconsole/core/envoy/access_logs.py).
                    "name": LOGS,
                    "type": "STATIC",
                    "connect_timeout": "1s",
                    "typed_extension_protocol_options": _HTTP2,
                    "circuit_breakers": {"thresholds": [{"max_requests": LOGS_UNDER_WAY, "max_pending_requests": LOGS_UNDER_WAY}]},
                    "load_assignment": _at(LOGS, sockets.logs),
                },
            ]
        },
        "stats_flush_interval": "1s",  # histograms are merged at a flush: a scrape is then at most this old
        "stats_config": {
            "use_all_default_tags": False,
            "stats_tags": [dict(tag) for tag in NAMED],
            "stats_matcher": {
                "inclusion_list": {
                    "patterns": [{"prefix": p} for p in KEPT_STATS] + [{"suffix": s} for s in KEPT_SUFFIXES],
                }
            },
            "histogram_bucket_settings": [{"match": {"prefix": "istio."}, "buckets": list(HISTOGRAM_BOUNDS)}],
        },
        "overload_manager": _overload(max_connections, max_heap),
        "layered_runtime": {
            "layers": [
                {"name": "static", "static_layer": {"re2.max_program_size.error_level": 32768, **SPANS}},
                {"name": "admin", "admin_layer": {}},  # the share of requests that are sampled (relay/sampling.py)
            ],
        },
        **({"typed_dns_resolver_config": _dns(resolvers)} if resolvers else {}),
    }


def _dns(resolvers: Sequence[tuple[str, int]]) -> Json:
    asked = [{"socket_address": {"protocol": "UDP", "address": address, "port_value": port}} for address, port in resolvers]
    # Names are asked for as they are written: a search domain of the host would make another name of them.
    config = {"@type": _CARES, "resolvers": asked, "dns_resolver_options": {"no_default_search_domain": True}}
    return {"name": "envoy.network.dns_resolver.cares", "typed_config": config}


def _at(name: str, path: str) -> Json:
    """The endpoints of a cluster whose one endpoint is a Unix socket."""
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {"pipe": {"path": path}}}}]}]}


def _overload(max_connections: int, max_heap: int) -> Json:
    """
    Connections are bounded; and before memory runs out Envoy gives back what it holds, then closes idle connections, then refuses requests, and last
    connections (Envoy: "Overload manager"). Killed by the kernel it would take every connection with it.
    """
    manager: Json = {
        "resource_monitors": [
            {
                "name": "envoy.resource_monitors.global_downstream_max_connections",
                "typed_config": {"@type": _CONNECTIONS, "max_active_downstream_connections": str(max_connections)},
            }
        ]
    }
    if max_heap:
        heap = {"@type": _MONITORS + "fixed_heap.v3.FixedHeapConfig", "max_heap_size_bytes": str(max_heap)}
        manager["resource_monitors"].append({"name": "envoy.resource_monitors.fixed_heap", "typed_config": heap})
        manager["refresh_interval"] = "0.25s"
        manager["actions"] = [
            {
                "name": f"envoy.overload_actions.{action}",
                "triggers": [{"name": "envoy.resource_monitors.fixed_heap", "threshold": {"value": share}}],
            }
            for action, share in HEAP_ACTIONS.items()
        ]
    return manager
