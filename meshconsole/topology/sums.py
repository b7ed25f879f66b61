"""What several edges of traffic add up to: the figures of one drawn edge, or of all that enters or leaves a node."""

from collections.abc import Iterable, Sequence
from operator import add

from telemetry.edges import Edge as Traffic
from telemetry.edges import failure
from telemetry.histogram import quantiles


def rounded(value: float) -> float:
    """4 significant digits: what a person can tell apart, and what keeps diffs small."""
    return float(f"{value:.4g}") if value else 0.0


class Flow:
    """Counts and rates of all that goes one way."""

    __slots__ = (
        "answers", "clusters", "connection_rate", "connections", "errors_4xx", "errors_5xx", "mtls", "rate", "request_rate", "requests",
        "response_rate", "secured", "tcp_bytes", "tcp_rate", "weight",
    )  # fmt: skip

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str, str, str], int] = {}
        """(protocol, code, gRPC status, flags) -> requests"""
        self.clusters: set[str] = set()
        """Names of the services whose requests reached no workload."""
        self.rate = self.connection_rate = self.request_rate = self.response_rate = self.tcp_rate = 0.0
        self.requests = self.connections = self.tcp_bytes = self.errors_4xx = self.errors_5xx = 0
        self.mtls = self.secured = self.weight = 0

    def merge(self, other: "Flow") -> None:
        self.requests += other.requests
        self.rate += other.rate
        self.request_rate += other.request_rate
        self.response_rate += other.response_rate
        self.weight += other.weight
        self.mtls += other.mtls
        self.secured += other.secured
        self.errors_4xx += other.errors_4xx
        self.errors_5xx += other.errors_5xx
        if other.connections or other.tcp_bytes:
            self.connections += other.connections
            self.connection_rate += other.connection_rate
            self.tcp_bytes += other.tcp_bytes
            self.tcp_rate += other.tcp_rate
        if other.clusters:
            self.clusters |= other.clusters
        for answer, n in other.answers.items():
            self.answers[answer] = self.answers.get(answer, 0) + n

    @property
    def error_share(self) -> float:
        return self.share(self.errors_4xx + self.errors_5xx)

    @property
    def mtls_share(self) -> float | None:
        return rounded(self.mtls / self.secured) if self.secured else None

    @property
    def responses(self) -> dict[tuple[str, str], int]:
        """As health judges them: by protocol and code, `-` for no response; a gRPC status stands in for its code."""
        result: dict[tuple[str, str], int] = {}
        for (protocol, code, status, _), n in self.answers.items():
            key = (protocol, status or _code(code))
            result[key] = result.get(key, 0) + n
        return result

    def share(self, requests: int) -> float:
        return requests / self.requests if self.requests else 0.0


class Sums(Flow):
    """All of one drawn edge."""

    __slots__ = ("buckets", "duration", "reporters", "services", "source_principals", "target_principals")

    def __init__(self) -> None:
        super().__init__()
        self.buckets: Sequence[int] = ()
        self.duration = 0.0
        self.reporters: set[str] = set()
        self.services: set[str] = set()
        self.source_principals: set[str] = set()
        self.target_principals: set[str] = set()

    def add(self, edge: Traffic) -> None:
        seconds = edge.seconds or 1.0
        self.requests += edge.requests
        self.rate += edge.requests / seconds
        if edge.protocol == "tcp":
            tcp = edge.sent + edge.received
            self.connections += edge.connections
            self.connection_rate += edge.connections / seconds
            self.tcp_bytes += tcp
            self.tcp_rate += tcp / seconds
            self.weight += edge.connections or (1 if tcp else 0)
        self.weight += edge.requests
        self.request_rate += (edge.request_bytes + edge.received) / seconds
        self.response_rate += (edge.response_bytes + edge.sent) / seconds
        if edge.mtls is not None:
            self.mtls += edge.mtls
            self.secured += edge.secured
        for response in edge.responses:
            code, status, flags, n = response
            answer = (edge.protocol, code, status, flags)
            self.answers[answer] = self.answers.get(answer, 0) + n
            match failure(response):
                case 4:
                    self.errors_4xx += n
                case 5:
                    self.errors_5xx += n
        if not edge.destination.known:
            self.clusters.add(edge.service_name)
        self.buckets = tuple(map(add, self.buckets, edge.buckets)) if self.buckets else edge.buckets
        self.duration += edge.duration
        self.reporters.add(edge.reporter)
        if edge.service:
            self.services.add(edge.service)
        self.source_principals.update(edge.source_principals)
        self.target_principals.update(edge.destination_principals)

    @property
    def reporter(self) -> str:
        return "source" if "source" in self.reporters else "destination"

    def codes(self) -> dict[str, int]:
        return _counted((_code(code), n) for (_, code, _, _), n in self.answers.items())

    def statuses(self) -> dict[str, int]:
        return _counted((status, n) for (_, _, status, _), n in self.answers.items() if status)

    def flags(self) -> dict[str, int]:
        return _counted((flag, n) for (_, _, _, flags), n in self.answers.items() if flags not in ("", "-") for flag in flags.split(","))

    def quantiles(self) -> tuple[float | None, float | None, float | None]:
        if not any(self.buckets):
            return None, None, None
        p50, p95, p99 = (rounded(q or 0.0) for q in quantiles((0.5, 0.95, 0.99), self.buckets))
        return p50, p95, p99


def _code(code: str) -> str:
    return "-" if code in ("", "0") else code


def _counted(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    result: dict[str, int] = {}
    for name, n in pairs:
        result[name] = result.get(name, 0) + n
    return dict(sorted(result.items())) if len(result) > 1 else result
