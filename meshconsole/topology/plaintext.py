"""Who still speaks plaintext to whom: what must be migrated before STRICT refuses it. Pure; strictness.py brings policies and traffic together."""

from collections.abc import Iterable
from dataclasses import dataclass

from telemetry.edges import Edge


@dataclass(frozen=True)
class Inbound:
    """What one workload got, as far as its proxy knows how it came."""

    secured: int
    """Requests and connections of which it is known."""
    mtls: int
    callers: tuple[tuple[str, int], ...]
    """(`<namespace>/<workload>`, or `unknown`; plaintext requests), the most first."""

    @property
    def plaintext(self) -> int:
        return self.secured - self.mtls

    @property
    def share(self) -> float | None:
        """Of plaintext; None without traffic."""
        return self.plaintext / self.secured if self.secured else None


def inbound(edges: Iterable[Edge]) -> dict[tuple[str, str], Inbound]:
    """(namespace, workload) -> what it got."""
    found: dict[tuple[str, str], list[int]] = {}
    callers: dict[tuple[str, str], dict[str, int]] = {}
    for edge in edges:
        if edge.mtls is None or not edge.destination.known:
            continue
        at = (edge.destination.namespace, edge.destination.workload)
        counts = found.setdefault(at, [0, 0])
        counts[0] += edge.secured
        counts[1] += edge.mtls
        if plain := edge.secured - edge.mtls:
            name = f"{edge.source.namespace}/{edge.source.workload}" if edge.source.known else "unknown"
            own = callers.setdefault(at, {})
            own[name] = own.get(name, 0) + plain
    return {
        at: Inbound(secured, mtls, tuple(sorted(callers.get(at, {}).items(), key=lambda c: (-c[1], c[0]))))
        for at, (secured, mtls) in found.items()
    }
