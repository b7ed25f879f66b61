"""The embedded store's reading side: tables to figures. Chosen by query.py where no Prometheus is."""

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from django.db import connection

from telemetry import sized
from telemetry.charts import Line, lines
from telemetry.edges import Edge, Figures, Place, fold
from telemetry.histogram import SIZE
from telemetry.labels import COUNTERS, Key
from telemetry.models import BUCKETS, SIZE_TABLES, SIZES, TABLES, AgentCursor
from telemetry.rollup import FINEST, Resolution, Tile, kept, tiles
from telemetry.sized import Asked

from .dictionary import Dictionary, Where

_COLUMNS = ("requests", "sent", "received", "opened", "duration", "request_bytes", "response_bytes", *BUCKETS)
_SUMS = ", ".join(f'CAST(SUM("{c}") AS {"double precision" if c == "duration" else "bigint"})' for c in _COLUMNS)
"""PostgreSQL sums bigints to numeric, which Python adds ten times slower."""
_PLAIN = ", ".join(f'"{c}"' for c in _COLUMNS)

SEEK = 20_000
"""Up to so many (window, series) pairs are looked up one by one by their key; beyond, the period is read in one run."""

LISTED = 2_000
"""Up to so many series are named in the statement; more come as one parameter: SQLite reads no statement above a megabyte."""

dictionary = Dictionary()


def edges(start: float, end: float, namespaces: Collection[str] | None, now: float) -> list[Edge]:
    parts = tiles(start, min(end, now), now)
    rows = _totals(parts)
    dictionary = _names()
    dictionary.learn(rows)
    seconds = Seconds(parts, now)
    wanted = None if namespaces is None else set(namespaces)

    def figures() -> Iterator[tuple[Place, float, Figures]]:
        for number, values in rows.items():
            at = dictionary.places.get(number)
            if at is None:
                continue  # its series was retired while we read
            if wanted is None or not wanted.isdisjoint(_namespaces(at)):
                yield at, seconds.of(dictionary.proxies[number]), values

    return fold(figures())


def series(metric: str, start: float, end: float, step: int, by: Sequence[str], where: Where, now: float) -> list[Line]:
    finest = kept(start, now)
    step = -(-step // finest) * finest
    first, last = int(start // step * step), min(end, now // FINEST * FINEST)
    steps = [(at, min(at + step, last) - at) for at in range(first, int(last), step)]
    dictionary = _names()
    numbers = _once(dictionary, dictionary.matching(where), by)
    if not steps or not numbers:
        return lines(metric, (), steps, by)
    coarsest = max(r for r in Resolution if step % r == 0)
    parts = tiles(first, last, now, coarsest)

    def rows() -> Iterator[tuple[int, Key, Place, Figures]]:
        for at, number, *values in _stepped(parts, step, numbers):
            yield at, dictionary.keys[number], dictionary.places[number], tuple(values)

    return lines(metric, rows(), steps, by)


def more(asked: Asked, start: float, end: float, step: int, by: Sequence[str], where: Where, now: float) -> list[Line]:
    finest = kept(start, now) if asked.q is None else max(kept(start, now), Resolution.MINUTE)
    step = -(-step // finest) * finest
    first, last = int(start // step * step), int(min(end, now // FINEST * FINEST))
    steps = [(at, float(min(at + step, last) - at)) for at in range(first, last, step)]
    dictionary = _names()
    numbers = dictionary.matching(where)
    if not steps or not numbers:
        return sized.lines(asked, (), steps, by)
    table, columns = _held(asked, finest)
    sums = ", ".join(f'CAST(SUM("{c}") AS bigint)' for c in columns)
    among, named = _among(numbers)
    with connection.cursor() as cursor:
        cursor.execute(
            f'SELECT "window" - "window" %% {step} AS "at", "series", {sums} FROM "{table}" '  # noqa: S608
            f'WHERE "window" >= %s AND "window" < %s AND {among} GROUP BY "at", "series"',
            [first, last, *named],
        )
        rows = [(at, dictionary.keys[number], values) for at, number, *values in cursor.fetchall() if any(values)]
    return sized.lines(asked, rows, steps, by)


def _held(asked: Asked, resolution: Resolution) -> tuple[str, Sequence[str]]:
    """The table that has it, and the columns."""
    if asked.q is None:
        return TABLES[resolution]._meta.db_table, (COUNTERS[asked.metric],)
    return SIZE_TABLES[resolution]._meta.db_table, SIZES[:SIZE] if asked.metric == "istio_request_bytes" else SIZES[SIZE:]


def _names() -> Dictionary:
    """This process's dictionary; inside of a transaction one of its own, for what is seen there may be rolled back."""
    return Dictionary() if connection.in_atomic_block else dictionary


def _once(dictionary: Dictionary, numbers: Sequence[int], by: Sequence[str]) -> list[int]:
    """What both ends report is counted once: the destination's series only where no source reports the pair (unless the reporter is asked for)."""
    if "reporter" in by:
        return list(numbers)
    places = dictionary.places
    by_source = {places[n].identity.ends for n in numbers if places[n].by_source}
    return [n for n in numbers if places[n].by_source or places[n].identity.ends not in by_source]


def _namespaces(at: Place) -> tuple[str, str, str]:
    source, destination = at.identity.pair
    return source.namespace, destination.namespace, at.identity.service[2]


class Seconds:
    """How long each proxy counted in some tiles: their length, but of the window that now lies in only what its batches cover."""

    def __init__(self, parts: Sequence[Tile], now: float) -> None:
        self.whole = float(sum(t.end - t.start for t in parts))
        self.open: dict[str, float] = {}
        last = max((t.end for t in parts), default=0)
        if last > now:
            self.whole -= FINEST
            for proxy, covered in AgentCursor.objects.filter(window=last - FINEST).values_list("proxy_id", "covered"):
                self.open[proxy] = self.open.get(proxy, 0.0) + covered

    def of(self, proxy: str) -> float:
        return max(self.whole + min(self.open.get(proxy, 0.0), float(FINEST)), 1.0)


def _totals(parts: Sequence[Tile]) -> dict[int, tuple]:
    """Sums per series over all tiles."""
    if not parts:
        return {}
    source, parameters = _rows(parts, f'"series", {_PLAIN}', None)
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT "series", {_SUMS} FROM ({source}) AS w GROUP BY "series"', parameters)  # noqa: S608
        return {row[0]: row[1:] for row in cursor.fetchall()}


def _stepped(parts: Sequence[Tile], step: int, numbers: Sequence[int]) -> list[tuple]:
    """Sums per step and series."""
    source, parameters = _rows(parts, f'"window" - "window" %% {step} AS "at", "series", {_PLAIN}', numbers)
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT "at", "series", {_SUMS} FROM ({source}) AS w GROUP BY "at", "series"', parameters)  # noqa: S608
        return cursor.fetchall()


def _rows(parts: Sequence[Tile], columns: str, numbers: Sequence[int] | None) -> tuple[str, list[Any]]:
    selects: list[str] = []
    parameters: list[Any] = []
    for tile in parts:
        where, values = _where(tile, numbers)
        selects.append(f'SELECT {columns} FROM "{TABLES[tile.resolution]._meta.db_table}" WHERE {where}')  # noqa: S608
        parameters += values
    return " UNION ALL ".join(selects), parameters


def _where(tile: Tile, numbers: Sequence[int] | None) -> tuple[str, list[Any]]:
    if numbers is None:
        return '"window" >= %s AND "window" < %s', [tile.start, tile.end]
    windows = range(tile.start, tile.end, tile.resolution)
    among, named = _among(numbers)
    if len(windows) * len(numbers) <= SEEK:
        return f'"window" IN ({", ".join(map(str, windows))}) AND {among}', named
    return f'"window" >= %s AND "window" < %s AND {among}', [tile.start, tile.end, *named]


def _among(numbers: Sequence[int]) -> tuple[str, list[Any]]:
    if len(numbers) <= LISTED:
        return f'"series" IN ({", ".join(map(str, numbers))})', []
    if connection.vendor == "postgresql":
        return '"series" = ANY(%s)', [list(numbers)]
    return '"series" IN (SELECT value FROM json_each(%s))', [json.dumps(list(numbers))]
