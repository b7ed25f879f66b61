"""Istio's defaults for what Envoy would decide otherwise. Values, so that compiler and policies say the same."""

import json

from .draft import Json
from .filling import Once

UNLIMITED = 4294967295
"""Istio's circuit breakers: 2^32-1 for every threshold (getDefaultCircuitBreakerThresholds); Envoy's own is 1024, and 3 for retries."""

CONNECT_TIMEOUT = "10s"
RETRY_ON = "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes"
MAX_DIRECT_RESPONSE_BYTES = 1048576


def retry_policy() -> Json:
    """What a route has whose VirtualService says nothing (Istio: retry.DefaultPolicy): two more tries, never at the host that just failed."""
    return {
        "retry_on": RETRY_ON,
        "num_retries": 2,
        "retry_host_predicate": [previous_hosts()],
        "host_selection_retry_max_attempts": 5,
    }


_PREVIOUS_HOSTS = Once({"@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"})


def previous_hosts() -> Json:
    return {"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": _PREVIOUS_HOSTS}


def mesh_retry_policy(said: str) -> Json | None:
    """What the MeshConfig has for routes that say nothing, as JSON; '' is Istio's default, `null` no retries."""
    return json.loads(said) if said else retry_policy()


def route_action(retries: str = "") -> Json:
    """RouteAction of a default route: no timeout, the mesh's retries."""
    policy = mesh_retry_policy(retries)
    return {**timeouts("0s"), **({"retry_policy": policy} if policy else {})}


def timeouts(limit: str) -> Json:
    """`timeout` of a route; it also caps what gRPC clients ask for by `grpc-timeout` (Istio: setTimeout). 0s is no limit. Not by
    `max_stream_duration`, which follows the deprecated `max_grpc_timeout`: where it is set, Envoy ignores `timeout`
    (FilterUtility::finalTimeout, usingNewTimeouts)."""
    return {"timeout": limit, "max_grpc_timeout": limit}


def thresholds() -> Json:
    return {
        "max_connections": UNLIMITED,
        "max_pending_requests": UNLIMITED,
        "max_requests": UNLIMITED,
        "max_retries": UNLIMITED,
        "track_remaining": True,
    }


def cluster(name: str) -> Json:
    """ClusterDraft.body as policies find it (the type and endpoints are the renderer's)."""
    return {
        "name": name,
        "connect_timeout": CONNECT_TIMEOUT,
        "lb_policy": "LEAST_REQUEST",
        "circuit_breakers": {"thresholds": [thresholds()]},
        # Envoy's own panic threshold of 50 % would send traffic to ejected hosts.
        "common_lb_config": {"healthy_panic_threshold": {}},
    }
