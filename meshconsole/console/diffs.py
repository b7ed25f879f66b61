"""Two texts side by side as rows that a template prints: unified, with the changed part of a line marked. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

CONTEXT = 3


@dataclass(frozen=True)
class Row:
    kind: str
    """same, add, del or gap (lines that are left out)."""
    old: int | None = None
    new: int | None = None
    parts: tuple[tuple[str, bool], ...] = ()
    """Pieces of the line; True where it differs."""


@dataclass(frozen=True)
class Diff:
    rows: tuple[Row, ...]
    added: int
    removed: int

    @property
    def same(self) -> bool:
        return not self.added and not self.removed


def diff(before: str, after: str, context: int = CONTEXT) -> Diff:
    old, new = before.splitlines(), after.splitlines()
    rows: list[Row] = []
    added = removed = 0
    groups = list(SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(context))
    seen_old = 0
    for group in groups:
        if left_out := group[0][1] - seen_old:
            rows.append(Row("gap", parts=((_lines(left_out), False),)))
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                rows += [Row("same", i1 + k + 1, j1 + k + 1, ((old[i1 + k], False),)) for k in range(i2 - i1)]
                continue
            removed += i2 - i1
            added += j2 - j1
            rows += _changed(old[i1:i2], new[j1:j2], i1, j1)
        seen_old = group[-1][2]
    if groups and (left_out := len(old) - seen_old):
        rows.append(Row("gap", parts=((_lines(left_out), False),)))
    return Diff(tuple(rows), added, removed)


def _lines(count: int) -> str:
    return f"{count} unchanged line{'' if count == 1 else 's'}"


def _changed(old: list[str], new: list[str], at_old: int, at_new: int) -> Iterator[Row]:
    pairs = [_within(a, b) for a, b in zip(old, new, strict=False)]
    for k, line in enumerate(old):
        yield Row("del", old=at_old + k + 1, parts=pairs[k][0] if k < len(pairs) else ((line, False),))
    for k, line in enumerate(new):
        yield Row("add", new=at_new + k + 1, parts=pairs[k][1] if k < len(pairs) else ((line, False),))


def _within(a: str, b: str) -> tuple[tuple[tuple[str, bool], ...], tuple[tuple[str, bool], ...]]:
    """What differs inside of two lines; nothing is marked when they have little in common."""
    matcher = SequenceMatcher(None, a, b, autojunk=False)
    if matcher.ratio() < 0.5:
        return ((a, False),), ((b, False),)
    left: list[tuple[str, bool]] = []
    right: list[tuple[str, bool]] = []
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if i2 > i1:
            left.append((a[i1:i2], tag != "equal"))
        if j2 > j1:
            right.append((b[j1:j2], tag != "equal"))
    return tuple(left), tuple(right)
