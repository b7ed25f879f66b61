"""The spans that agents send, on their way into the store and to others. The counterpart on the host is relay/spans.py."""

import logging
from collections.abc import Sequence

from meshconsole import measures
from meshconsole.core.mesh import peer
from proxyagent import protocol
from telemetry import forward, spans, spanstore

from .waiting import Batches, Queue

log = logging.getLogger(__name__)


def origin(workload: protocol.Workload) -> spans.Origin:
    """Whose spans an agent sends: proven by its certificate, so that no span needs to be believed. Named as in metrics."""
    _, namespace, _, version, service, _ = peer.describe(workload.name, workload.namespace, workload.labels).split(";")
    return spans.Origin(service, namespace, workload.name, version, proxy=True)


def _parse(batches: Batches) -> list[spans.Piece]:
    found: list[spans.Piece] = []
    for whose, batch in batches:
        try:
            found += spans.pieces(spans.parse(batch), whose)
        except spans.Malformed as e:
            log.error("%s/%s sent what are no spans, and they are dropped: %s", whose.namespace, whose.workload, e)
            measures.SPAN_BYTES_DROPPED.inc(len(batch))
    return found


def _stored(found: Sequence[spans.Piece]) -> None:
    measures.SPANS.inc(sum(piece.spans for piece in found))


traces = Queue(
    "spans",
    most=32 * 1024 * 1024,
    together=2 * 1024 * 1024,
    parse=_parse,
    store=spanstore.store,
    seen=forward.put,
    stored=_stored,
    lost=measures.SPAN_BYTES_DROPPED.inc,
)
