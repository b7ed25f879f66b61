"""HTTP/1.1 for short answers: one request, one connection, a few at a time. What to answer is decided by who serves."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

TEXT = "text/plain; charset=utf-8"
METRICS = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = 15.0
MOST = 16
"""Connections served at once; more are closed without a word: whoever asks again later is answered."""


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    """By their names in lower case."""


@dataclass(frozen=True)
class Answer:
    status: str
    body: bytes
    kind: str = TEXT
    headers: tuple[tuple[str, str], ...] = ()


NOT_ALLOWED = Answer("405 Method Not Allowed", b"only GET\n")
Decide = Callable[[Request], Awaitable[Answer]]


class Serving:
    """`decide` is asked for GET and HEAD only."""

    def __init__(self, decide: Decide) -> None:
        self._decide = decide
        self._servers: list[asyncio.Server] = []
        self._busy = 0

    async def on_socket(self, bound: socket.socket) -> None:
        self._servers.append(await asyncio.start_server(self._serve, sock=bound, limit=16 * 1024))

    async def on_path(self, path: str) -> None:
        self._servers.append(await asyncio.start_unix_server(self._serve, path))

    async def on_loopback(self, port: int) -> None:
        self._servers.append(await asyncio.start_server(self._serve, "127.0.0.1", port))

    async def stop(self) -> None:
        for server in self._servers:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._busy >= MOST:
            writer.close()
            return
        self._busy += 1
        try:
            async with asyncio.timeout(SECONDS):
                request = _request((await reader.readuntil(b"\r\n\r\n")).decode("latin-1"))
                answer = await self._decide(request) if request.method in ("GET", "HEAD") else NOT_ALLOWED
                headers = (
                    ("Content-Type", answer.kind),
                    ("Content-Length", str(len(answer.body))),
                    ("Connection", "close"),
                    *answer.headers,
                )
                head = "".join(f"{name}: {value}\r\n" for name, value in headers)
                writer.write(f"HTTP/1.1 {answer.status}\r\n{head}\r\n".encode() + (b"" if request.method == "HEAD" else answer.body))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            self._busy -= 1
            writer.close()


def _request(head: str) -> Request:
    first, *rest = head.split("\r\n")
    method, target, *_ = (*first.split(" ", 2), "", "")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in rest if line)}
    return Request(method, target.partition("?")[0], headers)
