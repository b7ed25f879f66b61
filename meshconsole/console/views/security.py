"""How one signs in: password, authenticator, recovery codes, and the browsers that are signed in."""

import time
from typing import Any

from django.conf import settings
from django.contrib import messages as flash
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from meshconsole.accounts import audit, factors, lockout, people, sessions
from meshconsole.accounts.author import Author
from meshconsole.accounts.models import SignedIn

from .. import browsers
from .passkeys import here


def _page(request: HttpRequest, status: int = 200, **more: Any) -> HttpResponse:
    user: Any = request.user
    rows = [
        {"row": row, "browser": browsers.named(row.agent), "here": row.session_key == request.session.session_key}
        for row in sessions.living(user)
    ]
    said: dict[str, Any] = {
        "sessions": rows,
        "has_factor": factors.has(user),
        "codes_left": factors.left(user),
        "passkeys": list(user.passkeys.all()),
    }
    said["passkeys_possible"] = here(request).possible
    return render(request, "settings/security.html", {**said, "local": not user.subject, **more}, status=status)


@login_required
@require_GET
def security(request: HttpRequest) -> HttpResponse:
    return _page(request)


def _proven(request: HttpRequest) -> str:
    """Empty when the password sent along is the person's own; else what to say. Guesses are counted as at the front door."""
    user: Any = request.user
    try:
        begun = lockout.begin(lockout.code(user.pk), timezone.now())
    except lockout.TooMany as e:
        return f"Too many attempts. Try again in {e.seconds:.0f} s."
    if not user.check_password(request.POST.get("current", "")):
        return "That is not your password."
    lockout.forgive(begun)
    return ""


@sensitive_variables()
@sensitive_post_parameters()
@login_required
@require_POST
def password(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    if user.subject:
        return _page(request, 400, password_error="You sign in at the single sign-on provider: your password is changed there.")  # noqa: S106
    if wrong := _proven(request):
        return _page(request, 400, password_error=wrong)
    new = request.POST.get("new", "")
    if new != request.POST.get("again", ""):
        return _page(request, 400, password_error="The two new passwords differ.")  # noqa: S106
    try:
        with transaction.atomic():
            people.set_password(Author.of(request), user, new)
            sessions.keep(request, user)
    except people.Refused as e:
        return _page(request, 400, password_error=str(e))
    flash.success(request, "Your password is changed. Every other browser is signed out.")
    return redirect("security")


@sensitive_variables()
@sensitive_post_parameters()
@login_required
@require_http_methods(["GET", "POST"])
def authenticator(request: HttpRequest) -> HttpResponse:
    """GET shows the QR code of a new secret; POST confirms it by its first code, or with `remove` takes the second factor away."""
    user: Any = request.user
    if user.subject:
        flash.info(request, "You sign in at the single sign-on provider: its own second factor is asked for there.")
        return redirect("security")
    if request.method == "POST" and "remove" in request.POST:
        if wrong := _proven(request):
            return _page(request, 400, factor_error=wrong)
        with transaction.atomic():
            if factors.remove(user):
                audit.record(Author.of(request), "remove second factor", f"User {user.username}")
        flash.success(request, "The authenticator is removed: your password alone signs you in.")
        return redirect("security")
    if factors.has(user):
        return redirect("security")
    secret = factors.begin(user)
    said: dict[str, Any] = {"secret": secret, "picture": mark_safe(factors.picture(factors.address(user, secret)))}  # noqa: S308 - SVG of our own making
    if request.method == "GET":
        return render(request, "settings/authenticator.html", said)
    with transaction.atomic():
        codes = factors.confirm(user, request.POST.get("code", "")[:20], time.time())
        if codes is not None:
            audit.record(Author.of(request), "add second factor", f"User {user.username}", "+authenticator app\n")
    if codes is None:
        return render(request, "settings/authenticator.html", {**said, "wrong": True}, status=400)
    return render(request, "settings/codes.html", {"codes": codes, "fresh": True})


@sensitive_post_parameters()
@login_required
@require_POST
def recovery(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    if not factors.has(user):
        return redirect("security")
    if wrong := _proven(request):
        return _page(request, 400, factor_error=wrong)
    with transaction.atomic():
        codes = factors.new_recovery_codes(user)
        audit.record(Author.of(request), "new recovery codes", f"User {user.username}")
    return render(request, "settings/codes.html", {"codes": codes})


@login_required
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    with transaction.atomic():
        people.sign_out(Author.of(request), user)
        sessions.keep(request, user)
    flash.success(request, "Every other browser is signed out.")
    return redirect("security")


@login_required
@require_POST
def end(request: HttpRequest, id: int) -> HttpResponse:
    row = get_object_or_404(SignedIn, pk=id, user=request.user)
    here = row.session_key == request.session.session_key
    sessions.end(row)
    audit.record(Author.of(request), "sign out", f"User {request.user.get_username()}", "another browser\n")
    if here:
        return redirect(settings.LOGIN_URL)
    flash.success(request, "That browser is signed out.")
    return redirect("security")
