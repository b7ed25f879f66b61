"""A client of the application's own HTTP, for its metrics: one short request, one connection."""

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit

from . import admin


class Failed(OSError):
    """No answer, or not the one that was asked for."""


@dataclass(frozen=True)
class Address:
    host: str
    port: int
    target: str


def address(text: str) -> Address:
    """`http://127.0.0.1:9102/metrics`. Raises ValueError."""
    parts = urlsplit(text)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(f"{text!r}: expected http://address:port/path")
    return Address(parts.hostname, parts.port or 80, (parts.path or "/metrics") + (f"?{parts.query}" if parts.query else ""))


async def get(what: Address, *, accept: str, timeout: float = 5.0) -> bytes:
    """The body of a 200. Raises Failed."""
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(what.host, what.port, limit=1 << 20)
            try:
                host = f"[{what.host}]" if ":" in what.host else what.host
                writer.write(
                    f"GET {what.target} HTTP/1.1\r\nHost: {host}:{what.port}\r\nAccept: {accept}\r\n"
                    "User-Agent: meshconsole-agent\r\nConnection: close\r\n\r\n".encode()
                )
                await writer.drain()
                status, body = await admin.answer(reader)
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError, IndexError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as e:
        raise Failed(f"{what.host}:{what.port}{what.target}: {e or type(e).__name__}") from e
    if status != 200:
        raise Failed(f"{what.host}:{what.port}{what.target} answered {status}")
    return body
