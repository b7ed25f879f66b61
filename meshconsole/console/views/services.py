"""Services: the list with golden signals, and one service with its endpoints, policies, callers and charts."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from meshconsole.configstore import mesh as configured
from meshconsole.configstore import store
from meshconsole.core.mesh.model import Service
from meshconsole.discovery import registry
from meshconsole.topology import queries as topology
from telemetry import query
from telemetry.golden import grouped
from telemetry.golden import of as totals

from .. import charts, kinds, mesh
from ..scope import Scope

TABS = ("overview", "traffic", "policies")


def _all() -> list[Service]:
    """Those of workloads, and those that policies declare."""
    config = configured.config()
    declared = [s for p in store.resources() for s in p.services(config)]
    return [*registry.services(), *declared]


@login_required
@require_GET
def services(request: HttpRequest) -> HttpResponse:
    scope = Scope.of(request)
    namespaces = mesh.chosen(request.user, scope.namespace)
    graph = topology.current(max(60, scope.seconds), "service", namespaces)
    golden = query.goldens(scope.start, scope.end, "service", namespaces)
    nodes = {host: n for n in graph.nodes for host in n.services}
    trends = charts.trends(scope, namespaces)
    rows = []
    for service in sorted(_all(), key=lambda s: (s.namespace, s.name)):
        if mesh.inside(service.namespace, namespaces):
            rows.append(
                {
                    "service": service,
                    "node": nodes.get(service.host),
                    "golden": golden.get(service.host),
                    "trend": trends.get((service.host,), charts.Trend()),
                    "healthy": sum(e.healthy for e in service.endpoints),
                }
            )
    return render(request, "services/list.html", {"services": rows})


@login_required
@require_GET
def service(request: HttpRequest, namespace: str, name: str) -> HttpResponse:
    scope = Scope.of(request)
    if not mesh.inside(namespace, mesh.chosen(request.user, namespace)):
        raise Http404
    found = next((s for s in _all() if s.namespace == namespace and name in (s.name, s.host)), None)
    if found is None:
        raise Http404(f"There is no service {name} in namespace {namespace}.")
    tab = request.GET.get("tab", "overview")
    graph = topology.current(max(60, scope.seconds), "service", [namespace])
    node = next((n for n in graph.nodes if found.host in n.services), None)
    edges = [e for e in query.edges(scope.start, scope.end, [namespace]) if e.service == found.host]
    callers = busiest(grouped(edges, lambda e: f"{e.source.namespace}/{e.source.workload}"))
    targets = busiest(grouped(edges, lambda e: f"{e.destination.namespace}/{e.destination.workload}"))
    drawn = charts.of_service(scope, found.host, store.revisions(50))
    return render(
        request,
        "services/detail.html",
        {
            "trend": charts.trend(drawn["rate"]),
            "service": found,
            "tab": tab if tab in TABS else "overview",
            "node": node,
            "golden": totals(edges),
            "charts": drawn,
            "callers": callers,
            "targets": targets,
            "policies": acting(node),
            "split": charts.shares(targets),
        },
    )


def busiest(golden: dict[str, query.Golden]) -> list[tuple[str, query.Golden]]:
    return sorted(golden.items(), key=lambda item: (-item[1].requests, item[0]))


def acting(node: object) -> list[dict]:
    """The policies that a node's badges name, each once, with what they do to it."""
    found: dict[tuple[str, str, str], dict] = {}
    for badge in getattr(node, "badges", ()):
        for p in badge.policies:
            entry = found.setdefault(
                (p.kind, p.namespace, p.name), {"kind": kinds.Kind.named(p.kind), "namespace": p.namespace, "name": p.name, "badges": []}
            )
            entry["badges"].append(badge.kind)
    return list(found.values())
