"""
What goes from the host to the console as it came: bodies that wait in a bounded queue, and the frames that are made of them.

Nothing is parsed: protobuf messages that stand one after the other are one message with the repeated fields of all, so bodies are only put
together. What is relayed may be lost (an agent that is killed, a console that is away for long), but never delays a request or fills the memory.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from ..protocol import Logs, Spans

MOST = 4 * 1024 * 1024
"""Bytes kept while the console is away; the oldest go first."""
FRAME = 1024 * 1024
"""Bytes in one frame, about 1,500 of Envoy's spans."""
COLLECT_SECONDS = 0.2
"""All of Envoy's workers and listeners flush for themselves: their bodies go as one frame."""

F = TypeVar("F", Spans, Logs)


class Queue(Generic[F]):
    """Bodies that wait, bounded in bytes. Pure."""

    def __init__(self, frame: Callable[[bytes, int], F], most: int = MOST) -> None:
        self.most = most
        self.size = 0
        self.dropped = 0
        """Bytes dropped since the last frame that was taken,"""
        self.dropped_ever = 0
        """and since the start."""
        self._frame: Callable[[bytes, int], F] = frame
        self._bodies: deque[bytes] = deque()

    def put(self, body: bytes) -> None:
        self._bodies.append(body)
        self.size += len(body)
        while self.size > self.most:
            gone = len(self._bodies.popleft())
            self.size -= gone
            self.dropped += gone
            self.dropped_ever += gone

    def take(self, at_most: int = FRAME) -> F | None:
        """The oldest bodies as one frame: as many as fit, at least one."""
        if not self._bodies:
            return None
        bodies = [self._bodies.popleft()]
        size = len(bodies[0])
        while self._bodies and size + len(self._bodies[0]) <= at_most:
            bodies.append(self._bodies.popleft())
            size += len(bodies[-1])
        self.size -= size
        dropped, self.dropped = self.dropped, 0
        return self._frame(b"".join(bodies), dropped)


class Outflow(Generic[F]):
    def __init__(self, queue: Queue[F], *, send: Callable[[F], None], idle: Callable[[], bool]) -> None:
        """`idle`: what was sent before is on its way, so the next frame may follow."""
        self.queue: Queue[F] = queue
        self._send: Callable[[F], None] = send
        self._idle = idle
        self._console = False
        self._news = asyncio.Event()

    def put(self, body: bytes) -> None:
        self.queue.put(body)
        self._news.set()

    def console(self, connected: bool) -> None:
        self._console = connected
        self._news.set()

    async def run(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            await asyncio.sleep(COLLECT_SECONDS)
            await self._offer()

    async def _offer(self) -> None:
        while self._console:
            if not self._idle():
                await asyncio.sleep(0.05)
                continue
            frame = self.queue.take()
            if frame is None:
                return
            self._send(frame)

    def last(self) -> None:
        """Before the connection ends: what waits goes without waiting for more."""
        while self._console and (frame := self.queue.take()):
            self._send(frame)
