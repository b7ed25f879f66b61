"""The SQL that counts: cursors move forward only, windows add up. The same statements on SQLite and PostgreSQL."""

from collections.abc import Mapping, Sequence

from django.db import connection
from django.db.models import Model

from .models import SIZE_TABLES, SIZES, TABLES, VALUES, AgentCursor
from .rollup import Resolution, coarser

_CURSOR = AgentCursor._meta.db_table

_ADVANCE = f"""
INSERT INTO "{_CURSOR}" ("proxy_id", "epoch", "seq", "window", "covered", "updated") VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT ("proxy_id", "epoch") DO UPDATE SET
  "seq" = excluded."seq",
  "covered" = excluded."covered" + CASE WHEN "{_CURSOR}"."window" = excluded."window" THEN "{_CURSOR}"."covered" ELSE 0 END,
  "window" = excluded."window",
  "updated" = excluded."updated"
WHERE "{_CURSOR}"."seq" < excluded."seq"
"""  # noqa: S608 - names of our own tables


class Into:
    """Tables of equal columns that add up: one per resolution."""

    def __init__(self, tables: Mapping[Resolution, type[Model]], values: Sequence[str]) -> None:
        self.resolutions = tuple(tables)
        self._values = values
        self._columns = ", ".join(f'"{c}"' for c in ("window", "series", *values))
        names = {resolution: model._meta.db_table for resolution, model in tables.items()}
        self.one_row = {resolution: self._one_row(table) for resolution, table in names.items()}
        self.all_rows = self._all_rows(names)

    def _on_conflict(self, table: str) -> str:
        return 'ON CONFLICT ("window", "series") DO UPDATE SET ' + ", ".join(
            f'"{c}" = "{table}"."{c}" + excluded."{c}"' for c in self._values
        )

    def _one_row(self, table: str) -> str:
        places = ", ".join(["%s"] * (len(self._values) + 2))
        return f'INSERT INTO "{table}" ({self._columns}) VALUES ({places}) {self._on_conflict(table)}'  # noqa: S608

    def _all_rows(self, tables: Mapping[Resolution, str]) -> str:
        """PostgreSQL: one statement for all rows and tables, the columns as arrays; four times as fast as row by row (22,000 rows in 2.0 s, not 7.8 s)."""
        types = ", ".join(f"%s::{'double precision' if c == 'duration' else 'bigint'}[]" for c in ("series", *self._values))
        names = ", ".join(f'"{c}"' for c in ("series", *self._values))
        inserts = [
            f'"into_{r}" AS (INSERT INTO "{t}" ({self._columns}) SELECT %s::bigint, {names} FROM "new" ORDER BY "series" {self._on_conflict(t)})'  # noqa: S608
            for r, t in tables.items()
        ]
        return f'WITH "new" ({names}) AS MATERIALIZED (SELECT * FROM unnest({types})), {", ".join(inserts)} SELECT 1'  # noqa: S608


FIGURES = Into(TABLES, VALUES)
OF_SIZES = Into(SIZE_TABLES, SIZES)


def advance(proxy_id: str, epoch: str, seq: int, window: int, covered: float, now: int) -> bool:
    """Move the cursor to `seq`; False (and nothing changed) when it is there or beyond. A concurrent writer of the same cursor waits here."""
    with connection.cursor() as cursor:
        cursor.execute(_ADVANCE, (proxy_id, epoch, seq, window, covered, now))
        return cursor.rowcount == 1


def add_up(window: int, rows: Sequence[tuple[int, Sequence[float]]], into: Into = FIGURES) -> None:
    """Add rows (series, values) to their 10 s window and to the minute and hour around it, which so are complete at any time."""
    if not rows:
        return
    windows = {resolution: coarser(window, resolution) for resolution in into.resolutions}
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            columns = [[series for series, _ in rows], *map(list, zip(*(values for _, values in rows), strict=True))]
            cursor.execute(into.all_rows, [*columns, *windows.values()])
            return
        for resolution, statement in into.one_row.items():
            at = windows[resolution]
            cursor.executemany(statement, [(at, series, *values) for series, values in rows])
