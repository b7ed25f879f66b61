"""What changed between two graphs of the same kind: small to send, and enough to make the new one of the old."""

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from .graph import Box, Edge, Element, Graph, GraphKind, Node, Proxies, Totals

E = TypeVar("E", Node, Edge, Box)


class Changes(Element, frozen=True):
    add: tuple[dict[str, Any], ...] = ()
    change: tuple[dict[str, Any], ...] = ()
    """`id` and the fields that differ, by their JSON names."""
    remove: tuple[str, ...] = ()


class Diff(Element, frozen=True):
    kind: GraphKind
    window: int
    start: str
    end: str
    namespaces: tuple[str, ...] | None
    totals: Totals
    proxies: Proxies
    nodes: Changes = Changes()
    edges: Changes = Changes()
    boxes: Changes = Changes()

    @property
    def empty(self) -> bool:
        return not any(c.add or c.change or c.remove for c in (self.nodes, self.edges, self.boxes))


def diff(old: Graph, new: Graph) -> Diff:
    return Diff(
        kind=new.kind,
        window=new.window,
        start=new.start,
        end=new.end,
        namespaces=new.namespaces,
        totals=new.totals,
        proxies=new.proxies,
        nodes=_changes(old.nodes, new.nodes),
        edges=_changes(old.edges, new.edges),
        boxes=_changes(old.boxes, new.boxes),
    )


def apply(change: Diff, graph: Graph) -> Graph:
    """What the browser does, here for the tests and for clients in Python: diff(a, b) applied to a is b."""
    return Graph(
        kind=change.kind,
        window=change.window,
        start=change.start,
        end=change.end,
        namespaces=change.namespaces,
        totals=change.totals,
        proxies=change.proxies,
        nodes=_applied(change.nodes, graph.nodes, Node),
        edges=_applied(change.edges, graph.edges, Edge),
        boxes=_applied(change.boxes, graph.boxes, Box),
    )


def _changes(old: Sequence[E], new: Sequence[E]) -> Changes:
    before = {e.id: e for e in old}
    after = {e.id: e for e in new}
    return Changes(
        add=tuple(msgspec.to_builtins(e) for e in new if e.id not in before),
        change=tuple(_fields(before[e.id], e) for e in new if e.id in before and before[e.id] != e),
        remove=tuple(e.id for e in old if e.id not in after),
    )


def _fields(old: E, new: E) -> dict[str, Any]:
    changed: dict[str, Any] = {"id": new.id}
    for name, outside in zip(new.__struct_fields__, new.__struct_encode_fields__, strict=True):
        value = getattr(new, name)
        if getattr(old, name) != value:
            changed[outside] = msgspec.to_builtins(value)
    return changed


def _applied(changes: Changes, elements: Sequence[E], kind: type[E]) -> tuple[E, ...]:
    there: dict[str, dict[str, Any]] = {e.id: msgspec.to_builtins(e) for e in elements}
    for id_ in changes.remove:
        del there[id_]
    for element in changes.add:
        there[element["id"]] = element
    for fields in changes.change:
        there[fields["id"]] |= fields
    return tuple(msgspec.convert(there[id_], kind) for id_ in sorted(there))
