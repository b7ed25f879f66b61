"""Workloads: the list, and one with its ports, identity, proxy, policies and traffic."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from meshconsole.configstore import store
from meshconsole.topology import queries as topology
from meshconsole.xds import status
from telemetry import query
from telemetry.golden import grouped
from telemetry.golden import of as totals

from .. import charts, membership, mesh
from ..scope import Scope
from .services import acting, busiest

TABS = ("overview", "inbound", "outbound", "policies")


@login_required
@require_GET
def workloads(request: HttpRequest) -> HttpResponse:
    scope = Scope.of(request)
    namespaces = mesh.chosen(request.user, scope.namespace)
    graph = topology.current(max(60, scope.seconds), "workload", namespaces)
    nodes = {(n.namespace, n.name): n for n in graph.nodes if n.kind == "workload"}
    golden = query.goldens(scope.start, scope.end, "workload", namespaces)
    proxies = {p.proxy_id: p for p in status.proxies()}
    trends = charts.trends(scope, namespaces, ("destination_workload_namespace", "destination_workload"))
    rows = [
        {
            "trend": trends.get((w.namespace, w.name), charts.Trend()),
            "workload": w,
            "node": nodes.get((w.namespace, w.name)),
            "golden": golden.get(w.id),
            "proxy": proxies.get(w.id),
        }
        for w in mesh.workloads(request.user, scope.namespace)
    ]
    return render(request, "workloads/list.html", {"workloads": rows})


@login_required
@require_GET
def workload(request: HttpRequest, namespace: str, name: str) -> HttpResponse:
    scope = Scope.of(request)
    found = next((w for w in mesh.workloads(request.user, namespace) if w.name == name), None)
    if found is None:
        raise Http404(f"There is no workload {name} in namespace {namespace}.")
    tab = request.GET.get("tab", "overview")
    graph = topology.current(max(60, scope.seconds), "workload", [namespace])
    node = next((n for n in graph.nodes if n.kind == "workload" and (n.namespace, n.name) == (namespace, name)), None)
    edges = query.edges(scope.start, scope.end, [namespace])
    inbound = [e for e in edges if (e.destination.namespace, e.destination.workload) == (namespace, name)]
    outbound = [e for e in edges if (e.source.namespace, e.source.workload) == (namespace, name)]
    drawn = charts.of_workload(scope, namespace, name, "outbound" if tab == "outbound" else "inbound", store.revisions(50))
    return render(
        request,
        "workloads/detail.html",
        {
            "trend": charts.trend(drawn["rate"]),
            "workload": found,
            "member": membership.member(found),
            "tab": tab if tab in TABS else "overview",
            "node": node,
            "proxy": status.proxy(found.id),
            "golden": totals(inbound),
            "out": totals(outbound),
            "callers": busiest(grouped(inbound, lambda e: f"{e.source.namespace}/{e.source.workload}")),
            "called": busiest(grouped(outbound, lambda e: f"{e.service_namespace}/{e.service_name or e.service}")),
            "charts": drawn,
            "policies": acting(node),
        },
    )
