"""One's own account: API tokens, what one may do, appearance."""

from datetime import timedelta
from typing import Any

from django.contrib import messages as flash
from django.contrib.auth.decorators import login_required
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from meshconsole.accounts import audit, tokens
from meshconsole.accounts.author import Author
from meshconsole.accounts.models import ApiToken

from .. import forms, kinds, mesh

VERBS: dict[str, list[str]] = {"all": [], "read": ["get"], "change": ["get", "create", "update"]}


@login_required
@require_http_methods(["GET", "POST"])
def settings(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    choices = {"namespaces": mesh.namespaces(request.user), "kinds": sorted(k.name for k in kinds.all_())}
    form = forms.NewToken(request.POST or None, **choices)
    secret = ""
    if request.method == "POST" and form.is_valid():
        asked = form.cleaned_data
        expires = timezone.now() + timedelta(days=int(asked["days"])) if asked["days"] else None
        verbs = VERBS[asked["access"]]
        try:
            with transaction.atomic():
                token, secret = tokens.create(
                    user, asked["name"], expires=expires, namespaces=asked["namespaces"], kinds=asked["kinds"], verbs=verbs
                )
                audit.record(Author.of(request), "create", f"ApiToken {token.name} of {user.username}", tokens.told(token))
        except IntegrityError:
            form.add_error("name", "You have a token of this name already.")
        else:
            form = forms.NewToken(**choices)
    return _page(request, form, secret)


def _page(request: HttpRequest, form: forms.NewToken, secret: str) -> HttpResponse:
    user: Any = request.user
    mine: Any = ApiToken.objects.filter(user=user, revoked=None).order_by("-created")
    return render(request, "settings/page.html", {"form": form, "secret": secret, "tokens": mine, "now": timezone.now()})


@login_required
@require_POST
def rotate(request: HttpRequest, token: int) -> HttpResponse:
    """A new secret for the same token, shown once; whatever still has the old one stops working."""
    found = get_object_or_404(ApiToken, pk=token, user=request.user)
    with transaction.atomic():
        if (secret := tokens.rotate(found)) is None:
            flash.error(request, f"{found.name} is revoked or has expired: make a new token.")
            return redirect("settings")
        audit.record(Author.of(request), "rotate", f"ApiToken {found.name} of {found.user.username}")
    choices = {"namespaces": mesh.namespaces(request.user), "kinds": sorted(k.name for k in kinds.all_())}
    return _page(request, forms.NewToken(**choices), secret)


@login_required
@require_POST
def revoke(request: HttpRequest, token: int) -> HttpResponse:
    found = get_object_or_404(ApiToken, pk=token, user=request.user)
    with transaction.atomic():
        if tokens.revoke(found):
            audit.record(Author.of(request), "delete", f"ApiToken {found.name} of {found.user.username}")
    flash.success(request, f"{found.name} is revoked: it stops working now.")
    return redirect("settings")
