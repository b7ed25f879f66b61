"""The first page: how the mesh is, what is wrong, what changed."""

from collections import Counter
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from meshconsole.alerts import queries as alerts
from meshconsole.ca import queries as ca
from meshconsole.configstore import store
from meshconsole.topology import queries as topology
from meshconsole.xds import status
from telemetry import query
from telemetry.golden import of as totals

from .. import charts, mesh
from ..scope import Scope
from .changes import shown
from .proxies import word

RANKED = 5


@login_required
@require_GET
def overview(request: HttpRequest) -> HttpResponse:
    scope = Scope.of(request)
    namespaces = mesh.chosen(request.user, scope.namespace)
    graph = topology.current(max(60, scope.seconds), "service", namespaces)
    golden = query.golden(scope.start, scope.end) if namespaces is None else golden_of(scope, namespaces)
    by_service = query.goldens(scope.start, scope.end, "service", namespaces)
    nodes = [n for n in graph.nodes if n.kind == "service" and n.namespace]
    ranked = [(by_service[n.services[0]], n) for n in nodes if n.services and n.services[0] in by_service]
    proxies = status.proxies(namespaces=namespaces)
    revisions = store.revisions(20)
    certificates = expiring(namespaces)
    drawn = charts.golden(scope, namespaces, revisions)
    return render(
        request,
        "overview/page.html",
        {
            "golden": golden,
            "charts": drawn,
            "trend": charts.trend(drawn["rate"]),
            "services": len(nodes),
            "workloads": len(mesh.workloads(request.user, scope.namespace)),
            "health": dict(Counter(n.health.status for n in nodes)),
            "unwell": [n for n in nodes if n.health.status in ("failure", "degraded", "notReady")],
            "failing": sorted((r for r in ranked if r[0].error_share), key=lambda r: -r[0].error_share)[:RANKED],
            "slow": sorted((r for r in ranked if r[0].p95 is not None), key=lambda r: -(r[0].p95 or 0))[:RANKED],
            "busy": sorted((r for r in ranked if r[0].rate), key=lambda r: -r[0].rate)[:RANKED],
            "proxies": proxies,
            "sync": dict(Counter(map(word, proxies))),
            "policies": sum(1 for r in store.list_() if mesh.inside(r.namespace, namespaces)),
            "certificates": certificates,
            "ending": [e for e in ca.expiring(timezone.now(), namespaces) if e.kind != "workload"],
            "firing": [a for a in alerts.firing(namespaces) if not a.silenced],
            "changes": shown(request, revisions, scope.namespace)[:6],
        },
    )


def golden_of(scope: Scope, namespaces: list[str]) -> query.Golden:
    """Of what is called in some namespaces."""
    return totals(e for e in query.edges(scope.start, scope.end, namespaces) if e.service_namespace in namespaces)


def expiring(namespaces: list[str] | None) -> dict[str, Any]:
    """How many certificates live, which of them should have been renewed by now, and the next to end."""
    found = [c for c in ca.certificates(namespaces, current=True) if c.state in ("valid", "renewing")]
    now = timezone.now()
    late = [c for c in found if c.not_after - now < (c.not_after - c.not_before) * 0.3]
    return {"living": len(found), "late": late, "next": min(found, key=lambda c: c.not_after, default=None)}
