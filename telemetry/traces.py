"""The only door by which traces are read. Its counterpart is spanstore.py."""

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from .assemble import Node, Trace, assemble
from .models import SpanPiece, TraceSummary
from .spans import Origin, Span, read

__all__ = ["Found", "Node", "Span", "Summary", "Trace", "heat", "search", "trace", "without_words"]

Order = Literal["newest", "slowest"]
MOST_SPANS = 5000
"""Of one trace that are shown."""
LOOKED_AT = 2000
"""Traces whose spans a search by tags reads, the newest first."""
HIDDEN = "hidden"
"""The service of spans in namespaces that the reader may not see."""


@dataclass(frozen=True)
class Summary:
    id: str
    start: int
    """Microseconds since 1970."""
    duration: int
    """Microseconds."""
    spans: int
    errors: int
    service: str
    namespace: str
    name: str
    services: tuple[tuple[str, str, int], ...]
    """(namespace, service, spans) of everyone in it, by name."""

    @property
    def at(self) -> float:
        return self.start / 1e6

    @property
    def ms(self) -> float:
        return self.duration / 1000


@dataclass(frozen=True)
class Found:
    traces: tuple[Summary, ...]
    more: bool
    """There are more than these; or, in a search by tags, older ones that were not looked at."""


def search(
    start: float,
    end: float,
    *,
    namespaces: Collection[str] | None = None,
    service: str = "",
    namespace: str = "",
    workload: str = "",
    min_ms: float = 0,
    max_ms: float = 0,
    errors: bool = False,
    tags: Mapping[str, str] | None = None,
    order: Order = "newest",
    limit: int = 100,
) -> Found:
    """Traces that begin in [start, end) (unix seconds) and touch one of `namespaces` (None: any), and `service` (its spans, and calls to it) and so on where said."""
    rows = TraceSummary.objects.filter(start__gte=int(start * 1e6), start__lt=int(end * 1e6)).annotate(length=F("end") - F("start"))
    rows = _touching(rows, namespaces, service=service, namespace=namespace, workload=workload)
    if errors:
        rows = rows.filter(errors__gt=0)
    if min_ms > 0:
        rows = rows.filter(length__gte=int(min_ms * 1000))
    if max_ms > 0:
        rows = rows.filter(length__lte=int(max_ms * 1000))
    rows = rows.order_by("-length", "id") if order == "slowest" else rows.order_by("-start", "id")
    if tags:
        found, more = _with_tags(rows, tags, limit, namespaces)
    else:
        found = list(rows[: limit + 1])
        found, more = found[:limit], len(found) > limit
    return Found(tuple(_summaries(found, namespaces)), more)


HEAT_MOST = 50_000
"""Traces that a heat map counts, the newest."""


def heat(
    start: float, end: float, columns: int, *, namespaces: Collection[str] | None = None, service: str = "", workload: str = ""
) -> dict[tuple[int, int], tuple[int, int]]:
    """(column of time, third of a power of ten of milliseconds) -> (traces, of them with errors): how durations moved, of all traces and not only those listed."""
    rows = TraceSummary.objects.filter(start__gte=int(start * 1e6), start__lt=int(end * 1e6))
    rows = _touching(rows, namespaces, service=service, workload=workload)
    found: dict[tuple[int, int], tuple[int, int]] = {}
    width = (end - start) * 1e6 / columns
    for begun, ended, errors in rows.order_by("-start").values_list("start", "end", "errors")[:HEAT_MOST]:
        cell = int((begun - start * 1e6) / width), level((ended - begun) / 1000)
        n, bad = found.get(cell, (0, 0))
        found[cell] = n + 1, bad + (errors > 0)
    return found


def level(ms: float) -> int:
    """Thirds of a power of ten, 0 at 1 ms."""
    return math.floor(math.log10(max(ms, 0.01)) * 3)


def _touching(rows: QuerySet[Any], namespaces: Collection[str] | None, **wanted: str) -> QuerySet[Any]:
    """Those in which a span that may be seen is of whom was asked for: a hit by another would tell who takes part unseen."""
    service = wanted.pop("service", "")
    where: dict[str, Any] = {key: said for key, said in wanted.items() if said}
    if namespaces is not None:
        where["namespace__in"] = list(namespaces)
    # A call that never arrived (a fault, no healthy endpoint) is the caller's span alone; whoever looks for the service looks for it.
    whose = Q(service=service) | Q(calls__contains=f" {service} ") if service else Q()
    return rows.filter(Exists(SpanPiece.objects.filter(whose, trace=OuterRef("id"), **where))) if where or service else rows


def _with_tags(rows: QuerySet[Any], tags: Mapping[str, str], limit: int, namespaces: Collection[str] | None) -> tuple[list[Any], bool]:
    """Those in which one span that may be seen has all of the tags: a hit would tell what stands in one that may not."""
    found: list[Any] = []
    candidates = list(rows[: LOOKED_AT + 1])
    for at in range(0, min(len(candidates), LOOKED_AT), 100):
        chunk = candidates[at : min(at + 100, LOOKED_AT)]
        by_id: dict[str, list[Any]] = {}
        for piece in SpanPiece.objects.filter(trace__in=[row.id for row in chunk]):
            if _seen(piece.namespace, namespaces):
                by_id.setdefault(piece.trace, []).append(piece)
        found += [row for row in chunk if any(_has(span, tags) for piece in by_id.get(row.id, ()) for span in _read(piece))]
        if len(found) > limit:
            return found[:limit], True
    return found, len(candidates) > LOOKED_AT


def _has(span: Span, tags: Mapping[str, str]) -> bool:
    return all(str(span.attributes.get(key, "")).lower() == said.lower() for key, said in tags.items())


def _summaries(rows: list[Any], namespaces: Collection[str] | None) -> Iterator[Summary]:
    counts: dict[str, Counter[tuple[str, str]]] = {}
    taken = SpanPiece.objects.filter(trace__in=[row.id for row in rows]).values_list("trace", "namespace", "service", "spans")
    for id, namespace, service, spans in taken:
        counts.setdefault(id, Counter())[(namespace, service) if _seen(namespace, namespaces) else ("", HIDDEN)] += spans
    for row in rows:
        hidden = not _seen(row.namespace, namespaces)
        root = ("", HIDDEN, "") if hidden else (row.namespace, row.service, row.name)
        who = tuple((namespace, service, n) for (namespace, service), n in sorted(counts.get(row.id, {}).items()))
        yield Summary(row.id, row.start, row.end - row.start, row.spans, row.errors, root[1], root[0], root[2], who)


def _seen(namespace: str, namespaces: Collection[str] | None) -> bool:
    return namespaces is None or namespace in namespaces


def _read(piece: Any) -> Iterator[Span]:
    origin = Origin(piece.service, piece.namespace, piece.workload, piece.version, piece.proxy)
    return read(origin, bytes(piece.body))


def trace(id: str, namespaces: Collection[str] | None = None) -> Trace | None:
    """One trace; None where there is none, or none of it may be seen. Spans of other namespaces keep their times and nothing else."""
    if len(id) != 32:
        return None
    spans: list[Span] = []
    pieces = list(SpanPiece.objects.filter(trace=id).order_by("start", "id"))
    if not any(_seen(piece.namespace, namespaces) for piece in pieces):
        return None
    for piece in pieces:
        for span in _read(piece):
            spans.append(span if _seen(piece.namespace, namespaces) else without_words(span))
        if len(spans) >= MOST_SPANS:
            break
    return assemble(id, spans[:MOST_SPANS])


def without_words(span: Span) -> Span:
    return Span(span.trace, span.id, span.parent, HIDDEN, span.kind, span.start, span.end, span.error, "", Origin(HIDDEN))
