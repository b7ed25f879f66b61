"""
Traces read back from where they were sent: what the embedded store has dropped may still be in Jaeger or Zipkin.

One file here is one backend; each gives this door's `Summary` and `Span`. The addresses are the operator's (JAEGER_URL, ZIPKIN_URL).
"""

from collections.abc import Collection
from dataclasses import replace

from django.conf import settings

from telemetry.assemble import Trace, assemble
from telemetry.spans import Span
from telemetry.traces import Found, Summary, without_words

from . import jaeger, zipkin
from .base import Backend, Unavailable

__all__ = ["Unavailable", "backends", "search", "trace"]


def backends() -> dict[str, Backend]:
    """By name, those that are configured."""
    found: dict[str, Backend] = {}
    if settings.JAEGER_URL:
        found["Jaeger"] = jaeger.Jaeger(settings.JAEGER_URL)
    if settings.ZIPKIN_URL:
        found["Zipkin"] = zipkin.Zipkin(settings.ZIPKIN_URL)
    return found


def trace(id: str, namespaces: Collection[str] | None) -> tuple[str, Trace] | None:
    """(backend, trace) from the first that has it. A backend that is away is passed over."""
    for name, backend in backends().items():
        try:
            spans = backend.trace(id)
        except Unavailable:
            continue
        if spans and any(seen(span, namespaces) for span in spans):
            found = assemble(id, [span if seen(span, namespaces) else without_words(span) for span in spans])
            if found is not None:
                return name, found
    return None


def search(
    name: str, start: float, end: float, namespaces: Collection[str] | None, *, service: str, min_ms: float = 0, limit: int = 100
) -> Found:
    """Traces of a service in a backend, the newest first. Raises Unavailable."""
    found = []
    for id, spans in backends()[name].search(service, start, end, min_ms, limit).items():
        if not any(seen(span, namespaces) for span in spans):
            continue
        whole = assemble(id, spans)
        if whole is not None:
            found.append(_summary(whole, namespaces))
    found.sort(key=lambda s: -s.start)
    return Found(tuple(found), len(found) >= limit)


def seen(span: Span, namespaces: Collection[str] | None) -> bool:
    """A span without a namespace is of nobody's: only who may see all sees it."""
    return namespaces is None or span.origin.namespace in namespaces


def _summary(trace: Trace, namespaces: Collection[str] | None) -> Summary:
    root = max(trace.roots, key=lambda n: n.span.duration).span
    root = root if seen(root, namespaces) else without_words(root)
    counts: dict[tuple[str, str], int] = {}
    for node in trace.nodes:
        span = node.span if seen(node.span, namespaces) else without_words(node.span)
        key = (span.origin.namespace, span.origin.service)
        counts[key] = counts.get(key, 0) + 1
    who = tuple((namespace, service, n) for (namespace, service), n in sorted(counts.items()))
    return replace(
        Summary(
            trace.id, trace.start, trace.duration, len(trace.nodes), trace.errors, root.origin.service, root.origin.namespace, root.name, ()
        ),
        services=who,
    )
