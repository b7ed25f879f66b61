"""
Envoy's spans to the console: taken by OTLP over HTTP on a Unix socket, collected for a moment, relayed as they came.

What becomes of them on the way is said in outflow.py.
"""

import asyncio
import contextlib
import os
import pathlib
from collections.abc import Callable

from ..protocol import Spans
from .outflow import Outflow, Queue

BODY = 8 * 1024 * 1024
"""Bytes of one request that are taken from Envoy."""


class TooLarge(ValueError):
    pass


class SpanRelay:
    def __init__(self, socket: pathlib.Path, *, send: Callable[[Spans], None], idle: Callable[[], bool]) -> None:
        self.outflow = Outflow(Queue(Spans), send=send, idle=idle)
        self._socket = socket
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._socket.unlink()
        self._server = await asyncio.start_unix_server(self._serve, str(self._socket))
        os.chmod(self._socket, 0o600)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

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
            self.outflow.put(body)
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
