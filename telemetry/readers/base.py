"""The seam of a backend that traces are read back from."""

from typing import Any, Protocol

import httpx

from telemetry.spans import Span

TIMEOUT = 8.0
MOST = 32 * 1024 * 1024
"""Bytes of an answer."""


class Unavailable(Exception):
    """The backend is away, refuses, or says what is not its API; in a sentence."""


class Backend(Protocol):
    def trace(self, id: str) -> list[Span]:
        """Its spans; [] where it has none. Raises Unavailable."""

    def search(self, service: str, start: float, end: float, min_ms: float, limit: int) -> dict[str, list[Span]]:
        """Trace -> its spans, of those that begin in [start, end) (unix seconds). Raises Unavailable."""


def ask(name: str, url: str, params: dict[str, Any]) -> Any:
    """The JSON of an answer; None for 404."""
    try:
        with httpx.Client(timeout=TIMEOUT, trust_env=False) as client, client.stream("GET", url, params=params) as answer:
            if answer.status_code == 404:
                return None
            if not answer.is_success:
                raise Unavailable(f"{name} answers {answer.status_code}")
            body = b""
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > MOST:
                    raise Unavailable(f"{name} answers with more than {MOST // 2**20} MiB")
    except httpx.HTTPError as e:
        raise Unavailable(f"{name} does not answer: {str(e) or type(e).__name__}") from e
    import orjson

    try:
        return orjson.loads(body)
    except ValueError as e:
        raise Unavailable(f"{name} answers with what is no JSON") from e
