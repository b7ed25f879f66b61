"""What goes to one agent: in order, without anybody waiting for a slow one; who does not read for too long is cut."""

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any

from proxyagent import protocol

MAX_BYTES = 2 * protocol.MAX_PUSH
"""Waiting for one agent. One push is in flight at a time, so only an agent that reads nothing comes near."""


class Outbox:
    __slots__ = ("_cut", "_send", "_task", "_waiting", "size")

    def __init__(self, send: Callable[[bytes], Coroutine[Any, Any, None]], cut: Callable[[], None]):
        self._send = send
        self._cut = cut
        self._waiting: list[bytes] = []  # not a deque: an empty one takes 0.6 KiB, and a thousand are empty
        self._task: asyncio.Task[None] | None = None
        self.size = 0

    def put(self, data: bytes) -> None:
        if self._task is not None:
            self._waiting.append(data)
            self.size += len(data)
            if self.size > MAX_BYTES:
                self._cut()
            return
        # Nearly always the socket takes it at once. A task for each of a thousand agents would cost as much as the push itself (10 of 25 µs).
        sending = self._send(data)
        try:
            waits_for = sending.send(None)
        except StopIteration:
            return
        except Exception:  # whichever way the server says that the socket is gone: the reading side ends the connection
            return
        self._task = asyncio.ensure_future(self._drain(sending, waits_for))

    async def _drain(self, sending: Coroutine[Any, Any, None], waits_for: Any) -> None:
        try:
            await _resumed(sending, waits_for)
            while self._waiting:
                data = self._waiting.pop(0)
                self.size -= len(data)
                await self._send(data)
        except Exception:
            self._waiting.clear()
            self.size = 0
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


@types.coroutine
def _resumed(begun: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    """The rest of a coroutine that was begun outside of a task, and waits for its first thing."""
    while True:
        failure, answer = None, None
        try:
            answer = yield waits_for
        except BaseException as e:
            failure = e
        try:
            waits_for = begun.send(answer) if failure is None else begun.throw(failure)
        except StopIteration:
            return
