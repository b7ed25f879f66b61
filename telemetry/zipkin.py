"""Spans in Zipkin's words (v2 JSON). Pure."""

from typing import Any

from .spans import Span

KINDS = {"server": "SERVER", "client": "CLIENT", "producer": "PRODUCER", "consumer": "CONSUMER"}


def span(s: Span) -> dict[str, Any]:
    tags = {key: said if isinstance(said, str) else str(said) for key, said in s.attributes.items()}
    tags |= {
        key: said
        for key, said in (("namespace", s.origin.namespace), ("workload", s.origin.workload), ("version", s.origin.version))
        if said
    }
    if s.error:
        tags["error"] = s.status or tags.get("error", "true")
    found: dict[str, Any] = {
        "traceId": s.trace,
        "id": s.id,
        "name": s.name,
        "timestamp": s.start,
        "duration": max(1, s.duration),  # 0 means unknown to Zipkin
        "localEndpoint": {"serviceName": s.origin.service},
        "tags": tags,
    }
    if s.parent:
        found["parentId"] = s.parent
    if s.kind in KINDS:
        found["kind"] = KINDS[s.kind]
    if s.events:
        found["annotations"] = [{"timestamp": e.at, "value": e.name} for e in s.events]
    return found
