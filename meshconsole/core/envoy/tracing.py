"""
Tracing: Envoy's OpenTelemetry tracer, whose spans go to the agent. Its counterpart is proxyagent/relay/spans.py.

The provider is the same everywhere, so that an Envoy has one tracer and one queue for all its listeners, and the fleet one listener. Who the
workload is, the console knows from the agent's certificate; a span need not say it. W3C `traceparent` is read and written by the tracer;
it knows no B3 (verified against Envoy 1.40).
"""

from functools import cache

from .draft import Json
from .filling import Once
from .metrics import SERVICE
from .reporting import CustomTag, Tracing
from .vocabulary import ENVOY, NAMESPACE

CLUSTER = "agent_traces"
"""Of the agent's bootstrap (proxyagent/bootstrap.py)."""
MAX_PATH = 256

_PROVIDER = {
    "name": "envoy.tracers.opentelemetry",
    "typed_config": Once(
        {
            "@type": ENVOY + "config.trace.v3.OpenTelemetryConfig",
            "http_service": {"http_uri": {"uri": "http://agent/v1/traces", "cluster": CLUSTER, "timeout": "2s"}},
        }
    ),
}
_DETAILS = {"meshconsole.details": "%RESPONSE_CODE_DETAILS%"}
"""Why Envoy answered as it did: `via_upstream`, `fault_filter_abort`, `rbac_access_denied_matched_policy[…]`."""
OUTBOUND = {
    "meshconsole.service": SERVICE,
    "meshconsole.peer": f"%METADATA(UPSTREAM_HOST:{NAMESPACE}:peer)%",
    "meshconsole.route": "%ROUTE_NAME%",
    "meshconsole.policy": f"%METADATA(ROUTE:{NAMESPACE}:origin)%",
    "meshconsole.line": f"%METADATA(ROUTE:{NAMESPACE}:line)%",
    "meshconsole.attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    **_DETAILS,
}
INBOUND = {
    "meshconsole.principal": "%DOWNSTREAM_PEER_URI_SAN%",
    "meshconsole.policy": f"%METADATA(LISTENER:{NAMESPACE}:origin)%",
    "meshconsole.allowing": f"%METADATA(LISTENER:{NAMESPACE}:allowing)%",
    **_DETAILS,
}


def outbound(wanted: Tracing) -> Json:
    """For a connection manager: `tracing`, or nothing where nothing is ever sampled."""
    return _tracing(wanted, tuple(OUTBOUND.items()))


def inbound(wanted: Tracing) -> Json:
    return _tracing(wanted, tuple(INBOUND.items()))


@cache
def _tracing(wanted: Tracing, tags: tuple[tuple[str, str], ...]) -> Json:
    if wanted.sampling <= 0:
        return {}
    ours = [{"tag": tag, "value": value} for tag, value in tags] if wanted.mesh_tags else []
    found: Json = {
        "tracing": {
            "random_sampling": {"value": min(wanted.sampling, 100.0)},
            "max_path_tag_length": MAX_PATH,
            "custom_tags": [*ours, *map(_custom, wanted.tags)],
            "provider": _PROVIDER,
        }
    }
    if not wanted.by_request_id:
        config = {"@type": ENVOY + "extensions.request_id.uuid.v3.UuidRequestIdConfig", "use_request_id_for_trace_sampling": False}
        found["request_id_extension"] = {"typed_config": config}
    return found


def _custom(tag: CustomTag) -> Json:
    match tag.kind:
        case "literal":
            return {"tag": tag.name, "literal": {"value": tag.value}}
        case "environment":
            return {"tag": tag.name, "environment": {"name": tag.value, "default_value": tag.default}}
        case "header":
            return {"tag": tag.name, "request_header": {"name": tag.value, "default_value": tag.default}}
    return {"tag": tag.name, "value": tag.value}
