"""Listeners, their filter chains and HTTP connection managers. Counterpart: routes.py, to which they refer."""

from collections.abc import Mapping, Sequence

from . import tls
from .draft import HttpFilter, Json, NetworkFilter
from .filling import Once
from .vocabulary import ENVOY, HCM, NAMES, TCP_PROXY, ads, socket_address, typed

HTTP = ENVOY + "extensions.filters.http."


_ROUTER = Once({"@type": HTTP + "router.v3.Router"})


def router() -> Json:
    return {"name": "envoy.filters.http.router", "typed_config": _ROUTER}


def on_demand() -> Json:
    """Waits for a virtual host (VHDS) or a cluster (ODCDS, the net under clusters that still warm) that is not there yet."""
    config = {"@type": HTTP + "on_demand.v3.OnDemand", "odcds": {"source": ads(), "timeout": "5s"}}
    return {"name": "envoy.filters.http.on_demand", "typed_config": config}


def not_on_demand() -> Json:
    """Of a route: its requests wait for no cluster."""
    return {"@type": HTTP + "on_demand.v3.PerRouteConfig"}


def fault() -> Json:
    return {"name": "envoy.filters.http.fault", "typed_config": {"@type": HTTP + "fault.v3.HTTPFault"}}


def cors() -> Json:
    return {"name": "envoy.filters.http.cors", "typed_config": {"@type": HTTP + "cors.v3.Cors"}}


def grpc_web(*, off: bool = False) -> Json:
    """gRPC-Web to gRPC; `off`: only for routes that say so."""
    found: Json = {"name": "envoy.filters.http.grpc_web", "typed_config": {"@type": HTTP + "grpc_web.v3.GrpcWeb"}}
    return {**found, "disabled": True} if off else found


def spoken() -> Json:
    """Says nothing by itself: a route does (`speaks`). Not `disabled`: Envoy decides which filters a request passes before a host that comes on
    demand is there, and the first request to each would pass without."""
    return {"name": SPOKEN, "typed_config": {"@type": HTTP + "set_filter_state.v3.Config"}}


def speaks() -> Json:
    """Of a route: which protocol the caller speaks, offered as ALPN to a server that takes any: its listener then knows without reading
    (Istio's own words, so that an application's TLS is not taken for the mesh's)."""
    words = {http: f"istio-{http},{tls.ALPN},{http}" for http in ("h2", "http/1.1")}
    text = f"%CEL(request.protocol == 'HTTP/2' ? '{words['h2']}' : '{words['http/1.1']}')%"
    value = {
        "object_key": "envoy.network.application_protocols",
        "format_string": {"text_format_source": {"inline_string": text}},
    }
    return {"@type": HTTP + "set_filter_state.v3.Config", "on_request_headers": [value]}


SPOKEN = "meshconsole.spoken"
"""A name of its own, for routes configure filters by their names."""
SPOKEN_HTTP = ("istio-http/1.1", "istio-h2")
"""What is offered that way, and by nobody else."""


def enabled() -> Json:
    """Of a route: a filter that is off otherwise acts."""
    return {"@type": ENVOY + "config.route.v3.FilterConfig", "config": {}}


def forward_by_name(port: int) -> Json:
    """Before a TCP proxy to a cluster that connects to the server name that TLS asks for, at that port."""
    name, package = "envoy.filters.network.sni_dynamic_forward_proxy", "extensions.filters.network.sni_dynamic_forward_proxy.v3"
    return typed(name, f"{package}.FilterConfig", dns_cache_config=NAMES, port_value=port)


def local_rate_limit() -> Json:
    """Limits nothing by itself: a route says how much."""
    config = {"@type": HTTP + "local_ratelimit.v3.LocalRateLimit", "stat_prefix": "rate_limit"}
    return {"name": "envoy.filters.http.local_ratelimit", "typed_config": config}


def grpc_stats() -> Json:
    """
    Counts messages per cluster, whatever the method; the agent tells them as Istio's. Per stream they are in the filter state, as one text
    (`3,5`), of which the stats access logger can make no number.
    """
    config = {"@type": HTTP + "grpc_stats.v3.FilterConfig", "stats_for_all_methods": False}
    return {"name": "envoy.filters.http.grpc_stats", "typed_config": config}


def ordered(filters: Mapping[HttpFilter, Sequence[Json]]) -> list[Json]:
    """HTTP filters by the order of the enum, the router last."""
    return [each for place in sorted(filters) for each in filters[place]] + ([] if HttpFilter.ROUTER in filters else [router()])


def http_manager(
    stat_prefix: str,
    *,
    filters: Sequence[Json],
    access_log: Sequence[Json],
    route_config: Json | None = None,
    rds: str = "",
    **options: object,
) -> Json:
    """
    Istio's connection manager (buildHTTPConnectionManager): paths are normalised (BASE), the server's own `server` header is
    kept, streams have no idle timeout of their own.
    """
    config: Json = {
        "@type": HCM,
        "stat_prefix": stat_prefix,
        "codec_type": "AUTO",
        "http_filters": list(filters),
        "access_log": list(access_log),
        "normalize_path": True,
        "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
        "server_header_transformation": "PASS_THROUGH",
        "stream_idle_timeout": "0s",
        "use_remote_address": False,
        # WebSockets are HTTP/1.1's upgrade: Istio lets them through everywhere.
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        **options,
    }
    if route_config is not None:
        config["route_config"] = route_config
    else:
        config["rds"] = {"route_config_name": rds, "config_source": {**ads(), "initial_fetch_timeout": "0s"}}
    # Once: the chains for mutual TLS and for plaintext have the same one.
    return {"name": "envoy.filters.network.http_connection_manager", "typed_config": Once(config)}


def tcp_proxy(stat_prefix: str, clusters: str | Sequence[tuple[str, int]], access_log: Sequence[Json], **options: object) -> Json:
    """`clusters`: the one, or (name, weight) of several."""
    config: Json = {"@type": TCP_PROXY, "stat_prefix": stat_prefix}
    if isinstance(clusters, str):
        config["cluster"] = clusters
    else:
        config["weighted_clusters"] = {"clusters": [{"name": name, "weight": weight} for name, weight in clusters]}
    config |= {**({"access_log": list(access_log)} if access_log else {}), **options}
    return {"name": "envoy.filters.network.tcp_proxy", "typed_config": Once(config)}


def logging(proxy: Json, access_log: Sequence[Json]) -> Json:
    """A TCP proxy with access loggers of its own."""
    return {**proxy, "typed_config": Once({**proxy["typed_config"], "access_log": list(access_log)})}


def chain(
    name: str,
    network: Mapping[NetworkFilter, Sequence[Json]],
    terminal: Json,
    *,
    match: Json | None = None,
    tls_context: Json | None = None,
) -> Json:
    body: Json = {"name": name, "filters": [each for place in sorted(network) for each in network[place]] + [terminal]}
    if match:
        body["filter_chain_match"] = match
    if tls_context is not None:
        body["transport_socket"] = tls.transport_socket(tls_context)
        body["transport_socket_connect_timeout"] = "15s"
    return body


def tls_inspector() -> Json:
    return typed("envoy.filters.listener.tls_inspector", "extensions.filters.listener.tls_inspector.v3.TlsInspector")


def http_inspector() -> Json:
    return typed("envoy.filters.listener.http_inspector", "extensions.filters.listener.http_inspector.v3.HttpInspector")


def listener(
    name: str,
    address: str,
    port: int,
    chains: Sequence[Json],
    *,
    direction: str,
    inspectors: Sequence[Json] = (),
    patience: str = "0s",
    extra: Json | None = None,
) -> Json:
    """`patience`: how long the inspectors wait for what tells the protocol; `0s` for ever."""
    body: Json = {
        "name": name,
        "address": socket_address(address, port),
        "filter_chains": list(chains),
        "traffic_direction": direction,
        # Without reuse_port one worker's queue takes a whole burst; Envoy's default on Linux is on: said for determinism.
        "enable_reuse_port": True,
        **(extra or {}),
    }
    if "pipe" in body["address"]:
        del body["enable_reuse_port"]  # a Unix socket has no port
    if inspectors:
        body["listener_filters"] = list(inspectors)
        # An inspector that hears nothing must not close the connection: server-first protocols wait for the server.
        body["listener_filters_timeout"] = patience
        body["continue_on_listener_filters_timeout"] = True
    return body
