"""
Envoy's delta ADS on a Unix socket: gRPC in, events out; one Envoy, one stream.

grpclib (HTTP/2 by h2) and not grpcio: 10 MB less in every agent, no threads of its own, and what it carries is small.
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

from .delta_words import Asked, Event, StreamClosed, StreamOpened
from .wire import DeltaRequest, DeltaResponse, read_request, write_response

METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"


class _Codec(CodecBase):
    __content_subtype__ = "proto"

    def encode(self, message: Any, message_type: Any) -> bytes:
        return write_response(message)

    def decode(self, data: bytes, message_type: Any) -> Any:
        return read_request(data)


class Ads:
    def __init__(self, socket: pathlib.Path, happened: Callable[[Event], None]) -> None:
        self._socket = socket
        self._happened = happened
        self._server: Server | None = None
        self._out: asyncio.Queue[DeltaResponse | None] | None = None

    def __mapping__(self) -> dict[str, Handler]:
        return {METHOD: Handler(self._stream, Cardinality.STREAM_STREAM, DeltaRequest, DeltaResponse)}

    async def start(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._socket.unlink()
        self._server = Server([self], codec=_Codec())
        await self._server.start(path=str(self._socket))
        os.chmod(self._socket, 0o600)

    async def stop(self) -> None:
        if self._server:
            self._server.close()
            if self._out:
                self._out.put_nowait(None)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._server.wait_closed(), 2)

    def respond(self, response: DeltaResponse) -> None:
        if self._out:
            self._out.put_nowait(response)

    async def _stream(self, stream: Any) -> None:
        out: asyncio.Queue[DeltaResponse | None] = asyncio.Queue()
        if self._out:  # an Envoy that we have not yet seen dying, or a second one: the newest is the one we supervise
            self._out.put_nowait(None)
            self._happened(StreamClosed())
        self._out = out
        self._happened(StreamOpened())
        writer = asyncio.create_task(self._write(stream, out))
        try:
            while (request := await stream.recv_message()) is not None:
                if self._out is not out:
                    return
                self._happened(Asked(request))
        except (StreamTerminatedError, ConnectionError):
            pass
        finally:
            writer.cancel()
            if self._out is out:
                self._out = None
                self._happened(StreamClosed())

    async def _write(self, stream: Any, out: asyncio.Queue[DeltaResponse | None]) -> None:
        with contextlib.suppress(StreamTerminatedError, ConnectionError):
            while (response := await out.get()) is not None:
                await stream.send_message(response)
            await stream.cancel()
