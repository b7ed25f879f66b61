"""Service level objectives: what is promised, how much of the budget is left, how fast it burns."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from meshconsole.slo import queries
from telemetry.query import Unavailable

from .alerts import seen


@login_required
@require_GET
def objectives(request: HttpRequest) -> HttpResponse:
    unavailable = ""
    found: list[queries.Standing] = []
    try:
        found = queries.standings(seen(request, "ServiceLevelObjective"))
    except Unavailable as e:
        unavailable = str(e)
    rows = []
    for s in found:
        left = s.budget_left
        tone = "" if left is None else "bad" if left <= 0.1 else "warn" if left <= 0.4 else ""
        used = None if left is None else 1 - left
        rows.append(
            {"s": s, "left": max(0.0, left or 0.0), "used": used, "tone": tone, "target": s.objective / 100, "days": s.window / 86400}
        )
    return render(request, "alerts/objectives.html", {"rows": rows, "unavailable": unavailable})
