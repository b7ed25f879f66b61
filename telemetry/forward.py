"""
Spans on to others: any OTLP backend (OTLP_EXPORT_URL: Jaeger, Tempo, a collector) and Zipkin (ZIPKIN_URL).

One daemon thread per target in each web process, started by the first span, with a bounded queue before it: a backend that is slow or away
costs the oldest spans, never memory or the store. A refusal that trying again would not change is not tried again.
"""

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import lru_cache

import httpx
import orjson
from django.conf import settings

from . import zipkin
from .spans import Piece, exported, read

log = logging.getLogger(__name__)

MOST = 16 * 1024 * 1024
"""Bytes of spans that wait for one target."""
BODY = 1024 * 1024
"""Bytes of spans in one request, about."""
TRIES = 8
"""Of one request: with the waits between them a little more than two minutes."""
LONGEST_WAIT = 30.0
AGAIN = frozenset({408, 429, 500, 502, 503, 504})


Encode = Callable[[Sequence[Piece]], tuple[bytes, str]]
"""(body, content type)"""


def otlp(pieces: Sequence[Piece]) -> tuple[bytes, str]:
    return exported(pieces).SerializeToString(), "application/x-protobuf"


def zipkin_v2(pieces: Sequence[Piece]) -> tuple[bytes, str]:
    return orjson.dumps([zipkin.span(s) for p in pieces for s in read(p.origin, p.body)]), "application/json"


class Target:
    """One address that gets everything."""

    def __init__(self, url: str, encode: Encode, *, most: int = MOST, pause: float = 0.5) -> None:
        self.url, self.encode, self.most, self.pause = url, encode, most, pause
        self.sent = self.dropped = 0
        """Spans."""
        self._waiting: deque[Piece] = deque()
        self._size = 0
        self._news = threading.Condition()
        self._thread: threading.Thread | None = None
        self._ended = False

    def put(self, pieces: Sequence[Piece]) -> None:
        """Never blocks."""
        with self._news:
            for piece in pieces:
                self._waiting.append(piece)
                self._size += len(piece.body)
            while self._size > self.most:
                gone = self._waiting.popleft()
                self._size -= len(gone.body)
                self.dropped += gone.spans
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name=f"spans to {self.url}", daemon=True)
                self._thread.start()
            self._news.notify()

    def end(self) -> None:
        """What waits is given up."""
        with self._news:
            self._ended = True
            self._news.notify()

    def _run(self) -> None:
        with httpx.Client(timeout=10, trust_env=False) as client:
            while (pieces := self._take()) is not None:
                spans = sum(p.spans for p in pieces)
                if self._deliver(client, *self.encode(pieces)):
                    self.sent += spans
                else:
                    self.dropped += spans

    def _take(self) -> list[Piece] | None:
        with self._news:
            while not self._waiting and not self._ended:
                self._news.wait()
            if self._ended:
                return None
            taken: list[Piece] = []
            size = 0
            while self._waiting and (not taken or size + len(self._waiting[0].body) <= BODY):
                taken.append(self._waiting.popleft())
                size += len(taken[-1].body)
            self._size -= size
            return taken

    def _deliver(self, client: httpx.Client, body: bytes, content_type: str) -> bool:
        for attempt in range(TRIES):
            wait = 0.0
            try:
                answer = client.post(self.url, content=body, headers={"content-type": content_type})
                if answer.is_success:
                    return True
                said = f"{answer.status_code} {answer.text[:200]}"
                if answer.status_code not in AGAIN:
                    log.error("%s refuses spans: %s", self.url, said)
                    return False
                asked = answer.headers.get("retry-after", "")
                wait = min(float(asked), LONGEST_WAIT) if asked.isdigit() else 0.0
            except httpx.HTTPError as e:
                said = str(e) or type(e).__name__
            if self._ended:
                return False
            if attempt == 0:
                log.warning("%s does not take spans now (%s); trying again", self.url, said)
            backoff = min(self.pause * 2**attempt, LONGEST_WAIT) * (0.5 + random.random() / 2)  # noqa: S311
            time.sleep(max(wait, backoff))
        log.error("%s did not take spans in %d tries (%s)", self.url, TRIES, said)
        return False


def address(url: str, path: str) -> str:
    """`url` with `path`, unless it has it or another one."""
    base = url.rstrip("/")
    return base if base.endswith(path) else base + path


@lru_cache(maxsize=8)
def _target(url: str, encode: Encode) -> Target:
    return Target(url, encode)


def targets() -> list[Target]:
    found = []
    if settings.OTLP_EXPORT_URL:
        found.append(_target(address(settings.OTLP_EXPORT_URL, "/v1/traces"), otlp))
    if settings.ZIPKIN_URL:
        found.append(_target(address(settings.ZIPKIN_URL, "/api/v2/spans"), zipkin_v2))
    return found


def put(pieces: Sequence[Piece]) -> None:
    for target in targets():
        target.put(pieces)
