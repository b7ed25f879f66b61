"""
Envoy's spans to the console: taken by OTLP over HTTP on a Unix socket, collected for a moment, relayed as they came.

Nothing is parsed: protobuf messages that stand one after the other are one message with the repeated fields of all, so bodies are only put
together. Spans may be lost (an agent that is killed, a console that is away for long), but never delay a request or fill the memory.
"""

import asyncio
import contextlib
import logging
import os
import pathlib
from collections import deque
from collections.abc import Callable

from ..protocol import Spans

log = logging.getLogger("proxyagent.spans")

MOST = 4 * 1024 * 1024
"""Bytes kept while the console is away; the oldest go first."""
FRAME = 1024 * 1024
"""Bytes in one frame, about 1,500 of Envoy's spans."""
BODY = 8 * 1024 * 1024
"""Bytes of one request that are taken from Envoy."""
COLLECT_SECONDS = 0.2
"""All of Envoy's workers and listeners flush for themselves: their bodies go as one frame."""


class TooLarge(ValueError):
    pass


class Queue:
    """Bodies that wait, bounded in bytes. Pure."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self.size = 0
        self.dropped = 0
        """Bytes dropped since the last frame that was taken,"""
        self.dropped_ever = 0
        """and since the start."""
        self._bodies: deque[bytes] = deque()

    def put(self, body: bytes) -> None:
        self._bodies.append(body)
        self.size += len(body)
        while self.size > self.most:
            gone = len(self._bodies.popleft())
            self.size -= gone
            self.dropped += gone
            self.dropped_ever += gone

    def take(self, at_most: int = FRAME) -> Spans | None:
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
        return Spans(b"".join(bodies), dropped)


class SpanRelay:
    def __init__(self, socket: pathlib.Path, *, send: Callable[[Spans], None], idle: Callable[[], bool]) -> None:
        """`idle`: what was sent before is on its way, so the next frame may follow."""
        self._socket, self._send, self._idle = socket, send, idle
        self._server: asyncio.Server | None = None
        self._console = False
        self._news = asyncio.Event()
        self.queue = Queue()

    async def start(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._socket.unlink()
        self._server = await asyncio.start_unix_server(self._serve, str(self._socket))
        os.chmod(self._socket, 0o600)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

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

    # --- Envoy's side: as much of HTTP/1.1 as its exporter speaks ---

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *lines = head.split("\r\n")
                headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
                body = await _body(reader, headers)
                writer.write(self._answer(first, headers, body))
                await writer.drain()
        except TooLarge:
            writer.write(b"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # Envoy went, or it was not Envoy
        finally:
            writer.close()

    def _answer(self, first: str, headers: dict[str, str], body: bytes) -> bytes:
        method, target, *_ = (*first.split(" "), "", "")
        status = "200 OK"
        if target != "/v1/traces":
            status = "404 Not Found"
        elif method != "POST":
            status = "405 Method Not Allowed"
        elif headers.get("content-type") != "application/x-protobuf":
            status = "415 Unsupported Media Type"
        elif body:
            self.queue.put(body)
            self._news.set()
        return f"HTTP/1.1 {status}\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n".encode()


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() != "chunked":
        length = int(headers.get("content-length") or 0)
        if length > BODY:
            raise TooLarge
        return await reader.readexactly(length)
    parts: list[bytes] = []
    size = 0
    while True:
        length = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
        size += length
        if size > BODY or length < 0:
            raise TooLarge
        part = await reader.readexactly(length + 2)
        if length == 0:
            return b"".join(parts)
        parts.append(part[:-2])
