"""The only writer of access-log records. Its counterpart is logs.py."""

import time
from collections.abc import Sequence

from .accesslog import Record
from .models import AccessRecord
from .storable import storable

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
        namespace=storable(r.namespace, 200),
        workload=storable(r.workload, 300),
        service=storable(r.service, 300),
        peer_namespace=storable(r.peer_namespace, 200),
        peer=storable(r.peer, 300),
        protocol=r.protocol,
        code=min(r.code, 999),
        flags=_between_commas(r.flags.split(",") if r.flags else (), 100),
        ms=r.ms,
        trace=r.trace,
        denied=storable(r.denied, 500),
        would=_between_commas(r.would.split(", ") if r.would else (), 500),
        policies=_between_commas(map(str, r.policies), 4000),
        said={key: storable(text) for key, text in r.said.items()},
    )


def _between_commas(words, most: int) -> str:  # type: ignore[no-untyped-def]
    """As many whole ones as there is room for: half a name is another policy's, or nobody's."""
    text = ","
    for word in words:
        if len(text) + len(word) >= most:
            break
        text += f"{storable(word)},"
    return text if text != "," else ""
