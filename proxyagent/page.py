"""The agent's own page: /healthz, /readyz, /metrics, /config; on a Unix socket, and on loopback where asked for."""

import asyncio
import contextlib
import json
import os
import pathlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .agent import Agent

TEXT = "text/plain; charset=utf-8"
METRICS = "text/plain; version=0.0.4; charset=utf-8"


class Page:
    def __init__(self, agent: "Agent", socket: pathlib.Path, port: int) -> None:
        self._agent, self._socket, self._port = agent, socket, port
        self._servers: list[asyncio.Server] = []

    async def start(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._socket.unlink()
        self._servers.append(await asyncio.start_unix_server(self._serve, str(self._socket)))
        os.chmod(self._socket, 0o600)
        if self._port:
            self._servers.append(await asyncio.start_server(self._serve, "127.0.0.1", self._port))

    async def stop(self) -> None:
        for server in self._servers:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(10):
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                method, target, *_ = (*head.split(" ", 2), "", "")
                status, kind, body = await self._answer(method, target.partition("?")[0])
                writer.write(
                    f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
                    + (b"" if method == "HEAD" else body)
                )
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    async def _answer(self, method: str, path: str) -> tuple[str, str, bytes]:
        if method not in ("GET", "HEAD"):
            return "405 Method Not Allowed", TEXT, b"only GET\n"
        match path:
            case "/healthz":
                return "200 OK", TEXT, b"ok\n"
            case "/readyz":
                return ("200 OK", TEXT, b"ready\n") if self._agent.ready else ("503 Service Unavailable", TEXT, b"not ready\n")
            case "/metrics":
                return "200 OK", METRICS, (await self._agent.metrics.page()).encode()
            case "/config":
                return "200 OK", "application/json", json.dumps(self._agent.status(), indent=1, default=list).encode()
        return "404 Not Found", TEXT, b"/healthz /readyz /metrics /config\n"
