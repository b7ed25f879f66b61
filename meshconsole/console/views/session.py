"""Signing in and out: a password, a second factor where there is one, an invitation."""

import math
import time
from typing import Any

from django.conf import settings
from django.contrib.auth import login, logout
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, PasswordResetConfirmView
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse, reverse_lazy
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from meshconsole.accounts import audit, factors, lockout, people, sso
from meshconsole.accounts.author import Author
from meshconsole.accounts.models import User

HALFWAY = "second_factor"
"""Session key of somebody whose password was right and whose code is still asked for."""
HALFWAY_LIFE = 300.0
BACKEND = "django.contrib.auth.backends.ModelBackend"


def address(request: HttpRequest) -> str:
    return request.META.get("REMOTE_ADDR") or ""


def safe_next(request: HttpRequest, to: str) -> str:
    """Where to go after signing in: one of our own pages, whatever the address says."""
    ours = url_has_allowed_host_and_scheme(to, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    return to if ours and not to.startswith(reverse("login")) else resolve_url(settings.LOGIN_REDIRECT_URL)


def enter(request: HttpRequest, user: User, way: str, to: str, backend: str = BACKEND) -> HttpResponse:
    """The one door into a session: a new session key (whoever planted the old one has nothing), an audit entry, a known device."""
    login(request, user, backend=backend)
    audit.record(Author(user.username, "browser", address(request)), "sign in", f"User {user.username}", f"by {way}\n")
    answer = redirect(safe_next(request, to))
    answer.set_cookie(
        lockout.DEVICE_COOKIE,
        lockout.device_cookie(user.username, request.COOKIES.get(lockout.DEVICE_COOKIE, "")),
        max_age=lockout.DEVICE_LIFE,
        path=reverse("login"),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return answer


def failed(request: HttpRequest, name: str, wait: float) -> None:
    """What people type where a name belongs may be a password: of a name that nobody has, nothing is kept."""
    user = User.objects.filter(username=name).first()
    who = user.username if user else "unknown"
    author = Author(who, "browser", address(request))
    if user:
        audit.record(author, "sign-in failed", f"User {who}")
    if wait:
        audit.record(author, "lockout", f"User {who}", f"the next attempt is looked at after {math.ceil(wait)} s\n")


class SignIn(LoginView):
    template_name = "session/login.html"
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: str, **kwargs: str) -> HttpResponse:
        if not passwords():
            raise PermissionDenied("Sign in at the single sign-on provider.")
        name = request.POST.get("username", "")
        device = request.COOKIES.get(lockout.DEVICE_COOKIE, "")
        try:
            self.begun = lockout.begin(lockout.sign_in(name, address(request), device), timezone.now())
        except lockout.TooMany as e:  # the password is not looked at: a right guess shows no difference
            return self._later(e.seconds)
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        user: Any = form.get_user()
        lockout.forgive(self.begun)
        to = self.request.POST.get("next", self.request.GET.get("next", ""))
        if factors.has(user):
            self.request.session.cycle_key()
            self.request.session[HALFWAY] = {"user": user.pk, "hash": user.get_session_auth_hash(), "at": time.time(), "next": to}
            return redirect("login-code")
        return enter(self.request, user, "password", to)

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        failed(self.request, form.data.get("username", "").strip(), self.begun.wait)
        return self.render_to_response(self.get_context_data(form=form, wait=_end(self.begun.wait)))

    def _later(self, seconds: float) -> HttpResponse:
        context = self.get_context_data(form=AuthenticationForm(self.request), wait=_end(seconds), late=True)
        answer = self.render_to_response(context, status=429)
        answer.headers["Retry-After"] = str(math.ceil(seconds))
        return answer

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        return {**super().get_context_data(**more), **login_context(self.request)}


def login_context(request: HttpRequest) -> dict[str, Any]:
    return {
        "next": request.POST.get("next", request.GET.get("next", "")),
        "sso_name": settings.OIDC_NAME if sso.configured() else "",
        "passwords": passwords(),
    }


def passwords() -> bool:
    """May anybody sign in by password? Only where the provider is the alternative can that be switched off."""
    return settings.PASSWORD_SIGN_IN or not sso.configured()


def _end(seconds: float) -> float:
    return time.time() + seconds if seconds else 0.0


@sensitive_post_parameters("code")
@never_cache
@require_http_methods(["GET", "POST"])
def code(request: HttpRequest) -> HttpResponse:
    """The second step. Neither the first nor this one alone is a session."""
    halfway: dict[str, Any] = request.session.get(HALFWAY) or {}
    user = User.objects.filter(pk=halfway.get("user", 0), is_active=True).first()
    if user is None or time.time() - halfway["at"] > HALFWAY_LIFE or halfway["hash"] != user.get_session_auth_hash():
        request.session.pop(HALFWAY, None)
        return redirect("login")
    if request.method == "GET":
        return render(request, "session/code.html")
    try:
        begun = lockout.begin(lockout.code(user.pk), timezone.now())
    except lockout.TooMany as e:
        answer = render(request, "session/code.html", {"wait": _end(e.seconds), "late": True}, status=429)
        answer.headers["Retry-After"] = str(math.ceil(e.seconds))
        return answer
    if way := factors.take(user, request.POST.get("code", "")[:100], time.time()):
        lockout.forgive(begun)
        del request.session[HALFWAY]
        return enter(request, user, f"password and {'authenticator' if way == 'totp' else 'recovery code'}", halfway["next"])
    failed(request, user.username, begun.wait)
    return render(request, "session/code.html", {"wrong": True, "wait": _end(begun.wait)})


class Welcome(PasswordResetConfirmView):
    """Whoever holds an invitation sets the password of that account, once. Django keeps the token out of the page's address."""

    template_name = "session/welcome.html"
    success_url = reverse_lazy("login")

    def form_valid(self, form: Any) -> HttpResponse:
        user: Any = self.user
        people.set_password(Author(user.username, "browser", address(self.request)), user, form.cleaned_data["new_password1"])
        self.request.session.flush()
        return redirect(f"{reverse('login')}?welcome=1")


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        audit.record(Author.of(request), "sign out", f"User {request.user.get_username()}")
    logout(request)
    return redirect("login")
