"""
What is new, gone, slower or failing between two moments of the same graph. Pure.

JSON (camelCase, as graph.py):

    Comparison
      kind, window
      before, now   {"start": …, "end": …}   RFC 3339 UTC
      edges   [{id, source, target, protocol, what: [Word], before: Figures | null, now: Figures | null}]   worst first; edges that stayed the same are left out
      nodes   [{id, label, what: [Word]}]   those that are new, gone, failing or mended
      gone    {"nodes": [Node], "edges": [Edge]}   as they were, so that they can be drawn
    Figures   {rate, errorShare, p50, p95, p99}
    Word      "failing" | "slower" | "gone" | "new" | "quieter" | "busier" | "faster" | "mended"   in this order, worst first
"""

from collections.abc import Iterator
from typing import Literal

from .graph import Edge, Element, Graph, GraphKind, Node

Word = Literal["failing", "slower", "gone", "new", "quieter", "busier", "faster", "mended"]
ORDER: tuple[Word, ...] = ("failing", "slower", "gone", "new", "quieter", "busier", "faster", "mended")

ENOUGH = 10
"""Requests at both moments below which a percentile or a share says nothing."""
SLOWER, LEAST_MS = 1.25, 5.0
"""A p95 that is so many times longer, and longer by so many milliseconds, is slower: half a millisecond that doubled is noise."""
BUSIER, LEAST_RATE = 2.0, 0.1
FAILING = 0.01
"""A share of failures that rose by so much, and to at least twice of what it was."""


class Moment(Element, frozen=True):
    start: str
    end: str


class Figures(Element, frozen=True):
    rate: float
    error_share: float
    p50: float | None
    p95: float | None
    p99: float | None


class EdgeChange(Element, frozen=True):
    id: str
    source: str
    target: str
    protocol: str
    what: tuple[Word, ...]
    before: Figures | None = None
    now: Figures | None = None


class NodeChange(Element, frozen=True):
    id: str
    label: str
    what: tuple[Word, ...]


class Gone(Element, frozen=True):
    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()


class Comparison(Element, frozen=True):
    kind: GraphKind
    window: int
    before: Moment
    now: Moment
    edges: tuple[EdgeChange, ...] = ()
    nodes: tuple[NodeChange, ...] = ()
    gone: Gone = Gone()


def compare(before: Graph, now: Graph) -> Comparison:
    """Both of the same kind and window."""
    old, new = {e.id: e for e in before.edges}, {e.id: e for e in now.edges}
    changes = [
        EdgeChange(some.id, some.source, some.target, some.protocol, what, _figures(old.get(id_)), _figures(new.get(id_)))
        for id_ in sorted({*old, *new})
        for what in [tuple(w for w in ORDER if w in set(_edge(old.get(id_), new.get(id_))))]
        for some in [new.get(id_) or old[id_]]
        if what
    ]
    changes.sort(key=lambda c: (ORDER.index(c.what[0]), -(c.now or c.before or Figures(0, 0, None, None, None)).rate, c.id))
    were, are = {n.id: n for n in before.nodes}, {n.id: n for n in now.nodes}
    nodes = tuple(
        NodeChange(id_, (are.get(id_) or were[id_]).label, what)
        for id_ in sorted({*were, *are})
        for what in [tuple(_node(were.get(id_), are.get(id_)))]
        if what
    )
    return Comparison(
        now.kind,
        now.window,
        Moment(before.start, before.end),
        Moment(now.start, now.end),
        tuple(changes),
        nodes,
        Gone(
            tuple(n for n in before.nodes if n.id not in are),
            tuple(e for e in before.edges if e.id not in new and _busy(e)),
        ),
    )


def _busy(edge: Edge | None) -> bool:
    return edge is not None and (edge.rate > 0 or edge.request_bytes > 0 or edge.response_bytes > 0)


def _edge(old: Edge | None, new: Edge | None) -> Iterator[Word]:
    if not _busy(old) or not _busy(new):
        if _busy(new):
            yield "new"
        elif _busy(old):
            yield "gone"
        return
    assert old is not None and new is not None
    enough = min(old.requests, new.requests) >= ENOUGH
    if enough and new.protocol != "tcp":
        if new.error_share - old.error_share >= FAILING and new.error_share >= 2 * old.error_share:
            yield "failing"
        if old.error_share - new.error_share >= FAILING and old.error_share >= 2 * new.error_share:
            yield "mended"
    if enough and old.p95 is not None and new.p95 is not None:
        if new.p95 >= SLOWER * old.p95 and new.p95 - old.p95 >= LEAST_MS:
            yield "slower"
        if old.p95 >= SLOWER * new.p95 and old.p95 - new.p95 >= LEAST_MS:
            yield "faster"
    if abs(new.rate - old.rate) >= LEAST_RATE:
        if new.rate >= BUSIER * old.rate:
            yield "busier"
        if old.rate >= BUSIER * new.rate:
            yield "quieter"


def _node(old: Node | None, new: Node | None) -> Iterator[Word]:
    if old is None:
        yield "new"
    elif new is None:
        yield "gone"
    elif new.health.status == "failure" != old.health.status:
        yield "failing"
    elif old.health.status == "failure" and new.health.status == "healthy":
        yield "mended"


def _figures(edge: Edge | None) -> Figures | None:
    return None if edge is None else Figures(edge.rate, edge.error_share, edge.p50, edge.p95, edge.p99)
