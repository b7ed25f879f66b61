"""
Two traces beside each other: which steps are the same, which came or went, and where the time is lost. Pure.

A step is told by its way from the root: (service, name, kind) of each span on it, and its number among those of the same way.
"""

from dataclasses import dataclass

from .assemble import Node, Trace

Way = tuple[tuple[str, str, str, str, int], ...]


@dataclass(frozen=True)
class Step:
    depth: int
    before: Node | None
    after: Node | None

    @property
    def node(self) -> Node:
        found = self.after or self.before
        assert found is not None
        return found

    @property
    def word(self) -> str:
        """`new`, `gone`, `failing`, `mended`, `slower`, `faster` or `same`."""
        if self.before is None:
            return "new"
        if self.after is None:
            return "gone"
        old, new = self.before.span, self.after.span
        if new.error != old.error:
            return "failing" if new.error else "mended"
        if abs(self.delta) >= max(1000, 0.2 * old.duration):
            return "slower" if self.delta > 0 else "faster"
        return "same"

    @property
    def delta(self) -> int:
        """Microseconds that the step takes longer now; of one that came or went: all of it."""
        return (self.after.span.duration if self.after else 0) - (self.before.span.duration if self.before else 0)

    @property
    def own_delta(self) -> int:
        """The same of its own time on the critical path."""
        return (self.after.own if self.after else 0) - (self.before.own if self.before else 0)


def compare(before: Trace, after: Trace) -> list[Step]:
    """All steps in the order of the newer trace; those that are gone stand where they stood in the older one."""
    old, new = _ways(before), _ways(after)
    order: list[Way] = list(new)
    last: Way | None = None
    for way in old:
        if way not in new:
            at = order.index(last) + 1 if last in order else 0
            order.insert(at, way)
        last = way
    return [Step(len(way) - 1, old.get(way), new.get(way)) for way in order]


def _ways(trace: Trace) -> dict[Way, Node]:
    found: dict[Way, Node] = {}

    def walk(node: Node, above: Way) -> None:
        waiting = [(node, above)]
        while waiting:
            each, way = waiting.pop()
            span, n = each.span, 0
            while (mine := (*way, (span.origin.namespace, span.origin.service, span.name, span.kind, n))) in found:
                n += 1
            found[mine] = each
            waiting.extend((child, mine) for child in reversed(each.children))

    for root in trace.roots:
        walk(root, ())
    return found
