"""Jaeger's query API, as its own page uses it: GET /api/traces/{id} and /api/traces (jaegertracing.io, "APIs", HTTP JSON)."""

from typing import Any

from telemetry.spans import Event, Origin, Span, title

from .base import Unavailable, ask


class Jaeger:
    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def trace(self, id: str) -> list[Span]:
        found = self._ask(f"/api/traces/{id}", {})
        return [span for trace in found for span in _spans(trace)]

    def search(self, service: str, start: float, end: float, min_ms: float, limit: int) -> dict[str, list[Span]]:
        params = {"service": service, "start": int(start * 1e6), "end": int(end * 1e6), "limit": limit}
        if min_ms > 0:
            params["minDuration"] = f"{int(min_ms * 1000)}us"
        found = {}
        for trace in self._ask("/api/traces", params):
            if spans := _spans(trace):
                found[spans[0].trace] = spans
        return found

    def _ask(self, path: str, params: dict[str, Any]) -> list[dict[str, Any]]:
        said = ask("Jaeger", self.url + path, params)
        if said is None:
            return []
        if not isinstance(said, dict) or not isinstance(said.get("data"), list | None):
            raise Unavailable("Jaeger answers with what is none of its API's: is JAEGER_URL the query service?")
        return said.get("data") or []


def _spans(trace: dict[str, Any]) -> list[Span]:
    try:
        processes = {key: _origin(process) for key, process in trace["processes"].items()}
        return [_span(said, processes[said["processID"]]) for said in trace["spans"]]
    except (KeyError, TypeError, ValueError, AttributeError) as e:
        raise Unavailable(f"Jaeger answers with a span that is none: {type(e).__name__} {e}") from e


def _origin(process: dict[str, Any]) -> Origin:
    tags = _tags(process.get("tags") or ())
    return Origin(
        str(process["serviceName"]),
        str(tags.get("service.namespace", "")),
        str(tags.get("service.instance.id", "")),
        str(tags.get("service.version", "")),
        tags.get("meshconsole.reporter") == "proxy",
    )


def _span(said: dict[str, Any], origin: Origin) -> Span:
    tags = _tags(said.get("tags") or ())
    start = int(said["startTime"])
    parent = next((str(r["spanID"]) for r in said.get("references") or () if r.get("refType") == "CHILD_OF"), "")
    name = title(str(said["operationName"]), str(tags.get("http.method", "")), str(tags.get("http.url", "")))
    return Span(
        str(said["traceID"]).rjust(32, "0"),
        str(said["spanID"]).rjust(16, "0"),
        parent.rjust(16, "0") if parent else "",
        name,
        str(tags.pop("span.kind", "")),
        start,
        start + int(said["duration"]),
        str(tags.pop("error", "")).lower() == "true" or tags.get("otel.status_code") == "ERROR",
        str(tags.pop("otel.status_description", "")),
        origin,
        tags,
        tuple(_event(log) for log in said.get("logs") or ()),
    )


def _event(log: dict[str, Any]) -> Event:
    fields = _tags(log.get("fields") or ())
    return Event(str(fields.pop("event", "log")), int(log["timestamp"]), fields)


def _tags(said: Any) -> dict[str, Any]:
    return {str(tag["key"]): tag.get("value", "") for tag in said}
