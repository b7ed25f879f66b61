"""
What a traffic policy means to an Envoy cluster (Istio: pilot/pkg/networking/core/cluster_traffic_policy.go). Writes into a ClusterDraft.

The counterpart is schema.py; balancing.py and tls.py write their parts.
"""

from collections.abc import Sequence

from meshconsole.core.envoy.draft import ClusterDraft, Json
from meshconsole.core.mesh.model import Port
from meshconsole.core.resources.common import proto_duration
from meshconsole.core.resources.connection_pool import ConnectionPool

from .._connections import connections
from . import balancing, tls
from .schema import OutlierDetection, RetryBudget, TrafficPolicy


def write(policy: TrafficPolicy, draft: ClusterDraft, *, credentials: bool = False) -> None:
    """`credentials`: may the client have the Secret that `tls.credentialName` names?"""
    if policy.load_balancer:
        balancing.write(policy.load_balancer, draft)
    if policy.connection_pool:
        _connections(policy.connection_pool, draft)
    if policy.outlier_detection:
        _outliers(policy.outlier_detection, draft)
    if policy.retry_budget:
        _budget(policy.retry_budget, draft)
    if policy.tls:
        tls.write(policy.tls, draft, credentials=credentials)
    if policy.tunnel:
        host = policy.tunnel.target_host
        target = f"[{host}]:{policy.tunnel.target_port}" if ":" in host and "[" not in host else f"{host}:{policy.tunnel.target_port}"
        draft.tcp_proxy["tunneling_config"] = {"hostname": target}
    if policy.proxy_protocol:
        draft.proxy_protocol = policy.proxy_protocol.version.value


def _thresholds(draft: ClusterDraft) -> Json:
    return draft.body["circuit_breakers"]["thresholds"][0]


def _connections(pool: ConnectionPool, draft: ClusterDraft) -> None:
    assert isinstance(draft.port, Port)
    means = connections(pool, http2=draft.port.protocol.is_http2)
    _thresholds(draft).update(means.thresholds)
    draft.body.update(means.body)
    draft.http_options.update(means.http_options)
    draft.tcp_proxy.update(means.tcp_proxy)


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
    budget: Json = {"budget_percent": {"value": said.percent}, "min_retry_concurrency": said.min_retry_concurrency}
    if said.budget_interval:
        budget["budget_interval"] = proto_duration(said.budget_interval)
    limits["retry_budget"] = budget
