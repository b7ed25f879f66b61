"""Tail sampling: which traces go when there is no room for all. Decided when the whole trace has long come, so by what it became. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

SLOW = 0.95
"""The slowest twentieth of what a root does (its service and name) is kept like errors are."""
FEWEST = 20
"""Of fewer traces of a root than this, none is called slow."""
ROOM = 0.9
"""The share of the limit that is full afterwards: so not every run has to drop something."""


class Kept(NamedTuple):
    id: str
    start: int
    duration: int
    errors: int
    size: int
    root: tuple[str, ...]


def surplus(traces: Sequence[Kept], limit: int) -> list[str]:
    """Ids to drop so that `limit` bytes are enough: the ordinary ones first, the oldest of them first; only then the oldest at all."""
    over = sum(t.size for t in traces) - int(limit * ROOM)
    if over <= limit * (1 - ROOM):
        return []
    slow = _thresholds(traces)
    ordinary: list[Kept] = []
    special: list[Kept] = []
    for t in sorted(traces, key=lambda t: (t.start, t.id)):
        (special if t.errors or t.duration > slow.get(t.root, t.duration) else ordinary).append(t)
    gone = []
    for t in (*ordinary, *special):
        if over <= 0:
            break
        gone.append(t.id)
        over -= t.size
    return gone


def _thresholds(traces: Sequence[Kept]) -> dict[tuple[str, ...], int]:
    durations: dict[tuple[str, ...], list[int]] = {}
    for t in traces:
        durations.setdefault(t.root, []).append(t.duration)
    return {root: sorted(all_)[int(len(all_) * SLOW)] for root, all_ in durations.items() if len(all_) >= FEWEST}
