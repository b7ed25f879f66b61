"""
The only door by which figures are read. Its counterpart is ingest.py.

Times are unix seconds; a period is answered in whole windows of the finest size that is still kept (rollup.py).
"""

from collections.abc import Collection

from .edges import Edge, Peer, Response, failure
from .stores import embedded

__all__ = ["Edge", "Peer", "Response", "edges", "failure"]


def edges(start: float, end: float, namespaces: Collection[str] | None = None, *, now: float | None = None) -> list[Edge]:
    """All edges with traffic in [start, end) that touch one of `namespaces` (None: any), each counted once, sorted."""
    return embedded.edges(start, end, namespaces, now=now)
