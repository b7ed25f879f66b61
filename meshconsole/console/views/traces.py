"""Traces: the search, and one trace as a waterfall."""

import re
from typing import Any, cast

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from meshconsole.core.mesh import peer
from telemetry import comparing, readers
from telemetry import traces as store

from .. import elsewhere, kinds, mesh, waterfall
from ..scope import Scope

_ID = re.compile(r"[0-9a-f]{32}")
SHOWN = 200


@login_required
@require_GET
def traces(request: HttpRequest) -> HttpResponse:
    scope, asked = Scope.of(request), request.GET
    looked_for = asked.get("id", "").strip().lower()
    if _ID.fullmatch(looked_for):
        return redirect("trace", id=looked_for)
    order = "slowest" if asked.get("order") == "slowest" else "newest"
    tags, wrong = _tags(asked.get("tags", ""))
    source = asked.get("source", "") if asked.get("source", "") in readers.backends() else ""
    namespaces, service, workload = (
        mesh.chosen(request.user, scope.namespace),
        asked.get("service", "")[:200],
        asked.get("workload", "")[:200],
    )
    heat: dict[tuple[int, int], tuple[int, int]] = {}
    if source:
        try:
            found = readers.search(source, scope.start, scope.end + 1, namespaces, service=service, min_ms=_number(asked.get("min", "")))
        except readers.Unavailable as e:
            found = store.Found((), False)
            wrong.append(f"{e}.")
    else:
        found = store.search(
            scope.start,
            scope.end + 1,
            namespaces=namespaces,
            service=service,
            workload=workload,
            min_ms=_number(asked.get("min", "")),
            max_ms=_number(asked.get("max", "")),
            errors=asked.get("errors") == "1",
            tags=tags,
            order=cast(store.Order, order),
            limit=SHOWN,
        )
        if found.more:
            heat = store.heat(scope.start, scope.end + 1, waterfall.COLUMNS, namespaces=namespaces, service=service, workload=workload)
    return render(
        request,
        "traces/list.html",
        {
            "found": found,
            "order": order,
            "asked": asked,
            "wrong": wrong or ([f"{looked_for!r} is no trace id: 32 hexadecimal digits."] if looked_for else []),
            "filtered": any(asked.get(key) for key in ("service", "workload", "min", "max", "errors", "tags")),
            "plot": waterfall.scatter(found.traces, scope.start, scope.end + 1, heat),
            "others": elsewhere.service(service, scope.start, scope.end) if service else [],
            "source": source,
            "sources": list(readers.backends()),
            "services": _services(request, scope.namespace),
            "sampling": settings.TRACING_SAMPLING,
        },
    )


def _services(request: HttpRequest, namespace: str) -> list[str]:
    """Canonical services, as spans and metrics name them."""
    return sorted({peer.describe(w.name, w.namespace, w.labels).split(";")[4] for w in mesh.workloads(request.user, namespace)})


def _tags(text: str) -> tuple[dict[str, str], list[str]]:
    """`key=value key=value`; what is neither is said, not guessed."""
    found, wrong = {}, []
    for word in text.split()[:10]:
        key, is_, said = word.partition("=")
        if is_ and key:
            found[key] = said
        else:
            wrong.append(f"{word!r} is not key=value, and was left out.")
    return found, wrong


def _number(text: str) -> float:
    try:
        return max(0.0, min(float(text), 1e9))
    except ValueError:
        return 0.0


@login_required
@require_GET
def trace(request: HttpRequest, id: str) -> HttpResponse:
    found, source = _trace(request, id)
    rows = waterfall.rows(found)
    tones = {(r.node.span.origin.namespace, r.node.span.origin.service): r.tone for r in rows}
    policies = {p: kinds.Kind.named(p.kind) for row in rows for p in row.said.policies}
    said: dict[str, Any] = {
        "trace": found,
        "root": found.roots[0].span,
        "rows": rows,
        "ticks": waterfall.ticks(found),
        "legend": [(namespace, service, tone) for (namespace, service), tone in tones.items()],
        "policies": policies.items(),
        "slowest": sorted((r for r in rows if r.own_ms > 0), key=lambda r: -r.own_ms)[:5],
        "others": elsewhere.trace(found.id, found.start / 1e6, found.end / 1e6),
        "source": source,
        "alike": _alike(request, found),
        "api_path": f"GET /api/v1/traces/{found.id}",
    }
    return render(request, "traces/detail.html", said)


def _trace(request: HttpRequest, id: str) -> tuple[store.Trace, str]:
    """The trace, and where it was found: '' is here. Raises Http404."""
    seen = mesh.seen(request.user)
    found = store.trace(id.lower(), seen)
    if found is not None:
        return found, ""
    if _ID.fullmatch(id.lower()) and (read := readers.trace(id.lower(), seen)):
        return read[1], read[0]
    raise Http404(f"There is no trace {id}: it may not have come yet, or not have been kept.")


def _alike(request: HttpRequest, trace: store.Trace) -> list[store.Summary]:
    """Other traces of the same request, to compare it with: those around it."""
    root = trace.roots[0].span
    around = store.search(
        trace.start / 1e6 - 3600, trace.start / 1e6 + 3600, namespaces=mesh.seen_list(request.user), service=root.origin.service, limit=100
    )
    return [t for t in around.traces if t.name == root.name and t.id != trace.id][:8]


@login_required
@require_GET
def compare(request: HttpRequest) -> HttpResponse:
    ids = [request.GET.get(key, "").strip().lower() for key in ("a", "b")]
    if not all(_ID.fullmatch(id) for id in ids):
        raise Http404("Two trace ids are compared: 32 hexadecimal digits each.")
    (before, _), (after, _) = (_trace(request, id) for id in ids)
    steps = comparing.compare(before, after)
    rows = [
        {
            "step": s,
            "indent": min(s.depth, 12),
            "before": s.before.span.duration / 1000 if s.before else None,
            "after": s.after.span.duration / 1000 if s.after else None,
            **_difference(s.delta),
        }
        for s in steps
    ]
    worst = sorted((s for s in steps if s.own_delta), key=lambda s: -abs(s.own_delta))[:5]
    return render(
        request,
        "traces/compare.html",
        {
            "before": before,
            "after": after,
            "root": after.roots[0].span,
            "rows": rows,
            "worst": [{"step": s, **_difference(s.own_delta)} for s in worst],
            "whole": _difference(after.duration - before.duration),
            "before_ms": before.duration / 1000,
            "after_ms": after.duration / 1000,
            "changed": sum(s.word != "same" for s in steps),
            "api_path": f"GET /api/v1/traces/{ids[1]}/comparison?with={ids[0]}",
        },
    )


def _difference(microseconds: int) -> dict[str, Any]:
    return {
        "sign": "+" if microseconds > 0 else "−" if microseconds < 0 else "",
        "by": abs(microseconds) / 1000,
        "slower": microseconds > 0,
    }
