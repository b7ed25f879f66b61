"""The figures that one agent sends: stored in order, apart from its other frames, and acknowledged once they are stored."""

import asyncio
import logging
import time
from collections.abc import Callable

from django.db import DatabaseError, DataError, InterfaceError

from meshconsole import measures
from meshconsole.xds.threads import in_database
from proxyagent import protocol
from telemetry import ingest, samples

log = logging.getLogger(__name__)

MOST = 32
"""Batches waiting; beyond that the agent's socket is not read, until the store has caught up."""
TRIES = 3
"""Of a batch at which our own code stumbles."""


class Intake:
    __slots__ = ("_proxy_id", "_room", "_say", "_task", "_waiting")

    def __init__(self, proxy_id: str, say: Callable[[protocol.Frame], None]):
        self._proxy_id = proxy_id
        self._say = say
        self._waiting: list[protocol.Metrics] = []
        self._room: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None

    async def put(self, frame: protocol.Metrics) -> None:
        while len(self._waiting) >= MOST:
            self._room = asyncio.Event()
            await self._room.wait()
        self._waiting.append(frame)
        measures.INGEST_WAITING.inc()
        if self._task is None:
            self._task = asyncio.ensure_future(self._drain())

    async def _drain(self) -> None:
        pause, stumbled = 0.5, 0
        try:
            while self._waiting:
                frame = self._waiting[0]
                try:
                    with measures.INGEST_SECONDS.time():
                        stored = await in_database(ingest.store, self._proxy_id, frame.epoch, frame.seq, frame.batch)
                    measures.BATCHES.labels("stored").inc()
                    measures.INGEST_LAG.observe(max(time.time() - samples.end(frame.batch), 0.0))
                except ingest.Malformed as e:
                    # It would be sent again for ever; nothing of it can be kept.
                    log.error("%s sent figures that cannot be stored, and they are dropped: %s", self._proxy_id, e)
                    stored = frame.seq
                    measures.BATCHES.labels("malformed").inc()
                except DataError as e:
                    # Nor can this: no number of tries makes PostgreSQL take what is too long or too large for its columns.
                    log.error("%s sent figures that the database does not take, and they are dropped: %s", self._proxy_id, e)
                    stored = frame.seq
                    measures.BATCHES.labels("malformed").inc()
                except (DatabaseError, InterfaceError, OSError) as e:
                    log.warning("The figures of %s cannot be stored now (%s); trying again", self._proxy_id, e)
                    measures.BATCHES.labels("retried").inc()
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, 10)
                    continue
                except Exception:  # a fault of ours: what comes after it, the socket's other frames among it, must not wait for ever
                    stumbled += 1
                    log.exception("The figures of %s could not be stored (%d of %d tries)", self._proxy_id, stumbled, TRIES)
                    if stumbled < TRIES:
                        await asyncio.sleep(pause)
                        continue
                    stored = frame.seq
                    measures.BATCHES.labels("malformed").inc()
                pause, stumbled = 0.5, 0
                self._waiting.pop(0)
                measures.INGEST_WAITING.dec()
                self._say(protocol.MetricsStored(frame.epoch, stored))
                if self._room is not None:
                    self._room.set()
        finally:
            self._task = None

    def close(self) -> None:
        """What is not stored yet was not acknowledged: the agent sends it again."""
        measures.INGEST_WAITING.dec(len(self._waiting))
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()
