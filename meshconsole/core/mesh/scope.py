"""What a client may see of the mesh, and what it is given before it asks. `Sidecar` makes it smaller."""

from dataclasses import dataclass, field

from . import hosts as host_names
from .model import Labels


@dataclass(frozen=True)
class Scope:
    """
    Begins as everything, on demand. The compiler offers it to `Policy.narrow` of every policy of the client's namespace and of the root
    namespace, oldest first. A policy that does not hold for the client (by `labels`) returns it untouched; so does one whose
    `rank` is not greater than the scope's. Else it returns `dataclasses.replace(scope, rank=..., hosts=..., eager=..., allow_any=...)`.
    Ranks: 3 selects the workload in its own namespace, 2 the own namespace's default, 1 the root namespace's default; so the most
    specific wins, and among equals the oldest.
    """

    namespace: str
    """The client's."""
    root_namespace: str
    labels: Labels = field(default_factory=dict)
    """The client's; read with `.get`, so that the compiler sees which labels mattered."""
    gateway: bool = False
    """The client is a gateway proxy."""
    hosts: tuple[tuple[str, str], ...] | None = None
    """(namespace or `*`, host pattern) of each visible service, with `.` resolved already; None is everything, () nothing."""
    eager: bool = False
    """Visible services are delivered before a request asks for them. (`*/*` in a mesh of 1,000 services is then delivered in whole.)"""
    allow_any: bool = True
    """outboundTrafficPolicy ALLOW_ANY: a host that nobody knows is reached through DNS; else it is 502."""
    rank: int = 0
    origin: str = ""
    """`Sidecar ns/name` that narrowed it."""

    def sees(self, namespace: str, host: str) -> bool:
        """Is a service of `namespace` named `host` among the visible ones?"""
        if self.hosts is None:
            return True
        return any(ns in ("*", namespace) and host_names.matches(pattern, host) for ns, pattern in self.hosts)
