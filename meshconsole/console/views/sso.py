"""Signing in at the organisation's provider: off to it, and back."""

import logging

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from meshconsole.accounts import sso

from .session import address, enter, login_context

log = logging.getLogger(__name__)
NEXT = "sso_next"


@never_cache
@require_GET
def begin(request: HttpRequest) -> HttpResponse:
    """A link, not a form: the Content-Security-Policy lets forms lead nowhere else."""
    if not sso.configured():
        raise Http404
    request.session[NEXT] = request.GET.get("next", "")[:2000]
    try:
        return sso.begin(request, request.build_absolute_uri(reverse("sso-callback")))
    except sso.Refused as e:
        return _refused(request, str(e), 503)


@never_cache
@require_GET
def callback(request: HttpRequest) -> HttpResponse:
    if not sso.configured():
        raise Http404
    to = request.session.pop(NEXT, "")
    if request.user.is_authenticated:  # nobody is signed in as somebody else by a link
        return redirect("overview")
    try:
        user = sso.admit(sso.finish(request), address(request))
    except sso.Refused as e:
        return _refused(request, str(e), 403)
    return enter(request, user, "single sign-on", to)


def _refused(request: HttpRequest, why: str, status: int) -> HttpResponse:
    log.warning("Single sign-on from %s refused: %s", address(request), why)
    return render(request, "session/login.html", {**login_context(request), "sso_error": why}, status=status)
