"""The SQL that counts: cursors move forward only, windows add up. The same statements on SQLite and PostgreSQL."""

from collections.abc import Sequence

from django.db import connection

from .models import TABLES, VALUES, AgentCursor
from .rollup import coarser

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


def _add(table: str) -> str:
    columns = ", ".join(f'"{c}"' for c in ("window", "series", *VALUES))
    places = ", ".join(["%s"] * (len(VALUES) + 2))
    sums = ", ".join(f'"{c}" = "{table}"."{c}" + excluded."{c}"' for c in VALUES)
    return f'INSERT INTO "{table}" ({columns}) VALUES ({places}) ON CONFLICT ("window", "series") DO UPDATE SET {sums}'  # noqa: S608


_ADD = {resolution: _add(model._meta.db_table) for resolution, model in TABLES.items()}


def advance(proxy_id: str, epoch: str, seq: int, window: int, covered: float, now: int) -> bool:
    """Move the cursor to `seq`; False (and nothing changed) when it is there or beyond. A concurrent writer of the same cursor waits here."""
    with connection.cursor() as cursor:
        cursor.execute(_ADVANCE, (proxy_id, epoch, seq, window, covered, now))
        return cursor.rowcount == 1


def add_up(window: int, rows: Sequence[tuple[int, Sequence[float]]]) -> None:
    """Add rows (series, VALUES) to their 10 s window and to the minute and hour around it, which so are complete at any time."""
    if not rows:
        return
    with connection.cursor() as cursor:
        for resolution, statement in _ADD.items():
            at = coarser(window, resolution)
            cursor.executemany(statement, [(at, series, *values) for series, values in rows])
