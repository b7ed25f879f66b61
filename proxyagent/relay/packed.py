"""
Figures as Envoy counts them cheapest, taken apart: all tags are one text, requests are the count of their durations, and the sizes of requests without a
body are not written. Pure. Counterpart: meshconsole/core/envoy/packed.py.
"""

import math
from collections.abc import Iterable, Iterator

from telemetry.samples import ISTIO_BOUNDS

Labels = dict[str, str]
Figure = tuple[str, Labels, float]
"""Istio's name, tags (a bucket's bound is `le`), value."""

TAG, UNSIZED = "packed", "unsized"
"""UNSIZED: the sizes of requests are not counted at all."""
_SAME = ("reporter", "response_code", "response_flags", "grpc_response_status")
FIELDS = {"source": (*_SAME, "to", "peer_principal"), "destination": (*_SAME, "service", "peer_principal", "peer_subject")}
UNANSWERED = "unanswered"
"""A gRPC request that got no status."""
_PEER_WORDS = 6
"""Of `to`: the workload that answered (labels.upstream), then the service; or the service alone."""

REQUESTS, DURATION, SIZE = "istio_requests_total", "istio_request_duration_milliseconds", "istio_request_bytes"


def tags(text: str) -> Labels:
    """The tags that Envoy wrote as one; an empty one was not asked for."""
    fields = FIELDS.get(text.partition("|")[0], FIELDS["source"])
    said = dict(zip(fields, text.split("|", len(fields) - 1), strict=False))
    status = said.get("grpc_response_status", "").removeprefix("-")
    said |= {"request_protocol": "grpc" if status else "http", "grpc_response_status": status if status != UNANSWERED else ""}
    if "to" in said:
        words = said.pop("to").split(";")
        peer = words[:_PEER_WORDS] if len(words) > _PEER_WORDS else []
        said |= {"service": ";".join(words[len(peer) :]), "peer": ";".join(peer)}
    return {name: value for name, value in said.items() if value}


def taken_apart(figures: Iterable[Figure]) -> Iterator[Figure]:
    """With the requests counted, and with a size of 0 for each that had no body. True of totals, and of what was added to them."""
    durations: dict[tuple[str, str], dict[str, float]] = {}
    sizes: dict[str, dict[str, float]] = {}
    for name, labels, value in figures:
        tag = next((each for each in (TAG, UNSIZED) if each in labels), "")
        if not tag:
            yield name, labels, value
            continue
        text = labels[tag]
        family, _, part = name.rpartition("_")
        bodies = family == SIZE
        if bodies or family == DURATION:
            shape = sizes.setdefault(text, {}) if bodies else durations.setdefault((tag, text), {})
            key = labels.get("le", part)
            shape[key] = shape.get(key, 0.0) + value
        if not bodies:
            yield name, {**tags(text), **{each: said for each, said in labels.items() if each != tag}}, value
    for (tag, text), shape in durations.items():
        requests = shape.get("count", 0.0)
        yield REQUESTS, tags(text), requests
        if tag == TAG:
            yield from _sizes(text, sizes.pop(text, {}), requests, shape)
    for text, shape in sizes.items():  # of requests whose durations are not here: as they are
        yield from _sizes(text, shape, 0.0, {})


def _sizes(text: str, shape: dict[str, float], requests: float, durations: Iterable[str]) -> Iterator[Figure]:
    """`durations`: what Envoy calls its buckets; where it names but those that moved, the others are in all the same."""
    empty = max(requests - shape.get("count", 0.0), 0.0)
    named = {float(bound): bound for bound in (*durations, *shape) if bound not in ("sum", "count")}
    for bound in (*ISTIO_BOUNDS, math.inf):
        name = named.get(bound) or ("+Inf" if bound == math.inf else f"{bound:.10g}")
        yield f"{SIZE}_bucket", {**tags(text), "le": name}, shape.get(name, 0.0) + empty
    yield f"{SIZE}_sum", tags(text), shape.get("sum", 0.0)
    yield f"{SIZE}_count", tags(text), shape.get("count", 0.0) + empty
