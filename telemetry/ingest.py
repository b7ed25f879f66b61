"""The only writer of figures: one batch of deltas in, once, in one transaction with the agent's cursor. Its counterpart is query.py."""

import logging
import math
import time
from operator import add

import msgspec
from django.db import connection, transaction

from . import samples
from .histogram import SIZE, rebucket
from .labels import COUNTERS, DURATION, SIZES, Key, key
from .models import AgentCursor
from .rollup import FINEST, window
from .series import Dictionary
from .upsert import OF_SIZES, add_up, advance

log = logging.getLogger(__name__)

FUTURE = 5.0
"""Seconds that an agent's clock may be ahead of ours; a batch from later than that is placed at our now."""

_dictionary = Dictionary()
_COLUMNS = ("requests", "sent", "received", "opened", "closed", "request_messages", "response_messages")
_POSITION = {metric: _COLUMNS.index(column) for metric, column in COUNTERS.items()}
_DURATION = len(_COLUMNS)
_SIZE = {"istio_request_bytes": _DURATION + 1, "istio_response_bytes": _DURATION + 2}
_BUCKETS = _DURATION + 3
_WIDTH = _BUCKETS + SIZE
_SIZE_BUCKETS = {"istio_request_bytes": _WIDTH, "istio_response_bytes": _WIDTH + SIZE}
_WHOLE = _WIDTH + 2 * SIZE


class Malformed(ValueError):
    """Bytes that are no batch, or figures that cannot be: nothing of it was stored."""


def store(proxy_id: str, epoch: str, seq: int, batch: bytes, *, now: float | None = None) -> int:
    """
    Count a batch, if (epoch, seq) is newer than what is stored for this agent; the highest stored seq of the epoch.

    Idempotent: a repeated or older seq changes nothing. A gap is accepted (the agent gave up on what lies in it). Raises Malformed.
    """
    if not proxy_id or not epoch or len(epoch) > 64 or seq < 0:
        raise Malformed(f"not a cursor: proxy {proxy_id!r}, epoch {epoch!r}, seq {seq}")
    try:
        decoded = samples.decode(batch)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise Malformed(str(e)) from e
    now = time.time() if now is None else now
    rows = figures(decoded)
    at = window(min(decoded.end, now + FUTURE))
    covered = min(max(decoded.end - decoded.start, 0.0), float(FINEST))
    # Numbers seen in somebody else's unfinished transaction may never be.
    dictionary = Dictionary(_dictionary.limit) if connection.in_atomic_block else _dictionary
    with transaction.atomic():
        if not advance(proxy_id, epoch, seq, at, covered, int(now)):
            return AgentCursor.objects.values_list("seq", flat=True).get(proxy_id=proxy_id, epoch=epoch)
        ids = dictionary.ids(proxy_id, list(rows), int(now))
        by_series = _by_series(ids, rows)
        add_up(at, [(series, row[:_WIDTH]) for series, row in by_series])
        add_up(at, [(series, sizes) for series, row in by_series if any(sizes := row[_WIDTH:])], OF_SIZES)
        transaction.on_commit(ids.keep)
    return seq


def forget() -> None:
    """Drop what this process remembers of the dictionary."""
    _dictionary.forget()


def figures(batch: samples.Batch) -> dict[Key, list[float]]:
    """A batch as one row of columns per label set. Raises Malformed."""
    if not (math.isfinite(batch.start) and math.isfinite(batch.end) and batch.start >= 0 and batch.end > 0):
        raise Malformed(f"a batch from {batch.start} to {batch.end}")
    rows: dict[Key, list[float]] = {}
    for counter in batch.counters:
        position = _POSITION.get(counter.name)
        if position is None:
            continue  # a newer agent may send more than this console keeps
        if not 0 <= counter.value < 2**62:
            raise Malformed(f"{counter.name} moved by {counter.value}")
        _row(rows, counter.labels)[position] += round(counter.value)
    for histogram in batch.histograms:
        if histogram.name != DURATION and histogram.name not in SIZES:
            continue
        if not (0 <= histogram.sum < 2**62) or min(histogram.buckets, default=0) < 0 or max(histogram.buckets, default=0) >= 2**62:
            raise Malformed(f"{histogram.name} moved by {histogram.sum}, {histogram.buckets}")
        if len(histogram.buckets) != len(batch.bounds) + 1:
            raise Malformed(f"{histogram.name} has {len(histogram.buckets)} buckets for {len(batch.bounds)} bounds")
        row = _row(rows, histogram.labels)
        buckets = histogram.buckets if batch.bounds == samples.ISTIO_BOUNDS else rebucket(histogram.buckets, batch.bounds)
        if histogram.name == DURATION:
            row[_DURATION] += histogram.sum
            first = _BUCKETS
        else:
            row[_SIZE[histogram.name]] += round(histogram.sum)
            first = _SIZE_BUCKETS[histogram.name]
        row[first : first + SIZE] = map(add, row[first : first + SIZE], buckets)
    return rows


def _row(rows: dict[Key, list[float]], labels: samples.Labels) -> list[float]:
    k = key(labels)
    row = rows.get(k)
    if row is None:
        row = rows[k] = [0] * _WHOLE
    return row


def _by_series(ids: "dict[Key, int]", rows: dict[Key, list[float]]) -> list[tuple[int, list[float]]]:
    """Rows by series, those that share one (the overflow series) added up, in the order of their ids: writers never wait for each other in a circle."""
    result: dict[int, list[float]] = {}
    for k, row in rows.items():
        series = ids[k]
        there = result.get(series)
        result[series] = row if there is None else list(map(add, there, row))
    return sorted(result.items())
