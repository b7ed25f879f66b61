"""
Metrics as Envoy counts them cheapest: all tags in one, the count of requests not at all. Counterpart: proxyagent/relay/packed.py, which takes them apart.

Envoy formats, copies and hashes every tag of every figure at each request: seven tags on four figures were 51,000 instructions, a seventh of what a
proxy does (callgrind, Envoy 1.40). So the tags are one text; the requests are the durations' count; and the size of a request is written only where there may be
a body, for all others had none. Figures that a Telemetry gives other labels stay as metrics.py writes them.
"""

from collections.abc import Mapping
from functools import lru_cache

from .draft import Json
from .filling import Once
from .metrics import GRPC, LOGGER, STAT_PREFIX, no_grpc, sized
from .vocabulary import typed

TAG, UNSIZED = "packed", "unsized"
"""UNSIZED: the sizes of requests are not counted at all."""
SEPARATOR = "|"
FIELDS = {
    "source": ("reporter", "request_protocol", "response_code", "response_flags", "grpc_response_status", "service", "peer", "peer_principal"),
    "destination": ("reporter", "request_protocol", "response_code", "response_flags", "grpc_response_status", "service", "peer_principal", "peer_subject"),
}  # fmt: skip
"""By reporter; what others may have written into is last."""

_MAY_HAVE_BODY: Json = {
    "or_filter": {
        "filters": [
            {"header_filter": {"header": {"name": ":method", "string_match": {"exact": "GET"}, "invert_match": True}}},
            {"header_filter": {"header": {"name": "content-length", "present_match": True}}},
            {"header_filter": {"header": {"name": "transfer-encoding", "present_match": True}}},
        ]
    }
}


SIZES = frozenset(("request_bytes", "response_bytes"))


def http_loggers(fixed: Mapping[str, str], *, tunnels: bool = False, without: frozenset[str] = frozenset()) -> list[Json]:
    """`fixed`: metrics.outbound_tags() or inbound_tags(…). `tunnels`: a CONNECT is none of these. `without`: of SIZES, not counted."""
    return _http_loggers(tuple(fixed.items()), tunnels, without)


@lru_cache(64)
def _http_loggers(fixed: tuple[tuple[str, str], ...], tunnels: bool, without: frozenset[str]) -> list[Json]:
    tag = UNSIZED if "request_bytes" in without else TAG
    http = {tag: _text({**dict(fixed), "request_protocol": "http"})}
    grpc = {tag: _text({**dict(fixed), "request_protocol": "grpc", "grpc_response_status": "%GRPC_STATUS_NUMBER%"})}
    only = no_grpc(tunnels)
    found = [_logger(http, ("request_duration_milliseconds", *sorted({"response_bytes"} - without)), only)]
    if "request_bytes" not in without:
        # The method first: of a GET nothing more is looked at.
        bodies = {"and_filter": {"filters": [_MAY_HAVE_BODY, *_all_of(only)]}}
        found.append(_logger(http, ("request_bytes",), bodies))
    return [*found, _logger(grpc, ("request_duration_milliseconds", *sorted(SIZES - without)), GRPC)]


def _all_of(filter_: Json) -> list[Json]:
    return filter_["and_filter"]["filters"] if "and_filter" in filter_ else [filter_]


def _text(tags: Mapping[str, str]) -> str:
    said = {"response_code": "%RESPONSE_CODE%", "response_flags": "%RESPONSE_FLAGS%", "grpc_response_status": "", **tags}
    return SEPARATOR.join(said[field] for field in FIELDS[tags["reporter"]])


def _logger(tags: dict[str, str], names: tuple[str, ...], only: Json) -> Json:
    histograms = [sized(name, tags) for name in names]
    logger = typed("envoy.access_loggers.stats", LOGGER, stat_prefix=STAT_PREFIX, histograms=histograms)
    return {**logger, "typed_config": Once(logger["typed_config"]), "filter": only}
