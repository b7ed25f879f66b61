"""What goes to one agent: in order, without anybody waiting for a slow one; who does not read for too long is cut."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

MAX_BYTES = 64 * 1024 * 1024
"""Waiting for one agent. One push is in flight at a time, so only an agent that reads nothing comes near."""


class Outbox:
    __slots__ = ("_cut", "_send", "_task", "_waiting", "size")

    def __init__(self, send: Callable[[bytes], Awaitable[None]], cut: Callable[[], None]):
        self._send = send
        self._cut = cut
        self._waiting: deque[bytes] = deque()
        self._task: asyncio.Task[None] | None = None
        self.size = 0

    def put(self, data: bytes) -> None:
        self._waiting.append(data)
        self.size += len(data)
        if self.size > MAX_BYTES:
            self._cut()
        elif self._task is None:
            self._task = asyncio.ensure_future(self._drain())

    async def _drain(self) -> None:
        try:
            while self._waiting:
                data = self._waiting.popleft()
                await self._send(data)
                self.size -= len(data)
        except Exception:  # whichever way the server says that the socket is gone
            self._waiting.clear()
        finally:
            self._task = None

    async def emptied(self) -> None:
        """What was put before is sent, or the socket is gone."""
        if self._task is not None:
            await asyncio.shield(self._task)

    def close(self) -> None:
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()
