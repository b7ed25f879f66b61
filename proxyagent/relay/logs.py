"""
Envoy's access-log records to the console: taken by OTLP over gRPC on a Unix socket, relayed as they came. Its counterpart is spans.py.

Envoy sends only what its access log's filter selects (meshconsole/core/envoy/access_logs.py). Should that be much, all requests failing for
instance, answers are held back: Envoy then has a few exports under way (the cluster's circuit breaker) and drops the rest itself, so neither
the agent's CPU nor anybody's memory follows the rate of requests.
"""

import asyncio
import contextlib
import os
import pathlib
from collections.abc import Callable
from typing import Any

from grpclib.const import Cardinality, Handler
from grpclib.encoding.base import CodecBase
from grpclib.exceptions import StreamTerminatedError
from grpclib.server import Server

from ..protocol import Logs
from .outflow import Outflow, Queue

METHOD = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
RATE = 512 * 1024
"""Bytes per second that are taken in the long run, some 400 records;"""
BURST = 2.0
"""seconds' worth at once."""


class _Raw(CodecBase):
    __content_subtype__ = "proto"

    def encode(self, message: Any, message_type: Any) -> bytes:
        return message

    def decode(self, data: bytes, message_type: Any) -> bytes:
        return data


class LogRelay:
    def __init__(
        self, socket: pathlib.Path, *, send: Callable[[Logs], None], idle: Callable[[], bool], rate: float = RATE, burst: float = BURST
    ) -> None:
        self.outflow = Outflow(Queue(Logs), send=send, idle=idle)
        self._socket, self._rate, self._burst = socket, rate, burst
        self._paid = 0.0
        """Until when, on the loop's clock, what was taken has used up the rate."""
        self._server: Server | None = None

    def __mapping__(self) -> dict[str, Handler]:
        return {METHOD: Handler(self._export, Cardinality.UNARY_UNARY, bytes, bytes)}

    async def start(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._socket.unlink()
        self._server = Server([self], codec=_Raw())
        await self._server.start(path=str(self._socket))
        os.chmod(self._socket, 0o600)

    async def stop(self) -> None:
        if self._server:
            self._server.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._server.wait_closed(), 2)

    async def _export(self, stream: Any) -> None:
        with contextlib.suppress(StreamTerminatedError, ConnectionError):
            body = await stream.recv_message()
            if body:
                self.outflow.put(body)
                await asyncio.sleep(self._wait(len(body)))
            await stream.send_message(b"")  # an ExportLogsServiceResponse that says nothing

    def _wait(self, size: int) -> float:
        """Seconds until the next may come."""
        now = asyncio.get_running_loop().time()
        self._paid = max(self._paid, now - self._burst) + size / self._rate
        return max(0.0, self._paid - now)
