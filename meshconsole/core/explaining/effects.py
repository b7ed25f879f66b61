"""What a route and a cluster do to a request besides taking it, in words. Pure reading of v3 messages as dicts."""

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]
_FAULT = "envoy.filters.http.fault"
_NO_LIMIT = 2**32 - 1


def clusters(route: Json) -> list[tuple[str, int]]:
    """(cluster, percent)"""
    action = route.get("route", {})
    if "weighted_clusters" in action:
        shares = [(c["name"], int(c.get("weight", 0))) for c in action["weighted_clusters"].get("clusters", ())]
        whole = sum(weight for _, weight in shares) or 1
        return [(name, round(100 * weight / whole)) for name, weight in shares]
    return [(action["cluster"], 100)] if "cluster" in action else []


def of_route(route: Json) -> Iterator[str]:
    action = route.get("route", {})
    if redirect := route.get("redirect"):
        yield f"redirected with {redirect.get('response_code', 'MOVED_PERMANENTLY')} to {_target(redirect)}"
    if direct := route.get("direct_response"):
        yield f"answered {direct.get('status')} by the proxy itself"
    if (timeout := action.get("timeout")) and float(timeout.rstrip("s")) > 0:
        yield f"timeout {timeout}"
    if retry := action.get("retry_policy"):
        per_try = f", each try {retry['per_try_timeout']}" if "per_try_timeout" in retry else ""
        yield f"{retry.get('num_retries', 1)} retries on {retry.get('retry_on', '')}{per_try}"
    yield from _fault(route.get("typed_per_filter_config", {}).get(_FAULT, {}))
    for mirror in action.get("request_mirror_policies", ()):
        share = mirror.get("runtime_fraction", {}).get("default_value")
        yield f"{_percent(share) if share else '100 %'} copied to {mirror.get('cluster')}"
    if "prefix_rewrite" in action:
        yield f"path rewritten to {action['prefix_rewrite']}"
    if "regex_rewrite" in action:
        yield f"path rewritten by {action['regex_rewrite'].get('pattern', {}).get('regex', '')}"
    if "host_rewrite_literal" in action:
        yield f"host rewritten to {action['host_rewrite_literal']}"
    for key, word in (("request_headers_to_add", "request header"), ("response_headers_to_add", "response header")):
        for each in route.get(key, ()):
            yield f"{word} {each['header']['key']} set"
    for key, word in (("request_headers_to_remove", "request header"), ("response_headers_to_remove", "response header")):
        for name in route.get(key, ()):
            yield f"{word} {name} removed"
    if "envoy.filters.http.cors" in route.get("typed_per_filter_config", {}):
        yield "CORS policy"
    if "envoy.filters.http.local_ratelimit" in route.get("typed_per_filter_config", {}):
        yield "rate limit"


def of_cluster(cluster: Json) -> Iterator[str]:
    policy = cluster.get("lb_policy", "ROUND_ROBIN")
    if policy != "LEAST_REQUEST":  # Istio's default
        yield f"load balancing {policy}"
    for limits in cluster.get("circuit_breakers", {}).get("thresholds", ())[:1]:
        for key, word in (
            ("max_connections", "connections"),
            ("max_pending_requests", "waiting requests"),
            ("max_requests", "requests at once"),
        ):
            if int(limits.get(key, _NO_LIMIT)) < _NO_LIMIT:
                yield f"at most {limits[key]} {word}"
    if outliers := cluster.get("outlier_detection"):
        limit = outliers.get("consecutive_5xx") or outliers.get("consecutive_gateway_failure")
        yield f"an instance is taken out after {limit} errors in a row" if limit else "outlier detection"


def _fault(fault: Json) -> Iterator[str]:
    if delay := fault.get("delay"):
        yield f"{_percent(delay.get('percentage'))} delayed by {delay.get('fixed_delay')}"
    if abort := fault.get("abort"):
        status = abort.get("http_status") or f"gRPC status {abort.get('grpc_status')}"
        yield f"{_percent(abort.get('percentage'))} aborted with {status}"


_OF = {"HUNDRED": 100, "TEN_THOUSAND": 10_000, "MILLION": 1_000_000}


def _percent(share: Json | None) -> str:
    if not share:
        return "0 %"
    return f"{100 * int(share.get('numerator', 0)) / _OF[share.get('denominator', 'HUNDRED')]:g} %"


def _target(redirect: Json) -> str:
    path = redirect.get("path_redirect") or redirect.get("prefix_rewrite") or "the same path"
    return f"{redirect.get('scheme_redirect', '')}{'://' if 'scheme_redirect' in redirect else ''}{redirect.get('host_redirect', '')}{path}"
