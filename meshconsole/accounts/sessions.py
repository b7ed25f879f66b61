"""Browsers that are signed in: one row each, so that a person sees them and ends them."""

from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest
from django.utils import timezone

from .models import SignedIn, User


def _store() -> Any:
    return import_module(settings.SESSION_ENGINE).SessionStore


def listen() -> None:
    user_logged_in.connect(_began, dispatch_uid="accounts.sessions")
    user_logged_out.connect(_ended, dispatch_uid="accounts.sessions")


def _began(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    if not request.session.session_key:
        request.session.save()
    SignedIn.objects.update_or_create(
        session_key=request.session.session_key or "",
        defaults={
            "user": user,
            "started": timezone.now(),
            "address": (request.META.get("REMOTE_ADDR") or "")[:64],
            "agent": request.headers.get("User-Agent", "")[:300],
        },
    )


def _ended(sender: Any, request: HttpRequest, **_: Any) -> None:
    SignedIn.objects.filter(session_key=request.session.session_key or "").delete()


def living(user: User) -> list[SignedIn]:
    """The newest first. Rows of sessions that have ended by themselves are swept away."""
    rows = list(SignedIn.objects.filter(user=user))
    store = _store()
    gone = [row.pk for row in rows if not store().exists(row.session_key)]
    SignedIn.objects.filter(pk__in=gone).delete()
    return [row for row in rows if row.pk not in gone]


def end(row: SignedIn) -> None:
    _store()(row.session_key).delete()
    row.delete()


@transaction.atomic
def end_all(user: User) -> None:
    """Also those that nobody knows of: the epoch is in each session's hash."""
    for row in SignedIn.objects.filter(user=user):
        _store()(row.session_key).delete()
        row.delete()
    User.objects.filter(pk=user.pk).update(epoch=F("epoch") + 1)
    user.refresh_from_db(fields=["epoch"])


def keep(request: HttpRequest, user: User) -> None:
    """After `end_all`: the browser that asked for it stays signed in, under a new key."""
    from django.contrib.auth import BACKEND_SESSION_KEY, login

    backend = request.session.get(BACKEND_SESSION_KEY, settings.AUTHENTICATION_BACKENDS[0])
    request.session.flush()
    login(request, user, backend=backend)
