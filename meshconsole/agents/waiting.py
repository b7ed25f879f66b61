"""What agents send and the store takes in time: one bounded queue per process, stored many batches at a time."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from django.db import DatabaseError, InterfaceError, OperationalError

from meshconsole.xds.threads import in_database
from telemetry.spans import Origin

log = logging.getLogger(__name__)

TRIES = 5
"""Of a batch that the database refuses. While it cannot be reached a batch waits, and the queue behind it stays bounded."""
Batches = Sequence[tuple[Origin, bytes]]


Found = TypeVar("Found")


class Queue(Generic[Found]):
    def __init__(
        self,
        what: str,
        *,
        most: int,
        together: int,
        parse: Callable[[Batches], Sequence[Found]],
        store: Callable[[Sequence[Found]], object],
        seen: Callable[[Sequence[Found]], None] = lambda found: None,
        stored: Callable[[Sequence[Found]], None],
        lost: Callable[[int], object],
        pause: float = 0.5,
    ) -> None:
        """
        `most`: bytes that wait; the oldest go first, for an agent must not wait for a slow database with its configuration. `together`: bytes
        stored in one transaction. `seen` before it is stored, `stored` after; `lost`: so many bytes were dropped, here or at an agent.
        """
        self.dropped = 0
        """Bytes, here and at agents."""
        self._what, self._most, self._together, self._pause = what, most, together, pause
        self._parse, self._store, self._seen, self._stored, self._lost = parse, store, seen, stored, lost
        self._waiting: deque[tuple[Origin, bytes]] = deque()
        self._size = 0
        self._task: asyncio.Task[None] | None = None

    def put(self, origin: Origin, batch: bytes, dropped: int) -> None:
        """`dropped`: bytes that the agent had no room for while this console was away."""
        if dropped:
            log.warning("%s/%s dropped %d bytes of %s while this console was away", origin.namespace, origin.workload, dropped, self._what)
            self._drop(dropped)
        self._waiting.append((origin, batch))
        self._size += len(batch)
        while self._size > self._most:
            gone = len(self._waiting.popleft()[1])
            self._size -= gone
            self._drop(gone)
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._drain())

    async def drained(self) -> None:
        """Until nothing waits."""
        if self._task is not None:
            await self._task

    def _drop(self, size: int) -> None:
        self.dropped += size
        self._lost(size)

    async def _drain(self) -> None:
        while taken := self._take():
            found = await asyncio.to_thread(self._parse, taken)
            self._seen(found)
            if await self._kept(found):
                self._stored(found)
            else:
                self._drop(sum(len(batch) for _, batch in taken))

    async def _kept(self, found: Sequence[Found]) -> bool:
        pause, refused = self._pause, 0
        while True:
            try:
                await in_database(self._store, found)
            except (OperationalError, InterfaceError, OSError) as e:
                log.warning("The %s cannot be stored now (%s); trying again", self._what, e)
            except DatabaseError as e:
                refused += 1
                log.error("The database refused %s (%s), %d of %d times", self._what, e, refused, TRIES)
                if refused == TRIES:
                    return False
            else:
                return True
            await asyncio.sleep(pause)
            pause = min(pause * 2, 10)

    def _take(self) -> list[tuple[Origin, bytes]]:
        taken: list[tuple[Origin, bytes]] = []
        size = 0
        while self._waiting and (not taken or size + len(self._waiting[0][1]) <= self._together):
            taken.append(self._waiting.popleft())
            size += len(taken[-1][1])
        self._size -= size
        return taken
