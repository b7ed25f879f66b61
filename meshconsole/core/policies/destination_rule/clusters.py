"""
What a traffic policy means to an Envoy cluster (Istio: pilot/pkg/networking/core/cluster_traffic_policy.go). Writes into a ClusterDraft.

The counterpart is schema.py.
"""

from decimal import Decimal

from meshconsole.core.envoy.draft import ClusterDraft, Json
from meshconsole.core.resources.common import proto_duration, seconds

from .schema import ClientTls, ConnectionPool, ConsistentHash, H2Upgrade, LoadBalancer, OutlierDetection, Simple, TlsMode, TrafficPolicy

UPSTREAM_TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
_LB = {Simple.ROUND_ROBIN: "ROUND_ROBIN", Simple.RANDOM: "RANDOM"}


def effective(above: TrafficPolicy | None, subset: TrafficPolicy | None, port: int) -> TrafficPolicy:
    """
    Istio's MergeTrafficPolicy: port settings replace their level's policy whole; a subset's fields replace the fields above, and then its
    port settings replace all four of theirs.
    """
    merged = at_port(above, port) if above else TrafficPolicy()
    if subset is None:
        return merged
    said = {n: getattr(subset, n) for n in ("load_balancer", "connection_pool", "outlier_detection", "tls", "retry_budget")}
    merged = merged.model_copy(update={name: value for name, value in said.items() if value is not None})
    own = next((p for p in subset.port_level_settings if p.port.number == port), None)
    return merged if own is None else merged.model_copy(update=_four(own))


def at_port(policy: TrafficPolicy, port: int) -> TrafficPolicy:
    own = next((p for p in policy.port_level_settings if p.port.number == port), None)
    return policy if own is None else policy.model_copy(update=_four(own))


def _four(policy: object) -> dict[str, object]:
    return {name: getattr(policy, name) for name in ("load_balancer", "connection_pool", "outlier_detection", "tls")}


def write(policy: TrafficPolicy, draft: ClusterDraft) -> None:
    if policy.load_balancer:
        _load_balancer(policy.load_balancer, draft)
    if policy.connection_pool:
        _connection_pool(policy.connection_pool, draft)
    if policy.outlier_detection:
        _outliers(policy.outlier_detection, draft)
    if policy.retry_budget:
        limits = draft.body["circuit_breakers"]["thresholds"][0]
        limits.pop("max_retries", None)
        limits["retry_budget"] = {
            "budget_percent": {"value": policy.retry_budget.percent},
            "min_retry_concurrency": policy.retry_budget.min_retry_concurrency,
        }
    if policy.tls:
        _tls(policy.tls, draft)


def _load_balancer(given: LoadBalancer, draft: ClusterDraft) -> None:
    body = draft.body
    if given.consistent_hash:
        _hash(given.consistent_hash, draft)
        return
    body["lb_policy"] = _LB.get(given.simple or Simple.UNSPECIFIED, "LEAST_REQUEST")
    duration = given.warmup.duration if given.warmup else given.warmup_duration_secs
    if duration and body["lb_policy"] != "RANDOM":
        start: Json = {"slow_start_window": proto_duration(duration)}
        if given.warmup:
            start["min_weight_percent"] = {"value": given.warmup.minimum_percent}
            start["aggression"] = {"default_value": given.warmup.aggression, "runtime_key": "meshconsole.warmup.aggression"}
        body[f"{body['lb_policy'].lower()}_lb_config"] = {"slow_start_config": start}


def _hash(given: ConsistentHash, draft: ClusterDraft) -> None:
    if given.maglev:
        draft.body["lb_policy"] = "MAGLEV"
        if given.maglev.table_size:
            draft.body["maglev_lb_config"] = {"table_size": given.maglev.table_size}
    else:
        size = (given.ring_hash.minimum_ring_size if given.ring_hash else given.minimum_ring_size) or 1024
        draft.body["lb_policy"] = "RING_HASH"
        draft.body["ring_hash_lb_config"] = {"minimum_ring_size": size}
    if given.http_header_name:
        draft.hash_policy.append({"header": {"header_name": given.http_header_name}})
    elif given.http_cookie:
        cookie: Json = {"name": given.http_cookie.name}
        if given.http_cookie.ttl is not None:
            cookie["ttl"] = proto_duration(given.http_cookie.ttl)
        if given.http_cookie.path:
            cookie["path"] = given.http_cookie.path
        if given.http_cookie.attributes:
            cookie["attributes"] = [{"name": a.name, "value": a.value} for a in given.http_cookie.attributes]
        draft.hash_policy.append({"cookie": cookie})
    elif given.use_source_ip:
        draft.hash_policy.append({"connection_properties": {"source_ip": True}})
    elif given.http_query_parameter_name:
        draft.hash_policy.append({"query_parameter": {"name": given.http_query_parameter_name}})


def _connection_pool(pool: ConnectionPool, draft: ClusterDraft) -> None:
    limits = draft.body["circuit_breakers"]["thresholds"][0]
    common: Json = {}
    if tcp := pool.tcp:
        if tcp.max_connections > 0:
            limits["max_connections"] = tcp.max_connections
        if tcp.connect_timeout:
            draft.body["connect_timeout"] = proto_duration(tcp.connect_timeout)
        if tcp.max_connection_duration:
            common["max_connection_duration"] = proto_duration(tcp.max_connection_duration)
        if tcp.tcp_keepalive:
            alive: Json = {}
            if tcp.tcp_keepalive.probes:
                alive["keepalive_probes"] = tcp.tcp_keepalive.probes
            if tcp.tcp_keepalive.time:
                alive["keepalive_time"] = _whole(tcp.tcp_keepalive.time)
            if tcp.tcp_keepalive.interval:
                alive["keepalive_interval"] = _whole(tcp.tcp_keepalive.interval)
            draft.body["upstream_connection_options"] = {"tcp_keepalive": alive}
    if http := pool.http:
        for name, value in (
            ("max_pending_requests", http.http1_max_pending_requests),
            ("max_requests", http.http2_max_requests),
            ("max_retries", http.max_retries),
        ):
            if value > 0:
                limits[name] = value
        if http.max_requests_per_connection > 0:
            common["max_requests_per_connection"] = http.max_requests_per_connection
        if http.idle_timeout is not None:
            common["idle_timeout"] = proto_duration(http.idle_timeout)
        http2: Json = {"max_concurrent_streams": http.max_concurrent_streams} if http.max_concurrent_streams else {}
        speaks_http2 = getattr(draft.port, "protocol").is_http2  # noqa: B009  `port` is an object to core.envoy
        if http.use_client_protocol:
            draft.http_options["use_downstream_protocol_config"] = {"http_protocol_options": {}, "http2_protocol_options": http2}
        elif http.h2_upgrade_policy is H2Upgrade.UPGRADE or (http2 and speaks_http2):
            draft.http_options["explicit_http_config"] = {"http2_protocol_options": http2}
    if common:
        draft.http_options["common_http_protocol_options"] = common


def _whole(duration: str) -> int:
    """Envoy takes whole seconds here; what is shorter than one is one."""
    return max(1, int(seconds(duration).to_integral_value()))


def _outliers(given: OutlierDetection, draft: ClusterDraft) -> None:
    made: Json = {"enforcing_success_rate": 0}
    if given.consecutive5xx_errors is not None:
        made["consecutive_5xx"] = given.consecutive5xx_errors
        made["enforcing_consecutive_5xx"] = 100 if given.consecutive5xx_errors else 0
    gateway = given.consecutive_gateway_errors if given.consecutive_gateway_errors is not None else given.consecutive_errors or None
    if gateway is not None:
        made["consecutive_gateway_failure"] = gateway
        made["enforcing_consecutive_gateway_failure"] = 100 if gateway else 0
    if given.interval:
        made["interval"] = proto_duration(given.interval)
    if given.base_ejection_time:
        made["base_ejection_time"] = proto_duration(given.base_ejection_time)
        if seconds(given.base_ejection_time) > Decimal(300):
            made["max_ejection_time"] = made["base_ejection_time"]  # Envoy's default is 300 s, and it must not be less than the base
    if given.max_ejection_percent:
        made["max_ejection_percent"] = given.max_ejection_percent
    if given.split_external_local_origin_errors:
        made["split_external_local_origin_errors"] = True
        made["enforcing_local_origin_success_rate"] = 0
        if given.consecutive_local_origin_failures:
            made["consecutive_local_origin_failure"] = given.consecutive_local_origin_failures
            made["enforcing_consecutive_local_origin_failure"] = 100
    draft.body["outlier_detection"] = made
    draft.body["common_lb_config"] = {
        **draft.body.get("common_lb_config", {}),
        "healthy_panic_threshold": {"value": given.min_health_percent},
    }


def _tls(given: ClientTls, draft: ClusterDraft) -> None:
    draft.auto_mtls = False
    if given.sni:
        draft.sni = given.sni
    if given.mode is TlsMode.DISABLE:
        return
    if given.mode is TlsMode.ISTIO_MUTUAL:
        draft.mtls_forced = True
        return
    common: Json = {}
    if given.mode is TlsMode.MUTUAL:
        common["tls_certificates"] = [
            {"certificate_chain": {"filename": given.client_certificate}, "private_key": {"filename": given.private_key}}
        ]
    validation: Json = {}
    if given.ca_certificates and not given.insecure_skip_verify:
        validation["trusted_ca"] = {"filename": given.ca_certificates}
    if given.subject_alt_names and validation:
        validation["match_typed_subject_alt_names"] = [
            {"san_type": kind, "matcher": {"exact": name}}
            for name in given.subject_alt_names
            for kind in (("URI",) if "://" in name else ("DNS", "URI"))
        ]
    if validation:
        common["validation_context"] = validation
    if getattr(draft.port, "protocol").is_http2:  # noqa: B009
        common["alpn_protocols"] = ["h2"]
    draft.tls = {"@type": UPSTREAM_TLS, "common_tls_context": common}
    if given.sni:
        draft.tls["sni"] = given.sni
    else:
        # The name that the client called (Istio: ENABLE_AUTO_SNI).
        draft.http_options["upstream_http_protocol_options"] = {"auto_sni": True}
