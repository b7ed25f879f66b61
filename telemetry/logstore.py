"""The only writer of access-log records. Its counterpart is logs.py."""

import time
from collections.abc import Sequence

from .accesslog import Record
from .models import AccessRecord

FUTURE = 60 * 1_000_000
"""Microseconds that a sender's clock may be ahead of ours."""
CHUNK = 500


def store(records: Sequence[Record], *, now: float | None = None) -> int:
    """Keep them; how many. What lies in the future is left out: it would head every list."""
    limit = int((time.time() if now is None else now) * 1e6) + FUTURE
    rows = [_row(r) for r in records if 0 < r.at < limit]
    AccessRecord.objects.bulk_create(rows, CHUNK)
    return len(rows)


def _row(r: Record) -> AccessRecord:
    return AccessRecord(
        at=r.at,
        reporter=r.reporter,
        namespace=_text(r.namespace, 200),
        workload=_text(r.workload, 300),
        service=_text(r.service, 300),
        peer_namespace=_text(r.peer_namespace, 200),
        peer=_text(r.peer, 300),
        protocol=r.protocol,
        code=min(r.code, 999),
        flags=_between_commas(r.flags.split(",") if r.flags else (), 100),
        ms=r.ms,
        trace=r.trace,
        denied=_text(r.denied, 500),
        would=_between_commas(r.would.split(", ") if r.would else (), 500),
        policies=_between_commas(map(str, r.policies), 4000),
        said={key: _text(text) for key, text in r.said.items()},
    )


def _between_commas(words, most: int) -> str:  # type: ignore[no-untyped-def]
    """As many whole ones as there is room for: half a name is another policy's, or nobody's."""
    text = ","
    for word in words:
        if len(text) + len(word) >= most:
            break
        text += f"{_text(word)},"
    return text if text != "," else ""


def _text(word: str, most: int | None = None) -> str:
    """PostgreSQL takes no NUL, and one record that it refuses would cost all those that are stored with it."""
    return word.replace("\0", "")[:most]
