"""Traces: the search, and one trace as a waterfall."""

import re
from typing import Any, cast

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from meshconsole.core.mesh import peer
from telemetry import traces as store

from .. import kinds, mesh, waterfall
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
    found = store.search(
        scope.start,
        scope.end + 1,
        namespaces=mesh.chosen(request.user, scope.namespace),
        service=asked.get("service", "")[:200],
        workload=asked.get("workload", "")[:200],
        min_ms=_number(asked.get("min", "")),
        max_ms=_number(asked.get("max", "")),
        errors=asked.get("errors") == "1",
        tags=tags,
        order=cast(store.Order, order),
        limit=SHOWN,
    )
    return render(
        request,
        "traces/list.html",
        {
            "found": found,
            "order": order,
            "asked": asked,
            "wrong": wrong or ([f"{looked_for!r} is no trace id: 32 hexadecimal digits."] if looked_for else []),
            "filtered": any(asked.get(key) for key in ("service", "workload", "min", "max", "errors", "tags")),
            "plot": waterfall.scatter(found.traces, scope.start, scope.end + 1),
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
    found = store.trace(id.lower(), mesh.seen(request.user))
    if found is None:
        raise Http404(f"There is no trace {id}: it may not have come yet, or not have been kept.")
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
        "others": others(found.id),
        "api_path": f"GET /api/v1/traces/{found.id}",
    }
    return render(request, "traces/detail.html", said)


def others(id: str) -> list[tuple[str, str]]:
    """(name, address) of the same trace in the tools that there are."""
    found = []
    if settings.JAEGER_URL:
        found.append(("Jaeger", f"{settings.JAEGER_URL.rstrip('/')}/trace/{id}"))
    if settings.ZIPKIN_URL:
        found.append(("Zipkin", f"{settings.ZIPKIN_URL.rstrip('/')}/zipkin/traces/{id}"))
    if settings.GRAFANA_URL:
        found.append(("Grafana", settings.GRAFANA_URL))
    return found
