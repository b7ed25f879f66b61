"""The health of the application, as its own agent sees it: HTTP or TCP, at a calm pace; only changes are news."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from .options import Wrong
from .protocol import Workload

TIMEOUT = 2.0
FAILURES = 2
"""In a row before a workload is taken out; one success brings it back."""


@dataclass(frozen=True)
class Check:
    http: bool
    address: str
    port: int
    path: str = "/"


def check(text: str, workload: Workload) -> Check:
    """`http:/path`, `http://address:port/path`, `tcp`, `tcp://address:port`; by default at the first port. Raises Wrong."""
    scheme, _, rest = text.partition(":")
    if scheme not in ("http", "tcp"):
        raise Wrong(f"--health {text!r}: expected http:/path, http://address:port/path, tcp or tcp://address:port")
    if rest.startswith("//"):
        parts = urlsplit(text)
        try:
            return Check(
                scheme == "http", parts.hostname or "", parts.port or 80, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            )
        except ValueError as e:
            raise Wrong(f"--health {text!r}: {e}") from e
    if not workload.ports:
        raise Wrong(f"--health {text!r}: the workload has no --port; write http://address:port/path or tcp://address:port")
    port = workload.ports[0]
    return Check(scheme == "http", port.app_address, port.app_port or port.number, rest if rest.startswith("/") else "/" + rest)


class Judge:
    """Pure: results in, news out."""

    def __init__(self) -> None:
        self._said: bool | None = None
        self._failures = 0

    def result(self, reason: str) -> tuple[bool, str] | None:
        """`reason` is why the check failed, '' when it did not. The answer is what to tell, if there is news."""
        self._failures = self._failures + 1 if reason else 0
        if reason and self._failures < FAILURES and self._said is not None:
            return None
        healthy = not reason
        if healthy == self._said:
            return None
        self._said = healthy
        return healthy, reason


async def probe(what: Check, timeout: float = TIMEOUT) -> str:
    """Why it failed, or ''. Any HTTP status below 400 is healthy."""
    where = f"{what.address}:{what.port}"
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(what.address, what.port)
            try:
                if not what.http:
                    return ""
                writer.write(
                    f"GET {what.path} HTTP/1.1\r\nHost: {where}\r\nUser-Agent: meshconsole-health\r\nConnection: close\r\n\r\n".encode()
                )
                line = (await reader.readline()).decode("latin-1").split()
                if len(line) < 2 or not line[1].isdigit():
                    return f"{where} answered no HTTP"
                return "" if int(line[1]) < 400 else f"{where}{what.path} answered {line[1]}"
            finally:
                writer.close()
    except TimeoutError:
        return f"{where} did not answer within {timeout:.0f} s"
    except (OSError, ValueError) as e:
        return f"{where}: {os.strerror(e.errno) if isinstance(e, OSError) and e.errno else e}"


class Checker:
    def __init__(self, text: str, workload: Workload, interval: float, changed: Callable[[bool, str], None]) -> None:
        self._check = check(text, workload)
        self._interval = max(interval, 0.1)
        self._changed = changed
        self._judge = Judge()

    async def run(self) -> None:
        while True:
            if news := self._judge.result(await probe(self._check, min(TIMEOUT, max(self._interval, 0.5)))):
                self._changed(*news)
            await asyncio.sleep(self._interval)
