"""The spans that agents send: one bounded queue per process, stored many batches at a time. Its counterpart on the host is relay/spans.py."""

import asyncio
import logging
from collections import deque

from django.db import DatabaseError, InterfaceError

from meshconsole import measures
from meshconsole.core.mesh import peer
from meshconsole.xds.threads import in_database
from proxyagent import protocol
from telemetry import forward, spans, spanstore

log = logging.getLogger(__name__)

MOST = 32 * 1024 * 1024
"""Bytes that wait for the store; the oldest go first, for an agent must not wait for a slow database with its configuration."""
TOGETHER = 2 * 1024 * 1024
"""Bytes stored in one transaction."""


def origin(workload: protocol.Workload) -> spans.Origin:
    """Whose spans an agent sends: proven by its certificate, so that no span needs to be believed. Named as in metrics."""
    _, namespace, _, version, service, _ = peer.describe(workload.name, workload.namespace, workload.labels).split(";")
    return spans.Origin(service, namespace, workload.name, version, proxy=True)


class Traces:
    def __init__(self) -> None:
        self.dropped = 0
        """Bytes, here and at agents."""
        self._waiting: deque[tuple[spans.Origin, bytes]] = deque()
        self._size = 0
        self._task: asyncio.Task[None] | None = None

    def put(self, origin: spans.Origin, frame: protocol.Spans) -> None:
        if frame.dropped:
            log.warning("%s/%s dropped %d bytes of spans while this console was away", origin.namespace, origin.workload, frame.dropped)
            self._drop(frame.dropped)
        self._waiting.append((origin, frame.batch))
        self._size += len(frame.batch)
        while self._size > MOST:
            gone = len(self._waiting.popleft()[1])
            self._size -= gone
            self._drop(gone)
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._drain())

    def _drop(self, size: int) -> None:
        self.dropped += size
        measures.SPAN_BYTES_DROPPED.inc(size)

    async def _drain(self) -> None:
        pause = 0.5
        while taken := self._take():
            found = await asyncio.to_thread(_parse, taken)
            forward.put(found)
            for _ in range(5):
                try:
                    await in_database(spanstore.store, found)
                except (DatabaseError, InterfaceError, OSError) as e:
                    log.warning("Spans cannot be stored now (%s); trying again", e)
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, 10)
                else:
                    pause = 0.5
                    measures.SPANS.inc(sum(piece.spans for piece in found))
                    break

    def _take(self) -> list[tuple[spans.Origin, bytes]]:
        taken: list[tuple[spans.Origin, bytes]] = []
        size = 0
        while self._waiting and (not taken or size + len(self._waiting[0][1]) <= TOGETHER):
            taken.append(self._waiting.popleft())
            size += len(taken[-1][1])
        self._size -= size
        return taken


def _parse(batches: list[tuple[spans.Origin, bytes]]) -> list[spans.Piece]:
    found: list[spans.Piece] = []
    for whose, batch in batches:
        try:
            found += spans.pieces(spans.parse(batch), whose)
        except spans.Malformed as e:
            log.error("%s/%s sent what are no spans, and they are dropped: %s", whose.namespace, whose.workload, e)
    return found


traces = Traces()
