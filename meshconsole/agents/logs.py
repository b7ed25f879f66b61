"""The access-log records that agents send, on their way into the store. The counterpart on the host is relay/logs.py."""

import logging
from collections.abc import Sequence

from meshconsole import measures
from telemetry import accesslog, logstore

from .waiting import Batches, Queue

log = logging.getLogger(__name__)


def _parse(batches: Batches) -> list[accesslog.Record]:
    found: list[accesslog.Record] = []
    for whose, batch in batches:
        try:
            found += accesslog.parse(batch, whose)
        except accesslog.Malformed as e:
            log.error("%s/%s sent what are no access logs, and they are dropped: %s", whose.namespace, whose.workload, e)
            measures.LOG_BYTES_DROPPED.inc(len(batch))
    return found


def _stored(found: Sequence[accesslog.Record]) -> None:
    measures.LOG_RECORDS.inc(len(found))


logs = Queue(
    "access logs",
    most=16 * 1024 * 1024,
    together=1024 * 1024,
    parse=_parse,
    store=logstore.store,
    stored=_stored,
    lost=measures.LOG_BYTES_DROPPED.inc,
)
