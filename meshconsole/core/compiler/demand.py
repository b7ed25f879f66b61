"""What a proxy has asked for: it grows as its Envoy meets hosts that it does not know, and is kept on the agent's disk."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Demand:
    hosts: frozenset[str] = frozenset()
    """Authorities, as requests named them: `reviews:9080`."""
    clusters: frozenset[str] = frozenset()
    """Names of clusters that Envoy asked for by themselves (ODCDS)."""
