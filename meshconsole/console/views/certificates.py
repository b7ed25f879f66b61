"""Trust: the mesh's roots, and every workload's certificate with the life that it has left."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from meshconsole.ca import queries as ca

from .. import mesh
from ..scope import Scope


@login_required
@require_GET
def certificates(request: HttpRequest) -> HttpResponse:
    scope = Scope.of(request)
    wanted = mesh.chosen(request.user, scope.namespace)
    now = timezone.now()
    rows: list[dict[str, Any]] = []
    for c in ca.certificates(wanted, current=True, now=now):
        left = max(0.0, (c.not_after - now) / (c.not_after - c.not_before))
        tone = "bad" if c.state in ("expired", "revoked") or left < 0.1 else "warn" if left < 0.3 else ""
        rows.append({"certificate": c, "left": left, "tone": tone})
    rows.sort(key=lambda r: r["certificate"].not_after)
    return render(request, "certificates/list.html", {"roots": ca.roots(), "certificates": rows, "late": [r for r in rows if r["tone"]]})
