"""Denials of a span of time: which policy, whom, at what. One page for the mesh, a service, a workload or a policy."""

from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from telemetry import logs
from telemetry.refusals import refusals

from .. import mesh
from ..scope import Scope

SHOWN = 300


@login_required
@require_GET
def denials(request: HttpRequest) -> HttpResponse:
    scope, given = Scope.of(request), request.GET
    query = {key: said for key in ("service", "workload", "policy") if (said := given.get(key, "").strip()[:300])}
    dry = given.get("dry") == "1"
    asked = logs.Asked(
        namespaces=mesh.chosen(request.user, scope.namespace),
        service=query.get("service", ""),
        workload=query.get("workload", ""),
        policy=query.get("policy", ""),
    )
    found = refusals(asked, scope.start, scope.end + 60, would=dry)
    return render(
        request,
        "logs/denials.html",
        {
            "found": found,
            "groups": found.groups[:SHOWN],
            "asked": given,
            "dry": dry,
            "query": query,
            "command": " ".join(
                ["meshconsole denials", *(f"--{key} '{said}'" for key, said in query.items()), *(["--dry-run"] if dry else [])]
            ),
            "api_path": f"GET /api/v1/denials?{urlencode(query | ({'dryRun': '1'} if dry else {}))}".rstrip("?"),
        },
    )
