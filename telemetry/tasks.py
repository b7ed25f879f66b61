"""What Celery does for the store: retention. Running a task twice, or two of them at once, is harmless."""

import time

from celery import shared_task
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Max, Sum

from .keeping import Kept, surplus
from .models import SIZE_TABLES, TABLES, AccessRecord, AgentCursor, Series, SpanPiece, TraceSummary
from .rollup import RETENTION, Resolution

FORGET_CURSOR = 90 * 86400
"""Seconds after which the cursor of an epoch that sends nothing is dropped: what an agent then still offered of it would be counted again."""
CHUNK = 5000
"""Rows deleted in one transaction: ingest waits for no more than that."""


@shared_task(ignore_result=True)
def retain() -> None:
    delete_expired(time.time())


@shared_task(ignore_result=True)
def retain_traces() -> None:
    delete_traces(time.time(), settings.TRACE_RETENTION, settings.TRACE_STORE_BYTES)


@shared_task(ignore_result=True)
def retain_logs() -> None:
    delete_logs(time.time(), settings.ACCESS_LOG_RETENTION, settings.ACCESS_LOG_RECORDS)


def delete_logs(now: float, age: float, most: int) -> int:
    """Drop records that are too old, and the oldest of those beyond `most`; how many."""
    newest = AccessRecord.objects.aggregate(newest=Max("id"))["newest"]
    if newest is None:
        return 0
    deleted = 0
    for surplus_ in (AccessRecord.objects.filter(id__lte=newest - most), AccessRecord.objects.filter(at__lt=int((now - age) * 1e6))):
        while ids := list(surplus_.order_by("id").values_list("id", flat=True)[:CHUNK]):
            deleted += AccessRecord.objects.filter(id__in=ids).delete()[0]
    return deleted


def delete_traces(now: float, age: float, limit: int) -> int:
    """Drop traces that are too old, then those that the store has no room for (keeping.py); how many."""
    expired = TraceSummary.objects.filter(start__lt=int((now - age) * 1e6)).order_by("start").values_list("id", flat=True)
    deleted = _drop(list(expired))
    if (TraceSummary.objects.aggregate(size=Sum("size"))["size"] or 0) > limit:
        rows = TraceSummary.objects.annotate(length=F("end") - F("start")).values_list(
            "id", "start", "length", "errors", "size", "namespace", "service", "name"
        )
        deleted += _drop(surplus([Kept(*row[:5], (row[5], row[6], row[7])) for row in rows.iterator()], limit))
    return deleted


def _drop(ids: list[str]) -> int:
    for at in range(0, len(ids), 500):
        chunk = ids[at : at + 500]
        with transaction.atomic():
            # The summary first: a writer of the same trace waits for us, and makes a new one for what it brings.
            TraceSummary.objects.filter(id__in=chunk).delete()
            SpanPiece.objects.filter(trace__in=chunk).delete()
    return len(ids)


def delete_expired(now: float) -> dict[str, int]:
    """Drop windows beyond their retention, series without any window left, and cursors of epochs long gone; how many rows of each."""
    deleted = {r.name.lower(): _delete(TABLES[r]._meta.db_table, '"window"', int(now) - RETENTION[r]) for r in Resolution}
    for r, table in SIZE_TABLES.items():
        deleted[f"{r.name.lower()}_sizes"] = _delete(table._meta.db_table, '"window"', int(now) - RETENTION[r])
    oldest = int(now) - RETENTION[Resolution.HOUR] - 86400  # last_seen may be an hour behind its windows
    deleted["series"] = _delete(Series._meta.db_table, '"last_seen"', oldest)
    deleted["cursors"] = _delete(AgentCursor._meta.db_table, '"updated"', int(now) - FORGET_CURSOR)
    return deleted


def _delete(table: str, column: str, before: int) -> int:
    """Short transactions: SQLite has one writer. Whole windows at a time, for the tables are clustered by them."""
    oldest = f'SELECT {column} AS at FROM "{table}" WHERE {column} < %s ORDER BY {column} LIMIT {CHUNK}'  # noqa: S608
    total = 0
    with connection.cursor() as cursor:
        while True:
            cursor.execute(f"SELECT MAX(at) FROM ({oldest}) AS oldest", [before])  # noqa: S608
            upto = cursor.fetchone()[0]
            if upto is None:
                return total
            cursor.execute(f'DELETE FROM "{table}" WHERE {column} <= %s', [upto])  # noqa: S608
            total += cursor.rowcount
