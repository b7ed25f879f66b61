"""The WebSocket to the console: dialled, kept alive, dialled again. What is said on it is proxyagent.session's."""

import asyncio
import contextlib
import ipaddress
import logging
import random
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidURI, WebSocketException

from . import backoff
from .protocol import MAX_PUSH, Frame, FromConsole, Malformed, decode_from_console, encode

log = logging.getLogger("proxyagent.connection")


def address(console: str) -> str:
    """`ws[s]://host:port[/path]` -> the agents' door. Raises ValueError."""
    parts = urlsplit(console)
    # An http address is a browser's, and a natural thing to paste.
    scheme = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}.get(parts.scheme)
    if scheme is None or not parts.hostname:
        raise ValueError(f"not the address of a console: {console!r} (expected ws://host:port or wss://host:port)")
    return f"{scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix('/agent')}/agent"


def in_clear(url: str) -> bool:
    """Would a token cross a network unencrypted?"""
    parts = urlsplit(url)
    if parts.scheme != "ws" or parts.hostname == "localhost":
        return False
    try:
        return not ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return True


class Connection:
    def __init__(
        self,
        url: str,
        *,
        trust: Callable[[], ssl.SSLContext] = ssl.create_default_context,
        came: Callable[[], None],
        received: Callable[[FromConsole], None],
        went: Callable[[str], None],
    ) -> None:
        self._url = url
        self._trust = trust if url.startswith("wss:") else None
        self._came, self._received, self._went = came, received, went
        self._socket: ClientConnection | None = None
        self._out: asyncio.Queue[bytes] = asyncio.Queue()
        self._ping: asyncio.Task[None] | None = None
        self._slowly = False
        self._last = False
        self._failures = 0

    def send(self, frame: Frame) -> None:
        """Dropped when there is no connection: what must not be lost is told again by whoever said it."""
        if self._socket is not None:
            self._out.put_nowait(encode(frame))

    @property
    def idle(self) -> bool:
        """Nothing that was sent still waits for the socket."""
        return self._out.empty()

    async def flush(self, seconds: float) -> None:
        """Until what was sent is on its way."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._socket is not None and not self._out.empty():  # noqa: ASYNC110
                    await asyncio.sleep(0.01)

    def keep_alive(self, heartbeat: float) -> None:
        self._failures = 0
        if self._socket is not None:
            self._ping = asyncio.create_task(self._pings(self._socket, heartbeat))

    async def close(self, *, slowly: bool = False) -> None:
        self._slowly = slowly
        if self._socket is not None:
            await self._socket.close()

    def last(self) -> None:
        """The present connection is the last one: who has said goodbye must not come again, and be found by its peers."""
        self._last = True

    async def run(self) -> None:
        """Until cancelled, or `last`."""
        while not self._last:
            try:
                reason = await self._once()
            except Exception as e:  # a fault of ours in handling one frame must not cost the host its console
                log.exception("a frame could not be handled")
                reason = repr(e)
            slowly, self._slowly = self._slowly, False
            wait = backoff.slow_delay(random.random()) if slowly else backoff.delay(self._failures, random.random())  # noqa: S311
            self._failures += 1
            if self._last:
                log.info("console %s: %s", self._url, reason)
                return
            log.info("console %s: %s; next try in %.1f s", self._url, reason, wait)
            await asyncio.sleep(wait)

    async def _once(self) -> str:
        try:
            # No proxy from the environment: http_proxy may well be our own Envoy. No compression: it costs memory at
            # both ends of every connection, and configuration comes once.
            socket = await connect(
                self._url,
                ssl=self._trust() if self._trust else None,
                max_size=MAX_PUSH,
                compression=None,
                ping_interval=None,
                open_timeout=10,
                close_timeout=1,
                proxy=None,
            )
        except (OSError, TimeoutError, WebSocketException, InvalidURI) as e:
            return str(e) or type(e).__name__
        self._socket, self._out = socket, asyncio.Queue()
        writer = asyncio.create_task(self._write(socket, self._out))
        reason = "closed"
        try:
            self._came()
            async for data in socket:
                self._received(decode_from_console(data if isinstance(data, bytes) else data.encode()))
            reason = f"closed ({socket.close_code} {socket.close_reason or ''})".replace(" )", ")")
        except Malformed as e:
            reason = f"sent what is no frame: {e}"
        except ConnectionClosed as e:
            reason = f"lost: {e}"
        finally:
            self._socket = None
            writer.cancel()
            if self._ping:
                self._ping.cancel()
                self._ping = None
            self._went(reason)
            with contextlib.suppress(Exception):
                await socket.close()
        return reason

    async def _write(self, socket: ClientConnection, out: asyncio.Queue[bytes]) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await socket.send(await out.get())

    async def _pings(self, socket: ClientConnection, heartbeat: float) -> None:
        """A console that is gone without a word is noticed within two heartbeats."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                await asyncio.sleep(heartbeat * (0.9 + 0.2 * random.random()))  # noqa: S311
                pong = await socket.ping()
                try:
                    await asyncio.wait_for(pong, heartbeat)
                except TimeoutError:
                    await socket.close(1002, "no pong")
                    return
