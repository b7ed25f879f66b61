"""Join a workload: make a join token, and the commands that use it."""

from django.contrib import messages as flash
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from meshconsole.accounts import audit
from meshconsole.accounts.author import Author
from meshconsole.accounts.permissions import Verb, may, visible
from meshconsole.ca import queries as ca
from meshconsole.ca import tokens

from .. import forms, membership
from ..scope import Scope

KIND = "JoinToken"


@login_required
@require_http_methods(["GET", "POST"])
def join(request: HttpRequest) -> HttpResponse:
    scope = Scope.of(request)
    if not may(request.user, Verb.CREATE, KIND, None):
        return render(request, "join/page.html", {"refused": True})
    allowed = visible(request.user, Verb.GET, KIND)
    groups = membership.groups(allowed)
    group = next((g for g in groups if f"{g.metadata.namespace}/{g.metadata.name}" == request.GET.get("group")), None)
    initial = {"namespace": scope.namespace or "default"}
    if group is not None:
        initial = {"namespace": group.metadata.namespace, "service_account": group.spec.template.service_account or "default"}
    form = forms.NewJoinToken(request.POST or None, initial=initial)
    secret, asked = "", {}
    if request.method == "POST" and form.is_valid():
        asked = form.cleaned_data
        if not may(request.user, Verb.CREATE, KIND, asked["namespace"]):
            raise PermissionDenied(f"You may not let workloads join namespace {asked['namespace']}.")
        with transaction.atomic():
            uses = int(asked["uses"]) if asked["uses"] else None
            secret = tokens.create(asked["namespace"], asked["service_account"], asked["ttl"], uses, created_by=request.user.get_username())
            audit.record(Author.of(request), "create", f"JoinToken {asked['namespace']}/{asked['service_account']}")
    living = [t for t in ca.join_tokens(None if allowed is None else sorted(allowed)) if t.state == "alive"]
    ws = f"{'wss' if request.is_secure() else 'ws'}://{request.get_host()}"
    return render(
        request,
        "join/page.html",
        {"form": form, "secret": secret, "asked": asked, "tokens": living, "ws_url": ws, "groups": groups, "group": group},
    )


@login_required
@require_POST
def revoke(request: HttpRequest, token: int) -> HttpResponse:
    found = next((t for t in ca.join_tokens() if t.id == token), None)
    if found is None or not may(request.user, Verb.DELETE, KIND, found.namespace):
        raise Http404
    with transaction.atomic():
        if tokens.revoke(token):
            audit.record(Author.of(request), "delete", f"JoinToken {found.namespace}/{found.service_account}")
    flash.success(request, "The join token is revoked. Workloads that joined with it stay.")
    return redirect("join")
