"""The only writer of spans: batches of senders in, in one transaction. Its counterpart is traces.py."""

import time
from collections.abc import Iterable, Sequence
from functools import partial
from typing import NamedTuple

from django.db import connection, transaction

from .models import SpanPiece, TraceSummary
from .spans import Piece
from .storable import storable

FUTURE = 60 * 1_000_000
"""Microseconds that a sender's clock may be ahead of ours: a trace from later than that would head every list for ever."""
_TRACE, _PIECE = TraceSummary._meta.db_table, SpanPiece._meta.db_table

_INSERT = f"""
INSERT INTO "{_PIECE}" ("trace", "service", "namespace", "workload", "version", "proxy", "start", "spans", "errors", "body", "calls")
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""  # noqa: S608 - names of our own tables


def _upsert() -> str:
    least, greatest = ("LEAST", "GREATEST") if connection.vendor == "postgresql" else ("MIN", "MAX")
    old = f'"{_TRACE}"'
    return f"""
INSERT INTO {old} ("id", "start", "end", "spans", "errors", "size", "service", "namespace", "name", "updated") VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT ("id") DO UPDATE SET
  "start" = {least}({old}."start", excluded."start"),
  "end" = {greatest}({old}."end", excluded."end"),
  "spans" = {old}."spans" + excluded."spans",
  "errors" = {old}."errors" + excluded."errors",
  "size" = {old}."size" + excluded."size",
  "service" = CASE WHEN excluded."name" <> '' THEN excluded."service" ELSE {old}."service" END,
  "namespace" = CASE WHEN excluded."name" <> '' THEN excluded."namespace" ELSE {old}."namespace" END,
  "name" = CASE WHEN excluded."name" <> '' THEN excluded."name" ELSE {old}."name" END,
  "updated" = excluded."updated"
"""  # noqa: S608 - names of our own tables


class _Sum(NamedTuple):
    start: int
    end: int
    spans: int
    errors: int
    size: int
    service: str
    namespace: str
    name: str


def store(pieces: Sequence[Piece], *, now: float | None = None) -> int:
    """Keep them all, or none; how many spans that were. What lies in the future is left out."""
    now = time.time() if now is None else now
    limit = int(now * 1e6) + FUTURE
    taken = [p for p in pieces if 0 < p.start < limit and p.end < limit]
    if not taken:
        return 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(
            _INSERT,
            [
                (p.trace, _name(p.origin.service), _name(p.origin.namespace), _name(p.origin.workload), _name(p.origin.version), p.origin.proxy, p.start, p.spans, p.errors, p.body, _calls(p.calls))
                for p in taken
            ],
        )  # fmt: skip
        # In the order of their ids: writers never wait for each other in a circle.
        cursor.executemany(_upsert(), [(id, *s, int(now)) for id, s in sorted(_sums(taken).items())])
    return sum(p.spans for p in taken)


_name = partial(storable, most=200)


def _calls(names: Sequence[str]) -> str:
    return f" {storable(' '.join(names), most=998)} " if names else ""


def _sums(pieces: Iterable[Piece]) -> dict[str, _Sum]:
    found: dict[str, _Sum] = {}
    for p in pieces:
        s, o = found.get(p.trace), p.origin
        if s is None:
            found[p.trace] = _Sum(p.start, p.end, p.spans, p.errors, len(p.body), _name(o.service), _name(o.namespace), _name(p.root))
            continue
        root = (_name(o.service), _name(o.namespace), _name(p.root)) if p.root else (s.service, s.namespace, s.name)
        found[p.trace] = _Sum(min(s.start, p.start), max(s.end, p.end), s.spans + p.spans, s.errors + p.errors, s.size + len(p.body), *root)
    return found
