"""The agent's own page: /healthz, /readyz, /metrics, /config; on a Unix socket, and on loopback where asked for."""

import contextlib
import json
import os
import pathlib
from typing import TYPE_CHECKING

from .serving import METRICS, Answer, Request, Serving

if TYPE_CHECKING:
    from .agent import Agent


class Page:
    def __init__(self, agent: "Agent", socket: pathlib.Path, port: int) -> None:
        self._agent, self._socket, self._port = agent, socket, port
        self._serving = Serving(self._answer)

    async def start(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._socket.unlink()
        await self._serving.on_path(str(self._socket))
        os.chmod(self._socket, 0o600)
        if self._port:
            await self._serving.on_loopback(self._port)

    async def stop(self) -> None:
        await self._serving.stop()

    async def _answer(self, request: Request) -> Answer:
        match request.path:
            case "/healthz":
                return Answer("200 OK", b"ok\n")
            case "/readyz":
                return Answer("200 OK", b"ready\n") if self._agent.ready else Answer("503 Service Unavailable", b"not ready\n")
            case "/metrics":
                return Answer("200 OK", (await self._agent.exporter.page()).encode(), METRICS)
            case "/config":
                return Answer("200 OK", json.dumps(self._agent.status(), indent=1, default=list).encode(), "application/json")
        return Answer("404 Not Found", b"/healthz /readyz /metrics /config\n")
