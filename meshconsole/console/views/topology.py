"""The graph's page: a frame; topology.js draws what /ws/topology sends, and keeps its state in the URL."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from .. import mesh
from ..scope import Scope

KINDS = (("versionedApp", "Versioned apps"), ("app", "Apps"), ("workload", "Workloads"), ("service", "Services"))
LABELS = (
    ("rate", "Requests per second"),
    ("errors", "Error share"),
    ("p50", "Latency p50"),
    ("p95", "Latency p95"),
    ("p99", "Latency p99"),
    ("share", "Traffic distribution"),
    ("throughput", "Throughput"),
    ("none", "No labels"),
)


@login_required
@require_GET
def topology(request: HttpRequest) -> HttpResponse:
    scope = Scope.of(request)
    return render(
        request,
        "topology/page.html",
        {"kinds": KINDS, "labels": LABELS, "chosen": mesh.chosen(request.user, scope.namespace)},
    )
