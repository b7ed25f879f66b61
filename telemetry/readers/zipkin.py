"""Zipkin's query API v2: GET /api/v2/trace/{id} and /api/v2/traces (zipkin.io, "Zipkin API")."""

from typing import Any

from telemetry.spans import Event, Origin, Span, title

from .base import Unavailable, ask


class Zipkin:
    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/").removesuffix("/api/v2/spans")

    def trace(self, id: str) -> list[Span]:
        return _spans(ask("Zipkin", f"{self.url}/api/v2/trace/{id}", {}) or [])

    def search(self, service: str, start: float, end: float, min_ms: float, limit: int) -> dict[str, list[Span]]:
        params: dict[str, object] = {"endTs": int(end * 1000), "lookback": max(1, int((end - start) * 1000)), "limit": limit}
        if service:
            params["serviceName"] = service.lower()  # Zipkin keeps names in lower case
        if min_ms > 0:
            params["minDuration"] = int(min_ms * 1000)
        found = {}
        for trace in ask("Zipkin", f"{self.url}/api/v2/traces", params) or []:
            if spans := _spans(trace):
                found[spans[0].trace] = spans
        return found


def _spans(trace: Any) -> list[Span]:
    if not isinstance(trace, list):
        raise Unavailable("Zipkin answers with what is none of its API's: is ZIPKIN_URL its server?")
    try:
        return [_span(said) for said in trace]
    except (KeyError, TypeError, ValueError, AttributeError) as e:
        raise Unavailable(f"Zipkin answers with a span that is none: {type(e).__name__} {e}") from e


def _span(said: dict[str, Any]) -> Span:
    tags = dict(said.get("tags") or {})
    start = int(said.get("timestamp", 0))
    origin = Origin(
        str((said.get("localEndpoint") or {}).get("serviceName", "unknown")),
        tags.pop("namespace", ""),
        tags.pop("workload", ""),
        tags.pop("version", ""),
        "node_id" in tags,  # an Envoy says which it is
    )
    error = tags.pop("error", None)
    return Span(
        str(said["traceId"]).rjust(32, "0"),
        str(said["id"]),
        str(said.get("parentId", "")),
        title(str(said.get("name", "")), tags.get("http.method", ""), tags.get("http.url", "")),
        str(said.get("kind", "")).lower(),
        start,
        start + int(said.get("duration", 0)),
        error is not None,
        "" if error in (None, "true") else str(error),
        origin,
        tags,
        tuple(Event(str(a["value"]), int(a["timestamp"]), {}) for a in said.get("annotations") or ()),
    )
