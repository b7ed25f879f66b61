"""Passkeys: signing in with one, making and removing one's own. The browser's half is static/js/passkey.js."""

import time
from typing import Any

from django.conf import settings
from django.contrib import messages as flash
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from meshconsole.accounts import audit, lockout, passkeys
from meshconsole.accounts.author import Author
from meshconsole.accounts.models import Passkey

from .session import address, enter

CHALLENGE = "passkey_challenge"
LIFE = 300.0


def here(request: HttpRequest) -> passkeys.Here:
    host = request.get_host()
    name = host.rsplit(":", 1)[0] if host.rpartition(":")[2].isdecimal() else host
    trusted = [o for o in settings.CSRF_TRUSTED_ORIGINS if o.partition("://")[2].rsplit(":", 1)[0] == name]
    return passkeys.Here(name, (f"{request.scheme}://{host}", *trusted))


def _ask(request: HttpRequest, asked: tuple[str, str]) -> HttpResponse:
    options, challenge = asked
    request.session[CHALLENGE] = [challenge, time.time()]
    return HttpResponse(options, content_type="application/json")


def _challenge(request: HttpRequest) -> str:
    """The one that was given to this browser, once. Raises Refused."""
    challenge, at = request.session.pop(CHALLENGE, ("", 0.0))
    if not challenge or time.time() - at > LIFE:
        raise passkeys.Refused("That took too long. Try again.")
    return str(challenge)


@never_cache
@require_POST
def sign_in_options(request: HttpRequest) -> HttpResponse:
    return _ask(request, passkeys.authentication(here(request)))


@never_cache
@require_POST
def sign_in(request: HttpRequest) -> HttpResponse:
    try:
        begun = lockout.begin(lockout.sign_in("", address(request)), timezone.now())
        found = passkeys.authenticate(request.POST.get("answer", ""), _challenge(request), here(request))
    except lockout.TooMany as e:
        return JsonResponse({"error": f"Too many attempts. Try again in {e.seconds:.0f} s."}, status=429)
    except passkeys.Refused as e:
        return JsonResponse({"error": str(e)}, status=403)
    lockout.forgive(begun)
    answer = enter(request, found.user, f"passkey {found.name}", request.POST.get("next", ""))
    said = JsonResponse({"next": answer["Location"]})
    said.cookies = answer.cookies
    return said


@login_required
@require_POST
def make_options(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    return _ask(request, passkeys.registration(user, here(request)))


@login_required
@require_POST
def make(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    try:
        if user.subject:
            raise passkeys.Refused("You sign in at the single sign-on provider.")
        challenge = _challenge(request)
        with transaction.atomic():
            made = passkeys.register(user, request.POST.get("name", ""), request.POST.get("answer", ""), challenge, here(request))
            audit.record(Author.of(request), "add passkey", f"User {user.username}", f"+{made.name}\n")
    except passkeys.Refused as e:
        return JsonResponse({"error": str(e)}, status=400)
    flash.success(request, f"{made.name} signs you in from now on.")
    return JsonResponse({"next": request.build_absolute_uri("/settings/security/")})


@login_required
@require_POST
def remove(request: HttpRequest, id: int) -> HttpResponse:
    found = get_object_or_404(Passkey, pk=id, user=request.user)
    with transaction.atomic():
        audit.record(Author.of(request), "remove passkey", f"User {request.user.get_username()}", f"-{found.name}\n")
        found.delete()
    flash.success(request, f"{found.name} is removed.")
    return redirect("security")
