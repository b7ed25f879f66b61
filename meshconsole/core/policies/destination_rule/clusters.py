"""
What a traffic policy means to an Envoy cluster (Istio: pilot/pkg/networking/core/cluster_traffic_policy.go). Writes into a ClusterDraft.

The counterpart is schema.py; balancing.py and tls.py write their parts.
"""

from collections.abc import Sequence

from meshconsole.core.envoy.draft import ClusterDraft, Json
from meshconsole.core.mesh.model import Port
from meshconsole.core.resources.common import proto_duration, seconds

from . import balancing, tls
from .schema import H2Upgrade, HttpPool, OutlierDetection, RetryBudget, TcpKeepalive, TcpPool, TrafficPolicy


def write(policy: TrafficPolicy, draft: ClusterDraft, *, credentials: bool = False) -> None:
    """`credentials`: may the client have the Secret that `tls.credentialName` names?"""
    if policy.load_balancer:
        balancing.write(policy.load_balancer, draft)
    if policy.connection_pool:
        _connections(policy.connection_pool.tcp or TcpPool(), policy.connection_pool.http or HttpPool(), draft)
    if policy.outlier_detection:
        _outliers(policy.outlier_detection, draft)
    if policy.retry_budget:
        _budget(policy.retry_budget, draft)
    if policy.tls:
        tls.write(policy.tls, draft, credentials=credentials)
    if policy.proxy_protocol:
        draft.proxy_protocol = policy.proxy_protocol.version.value


def _thresholds(draft: ClusterDraft) -> Json:
    return draft.body["circuit_breakers"]["thresholds"][0]


def _connections(tcp: TcpPool, http: HttpPool, draft: ClusterDraft) -> None:
    limits = {
        "max_connections": tcp.max_connections,
        "max_pending_requests": http.http1_max_pending_requests,
        "max_requests": http.http2_max_requests,
        "max_retries": http.max_retries,
    }
    # 0 cannot be told from unset in Istio's API: it is the default, 2^32-1.
    _thresholds(draft).update({name: limit for name, limit in limits.items() if limit})
    if tcp.connect_timeout:
        draft.body["connect_timeout"] = proto_duration(tcp.connect_timeout)
    if tcp.tcp_keepalive:
        draft.body["upstream_connection_options"] = {"tcp_keepalive": _keepalive(tcp.tcp_keepalive)}
    common: Json = {}
    idle = http.idle_timeout or tcp.idle_timeout
    if idle is not None:
        common["idle_timeout"] = proto_duration(idle)
    if tcp.max_connection_duration:
        common["max_connection_duration"] = proto_duration(tcp.max_connection_duration)
    if http.max_requests_per_connection:
        common["max_requests_per_connection"] = http.max_requests_per_connection
    for name, limit in (("idle_timeout", tcp.idle_timeout), ("max_downstream_connection_duration", tcp.max_connection_duration)):
        if limit is not None:
            draft.tcp_proxy[name] = proto_duration(limit)
    if common:
        draft.http_options["common_http_protocol_options"] = common
    _protocol(http, draft)


def _protocol(http: HttpPool, draft: ClusterDraft) -> None:
    assert isinstance(draft.port, Port)
    http2: Json = {}
    if http.max_concurrent_streams:
        http2["max_concurrent_streams"] = http.max_concurrent_streams
    if http.http2_keep_alive:
        alive = {"interval": http.http2_keep_alive.interval, "timeout": http.http2_keep_alive.timeout}
        http2["connection_keepalive"] = {name: proto_duration(value) for name, value in alive.items() if value}
    if http.use_client_protocol:
        draft.http_options["use_downstream_protocol_config"] = {"http_protocol_options": {}, "http2_protocol_options": http2}
    elif http.h2_upgrade_policy is H2Upgrade.UPGRADE or (http2 and draft.port.protocol.is_http2):
        draft.http_options["explicit_http_config"] = {"http2_protocol_options": http2}


def _keepalive(said: TcpKeepalive) -> Json:
    made: Json = {"keepalive_probes": said.probes} if said.probes else {}
    for name, duration in (("keepalive_time", said.time), ("keepalive_interval", said.interval)):
        if duration:
            made[name] = max(1, int(seconds(duration)))  # Envoy takes whole seconds
    return made


def _outliers(said: OutlierDetection, draft: ClusterDraft) -> None:
    made: Json = {"enforcing_success_rate": 0}
    for name, failures in (("consecutive_5xx", said.consecutive5xx_errors), ("consecutive_gateway_failure", said.gateway_errors)):
        if failures is not None:
            made[name] = failures
            made[f"enforcing_{name}"] = 100 if failures else 0
    for name, duration in (("interval", said.interval), ("base_ejection_time", said.base_ejection_time)):
        if duration:
            made[name] = proto_duration(duration)
    if said.max_ejection_percent:
        made["max_ejection_percent"] = said.max_ejection_percent
    if said.split_external_local_origin_errors:
        made["split_external_local_origin_errors"] = True
        made["enforcing_local_origin_success_rate"] = 0
        if said.consecutive_local_origin_failures:
            made["consecutive_local_origin_failure"] = said.consecutive_local_origin_failures
            made["enforcing_consecutive_local_origin_failure"] = 100
    if said.outlier_detection_http_error_codes:
        draft.http_options["outlier_detection"] = {"error_matcher": _errors(said.outlier_detection_http_error_codes)}
    draft.body["outlier_detection"] = made
    balancing_options = draft.body.get("common_lb_config", {})
    draft.body["common_lb_config"] = {**balancing_options, "healthy_panic_threshold": {"value": said.min_health_percent}}


def _errors(codes: Sequence[int]) -> Json:
    """What Envoy counts as an error instead of any 5xx."""
    named = [str(code) for code in sorted(set(codes))]
    status: Json = {"exact": named[0]} if len(named) == 1 else {"safe_regex": {"regex": "|".join(named)}}
    return {"http_response_headers_match": {"headers": [{"name": ":status", "string_match": status}]}}


def _budget(said: RetryBudget, draft: ClusterDraft) -> None:
    """Instead of a fixed number of retries."""
    limits = _thresholds(draft)
    limits.pop("max_retries", None)
    limits["retry_budget"] = {"budget_percent": {"value": said.percent}, "min_retry_concurrency": said.min_retry_concurrency}
