"""Windows of time: 10 s, 1 min, 1 h. Every window is [start, start + size); the coarser are sums of the finer, so any period is a tiling."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum


class Resolution(IntEnum):
    """Seconds of one window."""

    TEN_SECONDS = 10
    MINUTE = 60
    HOUR = 3600


FINEST = Resolution.TEN_SECONDS
RETENTION: dict[Resolution, int] = {
    Resolution.TEN_SECONDS: 2 * 3600,
    Resolution.MINUTE: 2 * 86400,
    Resolution.HOUR: 90 * 86400,
}
"""Seconds that windows of each size are kept."""


@dataclass(frozen=True, slots=True)
class Tile:
    """Consecutive windows of one resolution: [start, end)."""

    resolution: Resolution
    start: int
    end: int


def window(at: float, resolution: Resolution = FINEST) -> int:
    """The window that holds what was counted until `at`: a batch that ends on a boundary belongs before it."""
    return math.ceil(at / resolution) * resolution - resolution


def coarser(start: int, resolution: Resolution) -> int:
    """The window of a coarser resolution around a finer one."""
    return start - start % resolution


def kept(start: float, now: float) -> Resolution:
    """The finest resolution that still holds the instant `start`. A minute of grace, so that nobody reads what is being deleted."""
    return next((r for r in Resolution if now - start <= RETENTION[r] - 60), Resolution.HOUR)


def snap(start: float, end: float, now: float) -> tuple[int, int]:
    """The period in whole windows: outward, to the finest windows that are still kept at each end."""
    first, last = kept(start, now), kept(end, now)
    return math.floor(start / first) * first, math.ceil(end / last) * last


def tiles(start: float, end: float, now: float, coarsest: Resolution = Resolution.HOUR) -> list[Tile]:
    """Cover snap(start, end) exactly and with the fewest windows: hours inside, minutes around them, ten seconds at the ends."""
    begin, finish = snap(start, end, now)
    return _merged(_cover(begin, finish, tuple(sorted((r for r in Resolution if r <= coarsest), reverse=True))))


def _cover(start: int, end: int, resolutions: tuple[Resolution, ...]) -> Iterable[Tile]:
    if start >= end:
        return
    size, finer = resolutions[0], resolutions[1:]
    first, last = -(-start // size) * size, end // size * size
    if first >= last:
        yield from _cover(start, end, finer)
        return
    yield from _cover(start, first, finer)
    yield Tile(size, first, last)
    yield from _cover(last, end, finer)


def _merged(parts: Iterable[Tile]) -> list[Tile]:
    result: list[Tile] = []
    for tile in parts:
        if result and result[-1].resolution is tile.resolution and result[-1].end == tile.start:
            tile = Tile(tile.resolution, result.pop().start, tile.end)
        result.append(tile)
    return result


def step_for(start: float, end: float, now: float, points: int = 120) -> int:
    """Seconds between the points of a chart: the finest that is kept at `start` and gives no more than `points` of them, on round values."""
    least = max((end - start) / points, kept(start, now))
    return next((s for s in (10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200) if s >= least), 86400)
