"""Who called whom, and how it went: one Edge per caller, callee, service and protocol, folded from series of both reporters. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import add
from typing import NamedTuple

import msgspec

from .histogram import EMPTY, quantile
from .labels import STANDARD, Key

UNKNOWN = "unknown"
EXPLAINED = 0.9
"""Nameless callers are left out when plaintext calls that named sources report make up this share of theirs."""


class Peer(NamedTuple):
    """One end of an edge; `workload` is `unknown` where there is none (or none that says who it is)."""

    workload: str
    namespace: str
    app: str
    version: str
    canonical_service: str
    canonical_revision: str

    @property
    def known(self) -> bool:
        return self.workload != UNKNOWN


class Response(NamedTuple):
    code: str
    """HTTP status; `0` when there was none."""
    grpc_status: str
    """`` for plain HTTP."""
    flags: str
    """Envoy's response flags, `-` when none."""
    requests: int


class Edge(msgspec.Struct, frozen=True):
    source: Peer
    destination: Peer
    service: str
    """The host that was asked for: reviews.default.svc.cluster.local."""
    service_name: str
    service_namespace: str
    protocol: str
    """http | grpc | tcp"""
    reporter: str
    """Whose figures these are: source, or destination where the source has no proxy."""
    seconds: float
    """The time they were counted in."""
    requests: int = 0
    responses: tuple[Response, ...] = ()
    buckets: tuple[int, ...] = EMPTY
    """Durations, in samples.ISTIO_BOUNDS ms."""
    duration: float = 0.0
    """Sum of all durations, ms."""
    request_bytes: int = 0
    response_bytes: int = 0
    sent: int = 0
    """tcp: bytes by the server to the client, as Istio counts them."""
    received: int = 0
    """tcp: bytes by the client to the server."""
    connections: int = 0
    """tcp: opened."""
    mtls: int | None = None
    """Requests (tcp: connections) over mutual TLS out of `secured`; None when nobody knows."""
    secured: int = 0
    source_principals: tuple[str, ...] = ()
    destination_principals: tuple[str, ...] = ()

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds if self.seconds else 0.0

    @property
    def codes(self) -> dict[str, int]:
        return _count((r.code, r.requests) for r in self.responses)

    @property
    def flags(self) -> dict[str, int]:
        return _count((r.flags, r.requests) for r in self.responses if r.flags not in ("", "-"))

    @property
    def grpc_statuses(self) -> dict[str, int]:
        return _count((r.grpc_status, r.requests) for r in self.responses if r.grpc_status)

    @property
    def errors_4xx(self) -> int:
        return sum(r.requests for r in self.responses if failure(r) == 4)

    @property
    def errors_5xx(self) -> int:
        """With those that had no response and gRPC statuses but 0."""
        return sum(r.requests for r in self.responses if failure(r) == 5)

    @property
    def error_share(self) -> float:
        return (self.errors_4xx + self.errors_5xx) / self.requests if self.requests else 0.0

    @property
    def mtls_share(self) -> float | None:
        return None if self.mtls is None or not self.secured else self.mtls / self.secured

    @property
    def p50(self) -> float | None:
        return quantile(0.5, self.buckets)

    @property
    def p95(self) -> float | None:
        return quantile(0.95, self.buckets)

    @property
    def p99(self) -> float | None:
        return quantile(0.99, self.buckets)


def failure(response: Response) -> int:
    """0 (success), 4 or 5: the class of error. A gRPC status decides before the HTTP code (which is then 200)."""
    if response.grpc_status:
        return 0 if response.grpc_status == "0" else 5
    if response.code[:1] in ("1", "2", "3"):
        return 0
    return 4 if response.code[:1] == "4" else 5


def _count(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    result: dict[str, int] = {}
    for name, n in pairs:
        result[name] = result.get(name, 0) + n
    return dict(sorted(result.items()))


Ends = tuple[str, str, str, str]
"""Workload and namespace of the source and of the destination."""


class Identity:
    """What makes two series belong to the same edge. Hashes itself once: it is looked up for every series of every answer."""

    __slots__ = ("_hash", "ends", "pair", "protocol", "service")

    def __init__(self, pair: tuple[Peer, Peer], service: tuple[str, str, str], protocol: str) -> None:
        self.pair = pair
        self.service = service
        """Host, short name, namespace."""
        self.protocol = protocol
        self.ends: Ends = (*pair[0][:2], *pair[1][:2])
        self._hash = hash((pair, service, protocol))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identity) and self.order == other.order

    @property
    def order(self) -> tuple[tuple[Peer, Peer], tuple[str, str, str], str]:
        return (self.pair, self.service, self.protocol)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a series belongs: worked out once per label set."""

    by_source: bool
    identity: Identity
    code: str
    grpc_status: str
    flags: str
    mtls: bool | None
    source_principal: str
    destination_principal: str


_I = {name: i for i, name in enumerate(STANDARD)}
_SOURCE = tuple(_I[f"source_{n}"] for n in ("workload", "workload_namespace", "app", "version", "canonical_service", "canonical_revision"))
_DESTINATION = tuple(
    _I[f"destination_{n}"] for n in ("workload", "workload_namespace", "app", "version", "canonical_service", "canonical_revision")
)


def _peer(key: Key, positions: Sequence[int]) -> Peer:
    workload, namespace, app, version, service, revision = (key[i] for i in positions)
    blank = ("", UNKNOWN)
    return Peer(
        workload or UNKNOWN,
        "" if namespace in blank else namespace,
        "" if app in blank else app,
        "" if version in blank else version,
        "" if service in blank else service,
        revision or "latest",
    )


def place(key: Key) -> Place:
    principals = [p if p.startswith("spiffe://") else "" for p in (key[_I["source_principal"]], key[_I["destination_principal"]])]
    by_source = key[_I["reporter"]] != "destination"
    policy = key[_I["connection_security_policy"]]
    if by_source:
        mtls = True if principals[1] else None
    else:
        mtls = policy == "mutual_tls" if policy in ("mutual_tls", "none") else bool(principals[0])
    host, name, namespace = (key[_I[f"destination_service{n}"]] for n in ("", "_name", "_namespace"))
    return Place(
        by_source=by_source,
        identity=Identity(
            (_peer(key, _SOURCE), _peer(key, _DESTINATION)),
            ("" if host == UNKNOWN else host, "" if name == UNKNOWN else name, "" if namespace == UNKNOWN else namespace),
            key[_I["request_protocol"]],
        ),
        code=key[_I["response_code"]],
        grpc_status=key[_I["grpc_response_status"]],
        flags=key[_I["response_flags"]] or "-",
        mtls=mtls,
        source_principal=principals[0],
        destination_principal=principals[1],
    )


Figures = tuple
"""What a series counted in a period: requests, sent, received, opened, duration, request bytes, response bytes, then the buckets of
durations. One flat tuple, as the store's rows are: tens of thousands of them are folded every time that somebody looks."""
REQUESTS, SENT, RECEIVED, OPENED, DURATION, REQUEST_BYTES, RESPONSE_BYTES, BUCKETS = range(8)
NOTHING: Figures = (0,) * BUCKETS + EMPTY


class _Sum:
    __slots__ = ("by_source", "destination_principals", "figures", "mtls", "responses", "seconds", "secured", "source_principals")

    def __init__(self, by_source: bool) -> None:
        self.by_source = by_source
        self.seconds = 0.0
        self.figures: Figures | None = None
        self.responses: dict[tuple[str, str, str], int] = {}
        self.mtls = self.secured = 0
        self.source_principals: set[str] = set()
        self.destination_principals: set[str] = set()

    def add(self, at: Place, seconds: float, figures: Figures) -> None:
        self.seconds = max(self.seconds, seconds)
        there = self.figures
        self.figures = figures if there is None else tuple(map(add, there, figures))
        requests = figures[REQUESTS]
        weight = requests or figures[OPENED] or (1 if figures[SENT] or figures[RECEIVED] else 0)
        if requests:
            response = (at.code, at.grpc_status, at.flags)
            self.responses[response] = self.responses.get(response, 0) + requests
        if at.mtls is not None:
            self.secured += weight
            self.mtls += weight if at.mtls else 0
        if at.source_principal:
            self.source_principals.add(at.source_principal)
        if at.destination_principal:
            self.destination_principals.add(at.destination_principal)


def fold(rows: Iterable[tuple[Place, float, Figures]]) -> list[Edge]:
    """
    Series to edges. What the source reports holds; the destination's report counts where no source reports the pair, and says in any
    case how much of it was mutual TLS (the source cannot see a plaintext fallback).
    """
    sums: dict[Identity, _Sum] = {}
    told: dict[Identity, _Sum] = {}
    for at, seconds, figures in rows:
        identity = at.identity
        if not identity.protocol:
            continue  # gRPC message counters know no protocol; their requests do
        into = sums if at.by_source else told
        total = into.get(identity)
        if total is None:
            total = into[identity] = _Sum(at.by_source)
        total.add(at, seconds, figures)

    from_source = {identity.ends for identity in sums}
    security: dict[Ends, list[_Sum]] = {}
    for identity, total in told.items():
        if identity.ends in from_source:
            security.setdefault(identity.ends, []).append(total)
        else:
            sums[identity] = total
    _drop_explained(sums, security)
    ordered = sorted(sums.items(), key=lambda item: item[0].order)
    return [_edge(identity, total, security.get(identity.ends, ())) for identity, total in ordered]


def _drop_explained(sums: dict[Identity, _Sum], security: dict[Ends, list[_Sum]]) -> None:
    """A source with a proxy that calls in plaintext is reported twice: by name at the source, and at the destination by an unknown. Count it once."""
    nameless = [(identity, s) for identity, s in sums.items() if not s.by_source and not identity.pair[0].known]
    if not nameless:
        return
    plain: dict[tuple[str, ...], list[_Sum]] = {}
    for identity, total in sums.items():
        if total.by_source and not total.secured and identity.ends not in security:
            plain.setdefault(identity.ends[2:], []).append(total)
    for identity, total in nameless:
        named = plain.get(identity.ends[2:], ())
        if named and sum(map(_weight, named)) >= EXPLAINED * _weight(total):
            del sums[identity]
            for each in named:
                each.secured = _weight(each)


def _weight(total: _Sum) -> int:
    return 0 if total.figures is None else total.figures[REQUESTS] or total.figures[OPENED]


def _edge(identity: Identity, total: _Sum, told: Iterable[_Sum]) -> Edge:
    (source, destination), (host, name, namespace) = identity.pair, identity.service
    figures = total.figures
    assert figures is not None
    secured, mtls = total.secured, total.mtls
    sources, destinations = total.source_principals, total.destination_principals
    if told:
        secured = mtls = 0
        for other in told:
            secured, mtls = secured + other.secured, mtls + other.mtls
            sources = sources | other.source_principals
            destinations = destinations | other.destination_principals
    return Edge(
        source=source,
        destination=destination,
        service=host,
        service_name=name,
        service_namespace=namespace,
        protocol=identity.protocol,
        reporter="source" if total.by_source else "destination",
        seconds=total.seconds,
        requests=figures[REQUESTS],
        responses=tuple(Response(*r, n) for r, n in sorted(total.responses.items())),
        buckets=figures[BUCKETS:],
        duration=figures[DURATION],
        request_bytes=figures[REQUEST_BYTES],
        response_bytes=figures[RESPONSE_BYTES],
        sent=figures[SENT],
        received=figures[RECEIVED],
        connections=figures[OPENED],
        mtls=mtls if secured else None,
        secured=secured,
        source_principals=tuple(sorted(sources)),
        destination_principals=tuple(sorted(destinations)),
    )
