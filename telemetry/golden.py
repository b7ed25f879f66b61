"""The golden signals of one service, workload, app or namespace: traffic, errors, latency, bytes, out of its edges. Pure."""

from collections.abc import Callable, Iterable
from operator import add
from typing import Literal

import msgspec

from .edges import Edge
from .histogram import EMPTY, quantiles

Subject = Literal["service", "workload", "app", "namespace"]
Direction = Literal["inbound", "outbound"]


class Golden(msgspec.Struct, frozen=True):
    requests: int = 0
    rate: float = 0.0
    """Requests per second."""
    error_share: float = 0.0
    errors_4xx: float = 0.0
    """Shares of the requests."""
    errors_5xx: float = 0.0
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    mean: float | None = None
    request_bytes: float = 0.0
    """Bytes per second, TCP included."""
    response_bytes: float = 0.0
    connections: float = 0.0
    """TCP connections opened per second."""
    mtls_share: float | None = None


def of(edges: Iterable[Edge]) -> Golden:
    """All of them together."""
    requests = errors_4xx = errors_5xx = mtls = secured = 0
    rate = request_bytes = response_bytes = connections = duration = 0.0
    buckets = EMPTY
    for e in edges:
        seconds = e.seconds or 1.0
        requests += e.requests
        rate += e.requests / seconds
        errors_4xx += e.errors_4xx
        errors_5xx += e.errors_5xx
        request_bytes += (e.request_bytes + e.received) / seconds
        response_bytes += (e.response_bytes + e.sent) / seconds
        connections += e.connections / seconds
        duration += e.duration
        buckets = tuple(map(add, buckets, e.buckets))
        if e.mtls is not None:
            mtls, secured = mtls + e.mtls, secured + e.secured
    n = requests or 1
    p50, p95, p99 = quantiles((0.5, 0.95, 0.99), buckets)
    return Golden(
        requests=requests,
        rate=rate,
        error_share=(errors_4xx + errors_5xx) / n,
        errors_4xx=errors_4xx / n,
        errors_5xx=errors_5xx / n,
        p50=p50,
        p95=p95,
        p99=p99,
        mean=duration / n if requests and duration else None,
        request_bytes=request_bytes,
        response_bytes=response_bytes,
        connections=connections,
        mtls_share=mtls / secured if secured else None,
    )


def subject(edge: Edge, kind: Subject, direction: Direction) -> str:
    """Who an edge is about: the host of a service, `<namespace>/<name>` of a workload or app, a namespace; '' for nobody with a name."""
    if kind == "service":
        return edge.service if direction == "inbound" else ""
    end = edge.destination if direction == "inbound" else edge.source
    if kind == "namespace":
        return end.namespace or (edge.service_namespace if direction == "inbound" else "")
    if not end.known:
        return ""
    name = end.workload if kind == "workload" else end.canonical_service or end.app or end.workload
    return f"{end.namespace}/{name}"


def grouped(edges: Iterable[Edge], name: Callable[[Edge], str]) -> dict[str, Golden]:
    groups: dict[str, list[Edge]] = {}
    for edge in edges:
        if who := name(edge):
            groups.setdefault(who, []).append(edge)
    return {who: of(members) for who, members in sorted(groups.items())}
