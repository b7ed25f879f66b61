"""Trust: the mesh's roots and their rotation, and every workload's certificate with the life that it has left."""

from typing import Any

from django.contrib import messages as flash
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from meshconsole.accounts.author import Author
from meshconsole.accounts.permissions import EVERYWHERE, Verb, may
from meshconsole.agents import evicting
from meshconsole.ca import queries as ca
from meshconsole.ca import revoking
from meshconsole.xds import rotating

from .. import mesh
from ..scope import Scope


def row(c: ca.Certificate, now: Any) -> dict[str, Any]:
    left = max(0.0, (c.not_after - now) / (c.not_after - c.not_before))
    tone = "bad" if c.state in ("expired", "revoked") or left < 0.1 else "warn" if left < 0.3 else ""
    return {"certificate": c, "left": left, "tone": tone}


def manages(request: HttpRequest) -> bool:
    """May they rotate what signs for the whole mesh?"""
    return may(request.user, Verb.CREATE, "TrustRoot", EVERYWHERE)


@login_required
@require_GET
def certificates(request: HttpRequest) -> HttpResponse:
    scope = Scope.of(request)
    wanted = mesh.chosen(request.user, scope.namespace)
    now = timezone.now()
    rows = sorted((row(c, now) for c in ca.certificates(wanted, current=True, now=now)), key=lambda r: r["certificate"].not_after)
    stands = rotating.standing(now)
    roots = ca.roots()
    evicted = [e for e in ca.evictions() if may(request.user, Verb.GET, "Eviction", e.proxy_id.split("/")[0])]
    return render(
        request,
        "certificates/list.html",
        {
            "roots": [r for r in reversed(roots) if r.state != "removed"],
            "former": [i for r in reversed(roots) for i in r.intermediates if i.state == "removed"],
            "requested": ca.requested(),
            "certificates": rows,
            "expiring": ca.expiring(now, wanted),
            "stands": stands,
            "believing": len(stands.holders) - len(stands.waiting),
            "waiting": [h for h in stands.waiting if mesh.inside(h.proxy_id.split("/")[0], wanted)],
            "share": 1 - len(stands.waiting) / len(stands.holders) if stands.holders else 1.0,
            "evicted": evicted,
            "manages": manages(request),
        },
    )


def _found(request: HttpRequest, serial: str) -> ca.Certificate:
    found = ca.certificate(serial)
    if found is None or not may(request.user, Verb.GET, "Certificate", found.namespace):
        raise Http404
    return found


@login_required
@require_GET
def certificate(request: HttpRequest, serial: str) -> HttpResponse:
    found, now = _found(request, serial), timezone.now()
    return render(
        request,
        "certificates/detail.html",
        {
            **row(found, now),
            "others": [c for c in ca.certificates([found.namespace], found.proxy_id, now=now, limit=20) if c.serial != found.serial],
            "eviction": next((e for e in ca.evictions([found.namespace]) if e.proxy_id == found.proxy_id), None),
            "name": found.proxy_id.partition("/")[2],
            "may": may(request.user, Verb.CREATE, "Eviction", found.namespace),
        },
    )


@login_required
@require_POST
def act(request: HttpRequest, serial: str, what: str) -> HttpResponse:
    """Revoke this certificate, or evict its workload."""
    found, author, now = _found(request, serial), Author.of(request), timezone.now()
    if not may(request.user, Verb.CREATE, "Eviction", found.namespace) or what not in ("revoke", "evict"):
        raise Http404
    reason = request.POST.get("reason", "").strip()[:200]
    try:
        if what == "revoke":
            revoking.revoke(serial, author, now, reason)
            flash.success(request, "The certificate is revoked. Its agent needs a new join token.")
        else:
            namespace, _, name = found.proxy_id.partition("/")
            evicting.evict(namespace, name, author, now, reason, tokens=bool(request.POST.get("tokens")))
            flash.success(request, f"{found.proxy_id} is evicted: cut, revoked, and not let in again.")
    except revoking.Unknown as e:
        flash.error(request, str(e))
    return redirect("certificate", serial)


@login_required
@require_POST
def readmit(request: HttpRequest, namespace: str, name: str) -> HttpResponse:
    if not may(request.user, Verb.DELETE, "Eviction", namespace):
        raise Http404
    try:
        evicting.readmit(namespace, name, Author.of(request))
        flash.success(request, f"{namespace}/{name} may join again, with a new token.")
    except evicting.Unknown as e:
        flash.error(request, str(e))
    return redirect("certificates")
