"""
Istio's standard metrics out of stock Envoy: the stats access logger, with few tags that the agent expands to Istio's labels.

Every tag is paid at every request: what is constant for a workload, or follows from another tag, is added by the agent. This is the plain form,
which a Telemetry can shape; packed.py has the same figures for a third of the instructions. The operators are verified against Envoy 1.40 (tests/core/compiler/test_with_envoy.py).
"""

from functools import lru_cache

from .draft import Json
from .filling import Once
from .vocabulary import NAMESPACE, typed

STAT_PREFIX = "istio"
"""Envoy 1.40 calls the field deprecated for `stats_scope`, which the xds-protos that exist (1.85) do not know yet."""
LOGGER = "extensions.access_loggers.stats.v3.Config"

_GRPC: Json = {"name": "content-type", "string_match": {"prefix": "application/grpc"}, "treat_missing_header_as_empty": True}
_CONNECT: Json = {"name": ":method", "string_match": {"exact": "CONNECT"}}
GRPC: Json = {"header_filter": {"header": _GRPC}}
NO_GRPC: Json = {"header_filter": {"header": {**_GRPC, "invert_match": True}}}
NO_CONNECT: Json = {"header_filter": {"header": {**_CONNECT, "invert_match": True}}}
"""Access-log filters: what a request is."""

SERVICE = (
    '%COALESCE({"operators":['
    f'{{"command":"CLUSTER_METADATA","param":"{NAMESPACE}:service"}},'
    f'{{"command":"METADATA","param":"VIRTUAL_HOST:{NAMESPACE}:service"}}'
    "]})%"
)
"""The service that was reached; where no cluster was (404, direct response, redirect), the one that was asked for."""

Tags = dict[str, str]


def outbound_tags() -> Tags:
    return {
        "reporter": "source",
        "peer": f"%METADATA(UPSTREAM_HOST:{NAMESPACE}:peer)%",
        "service": SERVICE,
        "peer_principal": "%UPSTREAM_PEER_URI_SAN%",
    }


def inbound_tags(service: str) -> Tags:
    """`service` is constant per listener: `<fqdn>;<short name>;<namespace>`."""
    return {
        "reporter": "destination",
        "service": service or ";;",  # a port of no service: Envoy refuses an empty value
        "peer_principal": "%DOWNSTREAM_PEER_URI_SAN%",
        "peer_subject": "%DOWNSTREAM_PEER_SUBJECT%",
    }


def http_loggers(tags: Tags, *, tunnels: bool = False) -> list[Json]:
    """`tunnels`: a CONNECT is no request but a connection, and counted as one."""
    return _http_loggers(tuple(tags.items()), tunnels)


@lru_cache(64)  # 17 KiB each, and an inbound side is compiled once: a thousand services' must not be kept
def _http_loggers(fixed: tuple[tuple[str, str], ...], tunnels: bool) -> list[Json]:
    """Two loggers, of which each request meets one: what a gRPC request is only its content type says, and only it has a gRPC status."""
    both = {**dict(fixed), "response_code": "%RESPONSE_CODE%", "response_flags": "%RESPONSE_FLAGS%"}
    return [
        _http_logger({**both, "request_protocol": "http"}, {"and_filter": {"filters": [NO_GRPC, NO_CONNECT]}} if tunnels else NO_GRPC),
        _http_logger({**both, "request_protocol": "grpc", "grpc_response_status": "%GRPC_STATUS_NUMBER%"}, GRPC),
        *(tunnel_loggers(dict(fixed)) if tunnels else ()),
    ]


def tunnel_loggers(tags: Tags) -> list[Json]:
    return [{**logger, "filter": {"header_filter": {"header": _CONNECT}}} for logger in tcp_loggers(tags)]


_FORMATS = {
    "request_duration_milliseconds": ("Milliseconds", "%DURATION%"),
    "request_bytes": ("Bytes", "%BYTES_RECEIVED%"),
    "response_bytes": ("Bytes", "%BYTES_SENT%"),
}


def sized(name: str, tags: Tags) -> Json:
    """A histogram of requests."""
    unit, value = _FORMATS[name]
    return {"stat": _stat(name, tags), "unit": unit, "value_format": value}


def _http_logger(tags: Tags, only: Json) -> Json:
    logger = typed(
        "envoy.access_loggers.stats",
        LOGGER,
        stat_prefix=STAT_PREFIX,
        counters=[{"stat": _stat("requests_total", tags), "value_fixed": 1}],
        histograms=[sized(name, tags) for name in _FORMATS],
    )
    return {**logger, "typed_config": Once(logger["typed_config"]), "filter": only}


def tcp_loggers(tags: Tags) -> list[Json]:
    """Written when the connection ends; so opened and closed rise together."""
    all_tags = {**tags, "response_flags": "%RESPONSE_FLAGS%", "request_protocol": "tcp"}
    counters = [
        {"stat": _stat("tcp_connections_opened_total", all_tags), "value_fixed": 1},
        {"stat": _stat("tcp_connections_closed_total", all_tags), "value_fixed": 1},
        {"stat": _stat("tcp_received_bytes_total", all_tags), "value_format": "%BYTES_RECEIVED%"},
        {"stat": _stat("tcp_sent_bytes_total", all_tags), "value_format": "%BYTES_SENT%"},
    ]
    return [typed("envoy.access_loggers.stats", LOGGER, stat_prefix=STAT_PREFIX, counters=counters)]


def _stat(name: str, tags: Tags) -> Json:
    return {"name": name, "tags": [{"name": tag, "value_format": value} for tag, value in tags.items()]}
