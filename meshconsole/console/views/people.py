"""People: who may sign in, and what they may do where. Accounts are the mesh admins' business, roles also the namespaces' admins'."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages as flash
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from meshconsole.accounts import audit, factors, sessions
from meshconsole.accounts import people as accounts
from meshconsole.accounts.author import Author
from meshconsole.accounts.models import ApiToken, Role, User
from meshconsole.accounts.permissions import EVERYWHERE, Verb, may, visible

from .. import browsers, forms

ROLES = [(Role.VIEWER, "Viewer"), (Role.EDITOR, "Editor"), (Role.ADMIN, "Admin")]


def _roles(request: HttpRequest, user: User) -> list[dict[str, Any]]:
    """Those that the asker may know of."""
    shown = visible(request.user, Verb.GET, "Grant")
    sources = {g.namespace: g.source for g in user.grants.all()}
    return [
        {"namespace": n, "role": r, "source": sources.get(n, ""), "may": may(request.user, Verb.UPDATE, "Grant", n)}
        for n, r in sorted(accounts.roles(user).items(), key=lambda item: (item[0] != EVERYWHERE, item[0]))
        if shown is None or n in shown
    ]


@login_required
@require_GET
def people(request: HttpRequest) -> HttpResponse:
    author = Author.of(request)
    if not may(request.user, Verb.GET, "Grant", None):
        raise PermissionDenied("Only admins see who may do what.")
    protected = set(factors.people())
    rows = [
        {"user": u, "state": accounts.state(u), "roles": _roles(request, u), "factor": u.pk in protected} for u in accounts.seen(author)
    ]
    return render(request, "people/list.html", {"rows": rows, "manages": accounts.may_manage(author)})


@sensitive_post_parameters("password")
@login_required
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    author = Author.of(request)
    if not accounts.may_manage(author):
        raise PermissionDenied("Only an admin of the whole mesh makes accounts.")
    form = forms.NewPerson(request.POST or None)
    if request.method == "POST" and form.is_valid():
        asked = form.cleaned_data
        grants = {asked["namespace"].strip() or EVERYWHERE: asked["role"]} if asked["role"] else {}
        try:
            with transaction.atomic():
                user = accounts.create(
                    author, asked["username"], email=asked["email"], name=asked["name"], password=asked["password"], grants=grants
                )
                link = "" if asked["password"] else accounts.invitation(author, user)
        except accounts.Refused as e:
            form.add_error(e.field if e.field in form.fields else None, str(e))
        else:
            if link:
                return _page(request, user, link=request.build_absolute_uri(link), fresh=True)
            flash.success(request, f"{user.username} can sign in now.")
            return redirect("person", user.pk)
    return render(request, "people/new.html", {"form": form}, status=400 if form.errors else 200)


@login_required
@require_GET
def person(request: HttpRequest, id: int) -> HttpResponse:
    return _page(request, _found(request, id))


def _found(request: HttpRequest, id: int) -> User:
    return get_object_or_404(accounts.seen(Author.of(request)), pk=id)


def _page(request: HttpRequest, user: User, **more: Any) -> HttpResponse:
    author = Author.of(request)
    manages = accounts.may_manage(author)
    said: dict[str, Any] = {
        "person": user,
        "state": accounts.state(user),
        "roles": _roles(request, user),
        "manages": manages,
        "choices": ROLES,
    }
    if manages:
        said |= {
            "factor": factors.has(user),
            "passkeys": user.passkeys.count(),
            "sessions": [{"row": row, "browser": browsers.named(row.agent)} for row in sessions.living(user)],
            "tokens": ApiToken.objects.filter(user=user, revoked=None).order_by("-created"),
            "now": timezone.now(),
        }
    if may(request.user, Verb.GET, "AuditEntry", EVERYWHERE):
        said["entries"] = audit.entries(limit=8, who=user.username)
    return render(request, "people/detail.html", {**said, **more})


@sensitive_post_parameters("password")
@login_required
@require_POST
def act(request: HttpRequest, id: int, what: str) -> HttpResponse:
    """One thing done to one person; what it is stands in the address."""
    user, author = _found(request, id), Author.of(request)
    if what not in ACTS:
        raise Http404
    try:
        with transaction.atomic():
            answer = ACTS[what](request, author, user)
    except accounts.Refused as e:
        if e.forbidden:
            raise PermissionDenied(str(e))
        flash.error(request, str(e))
        return redirect("person", user.pk)
    if isinstance(answer, HttpResponse):
        return answer
    flash.success(request, answer)
    return redirect("person", user.pk)


def _role(request: HttpRequest, author: Author, user: User) -> str:
    namespace, role = request.POST.get("namespace", "").strip(), request.POST.get("role", "")
    where = "every namespace" if namespace == EVERYWHERE else namespace
    if not role:
        accounts.withdraw(author, user, namespace)
        return f"{user.username} has no role in {where} any more."
    accounts.grant(author, user, namespace, role)
    return f"{user.username} is {role} of {where}."


def _active(request: HttpRequest, author: Author, user: User) -> str:
    accounts.change(author, user, active=request.POST.get("active") == "1")
    return (
        f"{user.username} can sign in again."
        if user.is_active
        else f"{user.username} is disabled: signed out everywhere, and their tokens open nothing."
    )


def _details(request: HttpRequest, author: Author, user: User) -> str:
    accounts.change(author, user, email=request.POST.get("email", ""), name=request.POST.get("name", ""))
    return "Saved."


def _invite(request: HttpRequest, author: Author, user: User) -> HttpResponse:
    return _page(request, user, link=request.build_absolute_uri(accounts.invitation(author, user)))


def _factors(request: HttpRequest, author: Author, user: User) -> str:
    accounts.reset_factors(author, user)
    return f"{user.username} signs in without a second factor until they set up a new one."


def _sign_out(request: HttpRequest, author: Author, user: User) -> str:
    accounts.sign_out(author, user)
    return f"{user.username} is signed out everywhere."


def _unlock(request: HttpRequest, author: Author, user: User) -> str:
    accounts.unlock(author, user)
    return f"{user.username} may try again at once."


def _revoke(request: HttpRequest, author: Author, user: User) -> str:
    given = request.POST.get("token", "")
    token = get_object_or_404(ApiToken, pk=int(given) if given.isdecimal() and len(given) < 18 else 0, user=user)
    if not accounts.may_manage(author):
        raise accounts.Refused("Only an admin of the whole mesh may do this.", forbidden=True)
    accounts.revoke_token(author, token)
    return f"{token.name} is revoked: it stops working now."


ACTS: dict[str, Callable[[HttpRequest, Author, User], str | HttpResponse]] = {
    "role": _role,
    "active": _active,
    "details": _details,
    "invite": _invite,
    "reset-factors": _factors,
    "sign-out": _sign_out,
    "unlock": _unlock,
    "revoke-token": _revoke,
}
