"""An edge as other programs read it: names spelled out, everything worked out. Its source is edges.Edge."""

import msgspec

from .edges import Edge, Peer
from .histogram import quantiles


class End(msgspec.Struct, frozen=True, rename="camel"):
    workload: str
    namespace: str
    app: str
    version: str
    canonical_service: str
    canonical_revision: str
    principals: tuple[str, ...]


class Summary(msgspec.Struct, frozen=True, rename="camel"):
    """Rates are per second over the period, times in milliseconds, shares 0..1."""

    source: End
    destination: End
    service: str
    service_name: str
    service_namespace: str
    protocol: str
    reporter: str
    requests: int
    rate: float
    error_share: float
    codes: dict[str, int]
    flags: dict[str, int]
    grpc: dict[str, int]
    p50: float | None
    p95: float | None
    p99: float | None
    mean: float | None
    request_bytes: float
    response_bytes: float
    connections: int
    mtls_share: float | None


def summary(edge: Edge) -> Summary:
    seconds = edge.seconds or 1.0
    p50, p95, p99 = quantiles((0.5, 0.95, 0.99), edge.buckets)
    return Summary(
        source=_end(edge.source, edge.source_principals),
        destination=_end(edge.destination, edge.destination_principals),
        service=edge.service,
        service_name=edge.service_name,
        service_namespace=edge.service_namespace,
        protocol=edge.protocol,
        reporter=edge.reporter,
        requests=edge.requests,
        rate=edge.rate,
        error_share=edge.error_share,
        codes=edge.codes,
        flags=edge.flags,
        grpc=edge.grpc_statuses,
        p50=p50,
        p95=p95,
        p99=p99,
        mean=edge.duration / edge.requests if edge.requests else None,
        request_bytes=(edge.request_bytes + edge.received) / seconds,
        response_bytes=(edge.response_bytes + edge.sent) / seconds,
        connections=edge.connections,
        mtls_share=edge.mtls_share,
    )


def _end(peer: Peer, principals: tuple[str, ...]) -> End:
    return End(*peer, principals)
