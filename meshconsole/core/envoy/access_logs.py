"""
Access logs: what Envoy tells of single requests, and of which ones. Counterparts: proxyagent/relay/logs.py, telemetry/accesslog.py.

A record costs what a hundred counters cost, so Envoy itself selects: errors, slow requests, and a sample; all others meet a few comparisons.
The sample is drawn by the request's id (`x-request-id`), so that both proxies on a request's way choose the same ones. Records leave as OTLP
to the agent's socket. Operators are verified against Envoy 1.40 (tests/core/envoy/test_access_logs.py).
"""

from collections.abc import Sequence
from functools import cache

from .draft import Json
from .filling import Once
from .metrics import SERVICE
from .reporting import AccessLog
from .vocabulary import ENVOY, NAMESPACE, typed

CLUSTER = "agent_logs"
"""Of the agent's bootstrap (proxyagent/bootstrap.py)."""
LOGGER = "extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig"
BUFFER = 32 * 1024
MILLION = 1_000_000
SHARE = "al.q"
"""The runtime key by which the agent bounds the sample of a busy proxy (proxyagent/relay/sampling.py)."""

_CONNECTION = {
    "flags": "%RESPONSE_FLAGS%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "ended": "%CONNECTION_TERMINATION_DETAILS%",
    "failure": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
    "ms": "%DURATION%",
    "received": "%BYTES_RECEIVED%",
    "sent": "%BYTES_SENT%",
    "cluster": "%UPSTREAM_CLUSTER_RAW%",
    "host": "%UPSTREAM_HOST%",
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS%",
    "local": "%DOWNSTREAM_LOCAL_ADDRESS%",
    "sni": "%REQUESTED_SERVER_NAME%",
}
_REQUEST = {
    "method": "%REQ(:METHOD)%",
    "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH):1024%",
    "authority": "%REQ(:AUTHORITY):256%",
    "http": "%PROTOCOL%",
    "code": "%RESPONSE_CODE%",
    "grpc": "%GRPC_STATUS_NUMBER%",
    "route": "%ROUTE_NAME%",
    "trace": "%TRACE_ID%",
    "traceparent": "%REQ(TRACEPARENT):64%",
    "request": "%REQ(X-REQUEST-ID):64%",
    "agent": "%REQ(USER-AGENT):160%",
    "upstream_ms": "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
}
_OUTBOUND = {
    "reporter": "source",
    "service": SERVICE,
    "peer": f"%METADATA(UPSTREAM_HOST:{NAMESPACE}:peer)%",
    "principal": "%UPSTREAM_PEER_URI_SAN%",
    "policy": f"%METADATA(ROUTE:{NAMESPACE}:origin)%",
    "line": f"%METADATA(ROUTE:{NAMESPACE}:line)%",
    "cluster_policy": f"%METADATA(CLUSTER:{NAMESPACE}:origin)%",
}
_INBOUND = {
    "reporter": "destination",
    "principal": "%DOWNSTREAM_PEER_URI_SAN%",
    "subject": "%DOWNSTREAM_PEER_SUBJECT%",
    "policy": f"%METADATA(LISTENER:{NAMESPACE}:origin)%",
    "allowing": f"%METADATA(LISTENER:{NAMESPACE}:allowing)%",
    "would_allow": f"%METADATA(LISTENER:{NAMESPACE}:would_allow)%",
}
_GATEWAY = {
    **_OUTBOUND,
    "gate": f"%METADATA(LISTENER:{NAMESPACE}:origin)%",
    "caller": "%DOWNSTREAM_PEER_URI_SAN%",
    "allowing": _INBOUND["allowing"],
    "would_allow": _INBOUND["would_allow"],
}
_CHAIN = {
    "policy": f"%METADATA(LISTENER_FILTER_CHAIN:{NAMESPACE}:origin)%",
    "line": f"%METADATA(LISTENER_FILTER_CHAIN:{NAMESPACE}:line)%",
}
"""A connection has no route: which rule sent it is what its filter chain came from."""
_RBAC = {True: "%DYNAMIC_METADATA(envoy.filters.http.rbac)%", False: "%DYNAMIC_METADATA(envoy.filters.network.rbac)%"}
"""What the authorization filters decided and, of dry-run policies, would have: as JSON. By whether the protocol is HTTP."""


def outbound_http(wanted: AccessLog | None) -> list[Json]:
    return _logger(wanted, "outbound", True)


def outbound_tcp(wanted: AccessLog | None) -> list[Json]:
    return _logger(wanted, "outbound", False)


def gateway_http(wanted: AccessLog | None, besides: Sequence[Json] = ()) -> list[Json]:
    """A gateway calls as a sidecar does, and lets in as a workload does."""
    return _logger(wanted, "gateway", True, besides)


def gateway_tcp(wanted: AccessLog | None) -> list[Json]:
    return _logger(wanted, "gateway", False)


def inbound_http(wanted: AccessLog | None, service: str, besides: Sequence[Json] = ()) -> list[Json]:
    """`service` is constant per listener: `<fqdn>;<short name>;<namespace>`. `besides`: access-log filters that select more."""
    return _logger(wanted, service or ";;", True, besides)


def inbound_tcp(wanted: AccessLog | None, service: str, besides: Sequence[Json] = ()) -> list[Json]:
    return _logger(wanted, service or ";;", False, besides)


def decided(filter_: str, key: str, value: str | bool) -> Json:
    """An access-log filter: that HTTP filter wrote this into the request's metadata."""
    said: Json = {"bool_match": value} if isinstance(value, bool) else {"string_match": {"exact": value}}
    matcher = {"filter": filter_, "path": [{"key": key}], "value": said}
    return {"metadata_filter": {"matcher": matcher, "match_if_key_not_found": False}}


def _logger(wanted: AccessLog | None, side: str, http: bool, besides: Sequence[Json] = ()) -> list[Json]:
    if wanted is None:
        return []
    fields = {**_CONNECTION, **(_REQUEST if http else {})}
    if side == "outbound":
        fields |= _OUTBOUND
    else:
        fields |= {**(_GATEWAY if side == "gateway" else {**_INBOUND, "service": side}), "rbac": _RBAC[http]}
    if not http and side in ("outbound", "gateway"):
        fields |= _CHAIN
    return [{**_destination(tuple(fields.items())), "filter": _selected(wanted, http, besides)}]


@cache
def _destination(fields: tuple[tuple[str, str], ...]) -> Json:
    logger = typed(
        "envoy.access_loggers.open_telemetry",
        LOGGER,
        common_config={
            "log_name": "meshconsole",
            "transport_api_version": "V3",
            "grpc_service": {"envoy_grpc": {"cluster_name": CLUSTER}, "timeout": "10s"},
            "buffer_flush_interval": "1s",
            "buffer_size_bytes": BUFFER,
        },
        disable_builtin_labels=True,
        attributes={"values": [{"key": key, "value": {"string_value": text}} for key, text in fields]},
    )
    return {**logger, "typed_config": Once(logger["typed_config"])}


def _selected(wanted: AccessLog, http: bool, besides: Sequence[Json]) -> Json:
    """Any of these, looked at for every request; so the keys of Envoy's runtime, which it hashes each time, are short. A response flag alone is an error too: of a request that nobody answered, or of a connection."""
    if wanted.expression:
        return _any([selected(wanted.expression), *besides])
    any_of: list[Json] = [{"response_flag_filter": {}}, *besides]
    if http:
        any_of.append({"status_code_filter": {"comparison": _at_least(400, "al.e")}})
        if wanted.slow_ms > 0:
            any_of.append({"duration_filter": {"comparison": _at_least(wanted.slow_ms, "al.s")}})
    if wanted.sampling > 0:
        any_of.append(
            {"and_filter": {"filters": [_share("al.p", min(round(wanted.sampling * MILLION / 100), MILLION)), _share(SHARE, MILLION)]}}
        )
    return _any(any_of)


def _share(runtime_key: str, of_a_million: int) -> Json:
    """By the request's id: of two shares the smaller lies within the other."""
    return {"runtime_filter": {"runtime_key": runtime_key, "percent_sampled": {"numerator": of_a_million, "denominator": "MILLION"}}}


def _any(filters: list[Json]) -> Json:
    return filters[0] if len(filters) == 1 else {"or_filter": {"filters": filters}}


def selected(expression: str) -> Json:
    """An access-log filter: what the CEL expression is true of."""
    config = {"@type": ENVOY + "extensions.access_loggers.filters.cel.v3.ExpressionFilter", "expression": expression}
    return {"extension_filter": {"name": "envoy.access_loggers.extension_filters.cel", "typed_config": config}}


def _at_least(value: int, runtime_key: str) -> Json:
    return {"op": "GE", "value": {"default_value": value, "runtime_key": runtime_key}}
