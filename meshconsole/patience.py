"""
How long the web server waits for a client, and how much it listens to before it knows what is asked: uvicorn has no limit for either.

A request's head must be complete within HEAD_SECONDS and HEAD_BYTES. Without that, ten thousand sockets that say one byte a minute hold every file
descriptor of the process (slowloris), and one that never ends its header holds all memory. Bodies have their own limits (api/limits.py).
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 20.0
HEAD_BYTES = 64 * 1024


class Http(HttpToolsProtocol):
    """`uvicorn --http meshconsole.patience:Http`"""

    _timer: asyncio.TimerHandle | None = None
    _heading = True
    _taken = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._await_head()

    def _await_head(self) -> None:
        self._heading, self._taken = True, 0
        if self._timer is None:
            self._timer = self.loop.call_later(HEAD_SECONDS, self._refuse, b"408 Request Timeout")

    def _stop(self) -> None:
        self._heading = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._taken += len(data)
        super().data_received(data)
        if self._heading and self._taken > HEAD_BYTES:
            self._refuse(b"431 Request Header Fields Too Large")

    def on_message_begin(self) -> None:
        self._await_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._stop()
        super().on_headers_complete()

    def handle_websocket_upgrade(self) -> None:
        self._stop()
        super().handle_websocket_upgrade()

    def _refuse(self, status: bytes) -> None:
        self._stop()
        if not self.transport.is_closing():
            self.logger.warning("Refused %s: %s", self.client[0] if self.client else "a client", status.decode())
            self.transport.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            self.transport.close()
