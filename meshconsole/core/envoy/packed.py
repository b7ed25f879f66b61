"""
Metrics as Envoy counts them cheapest: all tags in one, the count of requests not at all. Counterpart: proxyagent/relay/packed.py, which takes them apart.

Envoy formats, copies and hashes every tag of every figure at each request: seven tags on four figures were 51,000 instructions, a seventh of what a
proxy does (callgrind, Envoy 1.40). So the tags are one text, of which the endpoint's metadata says most; the requests are the durations' count; what is gRPC
its status says; and the size of a request is written only where there may be a body, for all others had none. Figures that a Telemetry gives other labels
stay as metrics.py writes them.
"""

from collections.abc import Mapping
from functools import lru_cache

from .draft import Json
from .filling import Once
from .metrics import GRPC, LOGGER, NO_CONNECT, NO_GRPC, STAT_PREFIX, sized
from .vocabulary import NAMESPACE, typed

TAG, UNSIZED = "packed", "unsized"
"""UNSIZED: the sizes of requests are not counted at all."""
SEPARATOR = "|"
_SAME = ("reporter", "response_code", "response_flags", "grpc_response_status")
FIELDS = {"source": (*_SAME, "to", "peer_principal"), "destination": (*_SAME, "service", "peer_principal", "peer_subject")}
"""By reporter; what others may have written into is last."""
UNANSWERED = "unanswered"
"""Stands for the status of a gRPC request that got no answer at all; of what is not gRPC Envoy says none."""

TO = (
    '%COALESCE({"operators":['
    f'{{"command":"METADATA","param":"UPSTREAM_HOST:{NAMESPACE}:peer"}},'
    f'{{"command":"CLUSTER_METADATA","param":"{NAMESPACE}:service"}},'
    f'{{"command":"METADATA","param":"VIRTUAL_HOST:{NAMESPACE}:service"}}'
    "]})%"
)
"""The workload that answered with the service that it was reached by (nine words); or the service alone (three)."""

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


_ANSWERED: Json = {"status_code_filter": {"comparison": {"op": "GE", "value": {"default_value": 1, "runtime_key": "al.a"}}}}
_NO_ANSWER: Json = {"status_code_filter": {"comparison": {"op": "LE", "value": {"default_value": 0, "runtime_key": "al.n"}}}}
_OTHERS: Json = {"or_filter": {"filters": [_ANSWERED, NO_GRPC]}}
"""What is gRPC only the request's content type says where there was no answer; of all others nobody looks for it."""


def http_loggers(fixed: Mapping[str, str], *, tunnels: bool = False, without: frozenset[str] = frozenset()) -> list[Json]:
    """`fixed`: metrics.outbound_tags() or inbound_tags(…). `tunnels`: a CONNECT is none of these. `without`: of SIZES, not counted."""
    return _http_loggers(tuple(fixed.items()), tunnels, without)


@lru_cache(64)
def _http_loggers(fixed: tuple[tuple[str, str], ...], tunnels: bool, without: frozenset[str]) -> list[Json]:
    tag = UNSIZED if "request_bytes" in without else TAG
    any_, unanswered = ({tag: _text(dict(fixed), status)} for status in ("%GRPC_STATUS_NUMBER%", UNANSWERED))
    only = [_OTHERS, *([NO_CONNECT] if tunnels else ())]
    found = [_logger(any_, ("request_duration_milliseconds", *sorted({"response_bytes"} - without)), only)]
    if "request_bytes" not in without:
        # The method first: of a GET nothing more is looked at.
        found.append(_logger(any_, ("request_bytes",), [_MAY_HAVE_BODY, *only]))
    return [*found, _logger(unanswered, ("request_duration_milliseconds", *sorted(SIZES - without)), [_NO_ANSWER, GRPC])]


def _text(tags: Mapping[str, str], status: str) -> str:
    said = {**tags, "response_code": "%RESPONSE_CODE%", "response_flags": "%RESPONSE_FLAGS%", "grpc_response_status": status, "to": TO}
    return SEPARATOR.join(said[field] for field in FIELDS[tags["reporter"]])


def _logger(tags: dict[str, str], names: tuple[str, ...], all_of: list[Json]) -> Json:
    histograms = [sized(name, tags) for name in names]
    logger = typed("envoy.access_loggers.stats", LOGGER, stat_prefix=STAT_PREFIX, histograms=histograms)
    only = all_of[0] if len(all_of) == 1 else {"and_filter": {"filters": all_of}}
    return {**logger, "typed_config": Once(logger["typed_config"]), "filter": only}
