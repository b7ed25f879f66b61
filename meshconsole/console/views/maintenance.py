"""Maintenance windows: silences that are planned, those that hold, and a way to end one early."""

from datetime import timedelta

from django.contrib import messages as flash
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from meshconsole.accounts import audit
from meshconsole.accounts.author import Author
from meshconsole.accounts.permissions import Verb, may, visible
from meshconsole.alerts import incidents, queries

from .. import mesh
from ..forms import NewMaintenance
from ..scope import Scope
from .alerts import KIND, seen


@login_required
@require_http_methods(["GET", "POST"])
def maintenance(request: HttpRequest) -> HttpResponse:
    granted = visible(request.user, Verb.UPDATE, KIND)
    allowed = sorted(granted if granted is not None else {"default", *mesh.namespaces(request.user)})
    choices = ([("*", "Every namespace")] if granted is None else []) + [(n, n) for n in allowed]
    chosen = Scope.of(request).namespace
    initial = {"namespace": chosen or (choices[0][0] if choices else "")}
    form = NewMaintenance(request.POST or None, namespaces=choices, initial=initial)
    if request.method == "POST" and form.is_valid() and _planned(request, form):
        return redirect("maintenance")
    now = timezone.now()
    found = queries.silences(seen(request, KIND), now)
    rows = [
        {"silence": s, "holds": s.holds(now), "may": may(request.user, Verb.UPDATE, KIND, s.namespace)}
        for s in sorted(found, key=lambda s: s.starts)
    ]
    return render(
        request, "alerts/maintenance.html", {"rows": rows, "form": form if choices else None}, status=200 if not form.errors else 422
    )


def _planned(request: HttpRequest, form: NewMaintenance) -> bool:
    said, now, author = form.cleaned_data, timezone.now(), Author.of(request)
    starts = said["starts"] or now
    try:
        with transaction.atomic():
            made = incidents.silence(
                said["namespace"], said["matchers"], starts, starts + timedelta(seconds=said["span"]), author.user, said["comment"], now
            )
            shown = "".join(f"{k}={v}\n" for k, v in sorted(made.matchers.items()))
            audit.record(author, "create", f"Silence {made.pk} of {made.namespace}", shown)
    except ValueError as e:
        form.add_error(None, str(e))
        return False
    flash.success(request, "Planned. What still fires when it ends is told then.")
    return True
