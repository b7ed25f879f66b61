"""A client of Envoy's admin interface on its Unix socket: one short request, one connection."""

import asyncio
import re

from .protocol import MAX_FRAME

LIMIT = MAX_FRAME - 1024
"""An answer must fit into one frame to the console."""


_GAUGE = re.compile(r"^(http|listener)\.(.+)\.downstream_(cx|rq)_active: (\d+)$")


def busy(stats: str) -> bool:
    """Is a request under way, or a connection that is no HTTP? An idle HTTP connection may be closed at any time."""
    connections = {"http": 0, "listener": 0}
    for line in stats.splitlines():
        found = _GAUGE.match(line)
        if found is None or "admin" in found[2].split(".") or ".worker_" in found[2]:
            continue
        if found[3] == "cx":
            connections[found[1]] += int(found[4])
        elif int(found[4]):
            return True
    return connections["listener"] > connections["http"]


class Unavailable(OSError):
    """Envoy's admin interface did not answer as it should."""


async def request(path: str, target: str, method: str = "GET", timeout: float = 5.0) -> bytes:
    """The body of a 200. Raises Unavailable."""
    try:
        async with asyncio.timeout(timeout):
            return await _request(path, target, method)
    except (OSError, TimeoutError, ValueError, IndexError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as e:
        raise Unavailable(f"{method} {target}: {e or type(e).__name__}") from e


async def _request(path: str, target: str, method: str) -> bytes:
    reader, writer = await asyncio.open_unix_connection(path, limit=1 << 20)
    try:
        writer.write(f"{method} {target} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        status, body = await answer(reader)
    finally:
        writer.close()
    if status != 200:
        raise OSError(f"{status} {body[:200].decode(errors='replace').strip()}")
    return body


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Status and body of what comes back over HTTP/1.1."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status = int(head.split(" ", 2)[1])
    headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in head.split("\r\n")[1:])}
    return status, await (_chunked(reader) if "chunked" in headers.get("transfer-encoding", "") else _plain(reader, headers))


async def _plain(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if "content-length" not in headers:  # until the connection ends
        parts: list[bytes] = []
        while part := await reader.read(1 << 16):
            parts.append(part)
            if sum(map(len, parts)) > LIMIT:
                raise ValueError(f"the answer has more than {LIMIT} bytes")
        return b"".join(parts)
    size = int(headers["content-length"])
    if size > LIMIT:
        raise ValueError(f"the answer has {size} bytes, more than {LIMIT}")
    return await reader.readexactly(size)


async def _chunked(reader: asyncio.StreamReader) -> bytes:
    parts: list[bytes] = []
    total = 0
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        total += size
        if total > LIMIT:
            raise ValueError(f"the answer has more than {LIMIT} bytes")
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    return b"".join(parts)
