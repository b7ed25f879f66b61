"""The access-log records that agents send: one bounded queue per process, stored many batches at a time. Its counterpart on the host is relay/logs.py."""

import asyncio
import logging
from collections import deque

from django.db import DatabaseError, InterfaceError

from meshconsole.xds.threads import in_database
from proxyagent import protocol
from telemetry import accesslog, logstore
from telemetry.spans import Origin

log = logging.getLogger(__name__)

MOST = 16 * 1024 * 1024
"""Bytes that wait for the store; the oldest go first."""
TOGETHER = 1024 * 1024
"""Bytes stored in one transaction."""


class Logs:
    def __init__(self) -> None:
        self.dropped = 0
        """Bytes, here and at agents."""
        self._waiting: deque[tuple[Origin, bytes]] = deque()
        self._size = 0
        self._task: asyncio.Task[None] | None = None

    def put(self, origin: Origin, frame: protocol.Logs) -> None:
        if frame.dropped:
            log.warning(
                "%s/%s dropped %d bytes of access logs while this console was away", origin.namespace, origin.workload, frame.dropped
            )
            self.dropped += frame.dropped
        self._waiting.append((origin, frame.batch))
        self._size += len(frame.batch)
        while self._size > MOST:
            gone = len(self._waiting.popleft()[1])
            self._size -= gone
            self.dropped += gone
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._drain())

    async def _drain(self) -> None:
        pause = 0.5
        while taken := self._take():
            found = await asyncio.to_thread(_parse, taken)
            for _ in range(5):
                try:
                    await in_database(logstore.store, found)
                except (DatabaseError, InterfaceError, OSError) as e:
                    log.warning("Access logs cannot be stored now (%s); trying again", e)
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, 10)
                else:
                    pause = 0.5
                    break

    def _take(self) -> list[tuple[Origin, bytes]]:
        taken: list[tuple[Origin, bytes]] = []
        size = 0
        while self._waiting and (not taken or size + len(self._waiting[0][1]) <= TOGETHER):
            taken.append(self._waiting.popleft())
            size += len(taken[-1][1])
        self._size -= size
        return taken


def _parse(batches: list[tuple[Origin, bytes]]) -> list[accesslog.Record]:
    found: list[accesslog.Record] = []
    for whose, batch in batches:
        try:
            found += accesslog.parse(batch, whose)
        except accesslog.Malformed as e:
            log.error("%s/%s sent what are no access logs, and they are dropped: %s", whose.namespace, whose.workload, e)
    return found


logs = Logs()
