"""
Spans become a trace: a tree, what made it slow, and what the mesh did to it. Pure.

The critical path is where a shorter span would have made the whole shorter: from the root's end backwards, always into the child that ended
last before, and what lies between the children is the span's own.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from .spans import Span

OVERLAP = 0.2
"""A child that ends this share of itself after the next one began still came before it: a proxy ends its span after its caller has gone on."""


@dataclass
class Node:
    span: Span
    depth: int = 0
    children: list["Node"] = field(default_factory=list)
    critical: list[tuple[int, int]] = field(default_factory=list)
    """Stretches of time (microseconds since 1970) in which this span, and not a child of it, is on the critical path."""

    @property
    def own(self) -> int:
        """Microseconds on the critical path."""
        return sum(end - start for start, end in self.critical)


@dataclass(frozen=True)
class Trace:
    id: str
    roots: tuple[Node, ...]
    """More than one where spans are missing: those whose parent did not come are roots too."""
    nodes: tuple[Node, ...]
    """All, parents before their children, in the order of time."""
    start: int
    end: int

    @property
    def duration(self) -> int:
        return self.end - self.start

    @property
    def errors(self) -> int:
        return sum(node.span.error for node in self.nodes)

    @property
    def services(self) -> list[tuple[str, str]]:
        """(namespace, service), in the order in which they were reached."""
        return list(dict.fromkeys((n.span.origin.namespace, n.span.origin.service) for n in self.nodes))


def assemble(id: str, spans: Iterable[Span]) -> Trace | None:
    """None where there are no spans. A span that came twice counts once."""
    nodes = {span.id: Node(span) for span in spans}
    if not nodes:
        return None
    ordered = sorted(nodes.values(), key=_order)
    roots = []
    for node in ordered:
        parent = nodes.get(node.span.parent)
        if parent is None or parent is node or _descends(parent, node, nodes):
            roots.append(node)
        else:
            parent.children.append(node)
    flat: list[Node] = []
    waiting = [(root, 0) for root in reversed(roots)]
    while waiting:
        node, node.depth = waiting.pop()
        flat.append(node)
        waiting.extend((child, node.depth + 1) for child in reversed(node.children))
    trace = Trace(id, tuple(roots), tuple(flat), min(n.span.start for n in flat), max(n.span.end for n in flat))
    _mark(max(roots, key=lambda n: (n.span.duration, -n.span.start)))
    return trace


def _order(node: Node) -> tuple[int, int, str]:
    return node.span.start, -node.span.end, node.span.id


def _descends(node: Node, ancestor: Node, nodes: dict[str, Node]) -> bool:
    """Spans that name each other as parents (a sender's fault) would be reached from nowhere."""
    seen = set()
    at: Node | None = node
    while at is not None and at.span.id not in seen:
        if at is ancestor:
            return True
        seen.add(at.span.id)
        at = nodes.get(at.span.parent)
    return False


def _mark(root: Node) -> None:
    waiting = [(root, root.span.start, root.span.end)]
    while waiting:
        node, start, cursor = waiting.pop()
        start, last = max(start, node.span.start), cursor
        for child in sorted(node.children, key=lambda n: (-n.span.end, -n.span.start)):
            # Clocks of two hosts differ: a child counts only as far as it lies inside of its parent.
            end, begin = min(child.span.end, cursor), max(child.span.start, start)
            over = child.span.end - cursor
            if begin >= end or (over > OVERLAP * child.span.duration and cursor < last):
                continue  # ran beside a child that ended later
            if end < cursor:
                node.critical.append((end, cursor))
            waiting.append((child, begin, end))
            cursor = begin
        if start < cursor:
            node.critical.append((start, cursor))
        node.critical.reverse()
