"""Mutual TLS: what each workload demands, what came in plaintext and from whom; the way to STRICT."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from meshconsole.topology import strictness
from telemetry import query

from .. import kinds, mesh
from ..scope import Scope


@login_required
@require_GET
def mtls(request: HttpRequest) -> HttpResponse:
    scope = Scope.of(request)
    wrong = ""
    try:
        found = strictness.demands(scope.start, scope.end, mesh.chosen(request.user, scope.namespace))
    except query.Unavailable as e:
        found, wrong = [], str(e)
    secured, plain = (sum(getattr(d.inbound, name) for d in found) for name in ("secured", "plaintext"))
    states = [d.state for d in found]
    return render(
        request,
        "mtls/page.html",
        {
            "demands": found,
            "wrong": wrong,
            "kind": kinds.Kind.named("PeerAuthentication"),
            "share": 1 - plain / secured if secured else None,
            "strict": states.count("strict"),
            "ready": states.count("ready"),
            "plain": states.count("plaintext"),
        },
    )
