"""The embedded store's reading side: tables to figures. Chosen by query.py when no Prometheus is configured."""

import threading
import time
from collections.abc import Collection, Iterable, Iterator, Sequence

from django.db import connection

from telemetry.edges import Edge, Figures, Place, fold, place
from telemetry.labels import Key
from telemetry.models import BUCKETS, TABLES, AgentCursor, Series
from telemetry.rollup import FINEST, Tile, tiles

_COLUMNS = ("requests", "sent", "received", "opened", "duration", "request_bytes", "response_bytes", *BUCKETS)
_SUMS = ", ".join(f'SUM("{c}")' for c in _COLUMNS)
_PLAIN = ", ".join(f'"{c}"' for c in _COLUMNS)
_FIRST_BUCKET = len(_COLUMNS) - len(BUCKETS)

SEEK = 20_000
"""Up to so many (window, series) pairs are looked up one by one by their key; beyond, the period is read in one run."""


class Reader:
    """What this process has read of the dictionary: series -> where it belongs. Numbers are never used again, so it only grows stale by what is gone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.places: dict[int, Place] = {}
        self.keys: dict[int, Key] = {}
        self.proxies: dict[int, str] = {}
        self._shared: dict[object, object] = {}

    def learn(self, numbers: Iterable[int]) -> None:
        missing = [n for n in numbers if n not in self.places]
        if not missing:
            return
        with self._lock:
            if len(missing) > 2000:
                rows: Iterable = Series.objects.values_list("id", "proxy_id", "key").iterator(chunk_size=5000)
            else:
                rows = (
                    row
                    for i in range(0, len(missing), 500)
                    for row in Series.objects.filter(id__in=missing[i : i + 500]).values_list("id", "proxy_id", "key")
                )
            share = self._shared.setdefault
            for number, proxy, key in rows:
                if number in self.places:
                    continue
                key = tuple(share(value, value) for value in key)
                at = place(key)
                self.keys[number] = key
                self.proxies[number] = share(proxy, proxy)
                self.places[number] = at

    def forget(self) -> None:
        with self._lock:
            for known in (self.places, self.keys, self.proxies, self._shared):
                known.clear()


reader = Reader()


def edges(start: float, end: float, namespaces: Collection[str] | None = None, *, now: float | None = None) -> list[Edge]:
    now = time.time() if now is None else now
    parts = tiles(start, min(end, now), now)
    rows = _totals(parts)
    reader.learn(rows)
    seconds = Seconds(parts, now)
    wanted = None if namespaces is None else set(namespaces)

    def figures() -> Iterator[tuple[Place, float, Figures]]:
        for number, values in rows.items():
            at = reader.places.get(number)
            if at is None:
                continue  # its series was retired while we read
            if wanted is None or at.pair[0].namespace in wanted or at.pair[1].namespace in wanted or at.service[2] in wanted:
                yield at, seconds.of(reader.proxies[number]), Figures(*values[:_FIRST_BUCKET], values[_FIRST_BUCKET:])

    return fold(figures())


class Seconds:
    """How long each proxy counted in some tiles: their length, but of the window that now lies in only what its batches cover."""

    def __init__(self, parts: Sequence[Tile], now: float) -> None:
        self.whole = float(sum(t.end - t.start for t in parts))
        self.open: dict[str, float] = {}
        last = max((t.end for t in parts), default=0)
        if last > now:
            window = last - FINEST
            self.whole -= FINEST
            for proxy, covered in AgentCursor.objects.filter(window=window).values_list("proxy_id", "covered"):
                self.open[proxy] = self.open.get(proxy, 0.0) + covered

    def of(self, proxy: str) -> float:
        return max(self.whole + min(self.open.get(proxy, 0.0), float(FINEST)), 1.0)


def _totals(parts: Sequence[Tile], series: Sequence[int] | None = None) -> dict[int, tuple]:
    """Sums per series over all tiles."""
    union, parameters = [], []
    for tile in parts:
        where, values = _where(tile, series)
        union.append(f'SELECT "series", {_PLAIN} FROM "{TABLES[tile.resolution]._meta.db_table}" WHERE {where}')  # noqa: S608
        parameters += values
    if not union:
        return {}
    source = " UNION ALL ".join(union)
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT "series", {_SUMS} FROM ({source}) AS w GROUP BY "series"', parameters)  # noqa: S608
        return {row[0]: row[1:] for row in cursor.fetchall()}


def _where(tile: Tile, series: Sequence[int] | None) -> tuple[str, list[int]]:
    if series is None:
        return '"window" >= %s AND "window" < %s', [tile.start, tile.end]
    windows = range(tile.start, tile.end, tile.resolution)
    names = ", ".join(map(str, series)) or "NULL"
    if len(windows) * len(series) <= SEEK:
        return f'"window" IN ({", ".join(map(str, windows))}) AND "series" IN ({names})', []
    return f'"window" >= %s AND "window" < %s AND "series" IN ({names})', [tile.start, tile.end]
