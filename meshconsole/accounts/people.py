"""
Everything that changes who may do what: people made, switched off, given roles. Each says who did it, and never locks out the last admin.

Accounts belong to the whole mesh: only its admins make and change them. Roles belong to namespaces: an admin of one gives them there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth import password_validation
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from . import audit, lockout, sessions, tokens
from .author import Author
from .models import ApiToken, Grant, Passkey, RecoveryCode, Role, SecondFactor, User
from .permissions import EVERYWHERE, Verb

_NAMESPACE = re.compile(r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?|\*)$")


class Refused(Exception):
    """Why not, in one sentence for the person who asked. `field` is what it is about, `forbidden` that they may not."""

    def __init__(self, text: str, field: str = "", *, forbidden: bool = False):
        super().__init__(text)
        self.field, self.forbidden = field, forbidden


def may_manage(author: Author) -> bool:
    """Accounts: an admin of the whole mesh."""
    return author.may(Verb.UPDATE, "User", EVERYWHERE)


def seen(author: Author) -> QuerySet[User]:
    return User.objects.prefetch_related("grants").order_by("username") if author.may(Verb.GET, "Grant", None) else User.objects.none()


def admins() -> QuerySet[User]:
    """Those who can undo whatever anybody does here."""
    return User.objects.filter(Q(is_superuser=True) | Q(grants__namespace=EVERYWHERE, grants__role=Role.ADMIN), is_active=True).distinct()


def roles(user: User) -> dict[str, str]:
    """Namespace -> role; a superuser is admin of `*`."""
    found = {g.namespace: g.role for g in user.grants.all()}
    return {**found, EVERYWHERE: str(Role.ADMIN)} if user.is_superuser else found


@transaction.atomic
def create(
    author: Author, username: str, *, email: str = "", name: str = "", password: str = "", grants: Mapping[str, str] | None = None
) -> User:  # fmt: skip
    """Without a password nobody can sign in yet: `invitation` is the way."""
    _manager(author)
    user = User(username=username.strip(), email=email.strip(), first_name=name.strip()[:150])
    try:
        User.username_validator(user.username)
        if user.email:
            validate_email(user.email)
    except ValidationError as e:
        raise Refused(" ".join(e.messages), "email" if user.email and "mail" in " ".join(e.messages) else "username")
    if not user.username or len(user.username) > 150:
        raise Refused("A user name has 1 to 150 characters: letters, digits and @ . + - _", "username")
    if User.objects.filter(username__iexact=user.username).exists():
        raise Refused(f"There is an account {user.username!r} already.", "username")
    if password:
        check_password(password, user)
        user.set_password(password)
    else:
        user.set_unusable_password()
    user.save()
    audit.record(author, "create", f"User {user.username}")
    for namespace, role in (grants or {}).items():
        grant(author, user, namespace, role)
    return user


@transaction.atomic
def change(author: Author, user: User, *, email: str | None = None, name: str | None = None, active: bool | None = None) -> None:
    _manager(author)
    said = []
    if email is not None and email.strip() != user.email:
        try:
            if email.strip():
                validate_email(email.strip())
        except ValidationError as e:
            raise Refused(" ".join(e.messages), "email")
        said += [f"-email: {user.email}", f"+email: {email.strip()}"]
        user.email = email.strip()
    if name is not None and name.strip() != user.first_name:
        said += [f"-name: {user.first_name}", f"+name: {name.strip()[:150]}"]
        user.first_name = name.strip()[:150]
    if said:
        user.save(update_fields=["email", "first_name"])
        audit.record(author, "update", f"User {user.username}", "\n".join(said) + "\n")
    if active is not None and active != user.is_active:
        with _an_admin_stays():
            user.is_active = active
            user.save(update_fields=["is_active"])
        if not active:
            sessions.end_all(user)
        audit.record(author, "enable" if active else "disable", f"User {user.username}")


@transaction.atomic
def grant(author: Author, user: User, namespace: str, role: str) -> None:
    """Give `user` this role in `namespace` (`*`: all), instead of the one that they have there."""
    if not _NAMESPACE.match(namespace) or len(namespace) > 63:
        raise Refused(f"{namespace!r} is no namespace: lower-case letters, digits and hyphens, or * for all", "namespace")
    if role not in Role.values:
        raise Refused(f"{role!r} is no role: there are {', '.join(Role.values)}", "role")
    _granter(author, namespace)
    before = roles(user).get(namespace)
    if before == role:
        return
    with _an_admin_stays():
        if namespace == EVERYWHERE and user.is_superuser and role != Role.ADMIN:
            user.is_superuser = user.is_staff = False
            user.save(update_fields=["is_superuser", "is_staff"])
        Grant.objects.update_or_create(user=user, namespace=namespace, defaults={"role": role, "source": ""})
    _forget(user)
    audit.record(author, "grant", f"User {user.username}", (f"-{namespace}: {before}\n" if before else "") + f"+{namespace}: {role}\n")


@transaction.atomic
def withdraw(author: Author, user: User, namespace: str) -> bool:
    """False when they had no role there."""
    _granter(author, namespace)
    before = roles(user).get(namespace)
    if before is None:
        return False
    with _an_admin_stays():
        if namespace == EVERYWHERE and user.is_superuser:
            user.is_superuser = user.is_staff = False
            user.save(update_fields=["is_superuser", "is_staff"])
        Grant.objects.filter(user=user, namespace=namespace).delete()
    _forget(user)
    audit.record(author, "withdraw", f"User {user.username}", f"-{namespace}: {before}\n")
    return True


def check_password(password: str, user: User) -> None:
    """By Django's validators. Raises Refused with every reason."""
    if len(password) > 4096:
        raise Refused("A password has 4096 characters at most.", "password")
    try:
        password_validation.validate_password(password, user)
    except ValidationError as e:
        raise Refused(" ".join(e.messages), "password")


@transaction.atomic
def set_password(author: Author, user: User, password: str) -> None:
    """A new password, by its owner or by whoever holds an invitation; every session ends."""
    check_password(password, user)
    user.set_password(password)
    user.save(update_fields=["password"])
    sessions.end_all(user)
    audit.record(author, "set password", f"User {user.username}")


def invitation(author: Author, user: User) -> str:
    """The path of a page where `user` sets a password: once, within PASSWORD_RESET_TIMEOUT. The old password goes on until then."""
    _manager(author)
    if user.subject:
        raise Refused(f"{user.username} signs in at the single sign-on provider and has no password here.")
    if not user.is_active:
        raise Refused(f"{user.username} is disabled.")
    audit.record(author, "invite", f"User {user.username}", f"valid for {settings.PASSWORD_RESET_TIMEOUT // 3600} h\n")
    return f"/welcome/{urlsafe_base64_encode(force_bytes(user.pk))}/{default_token_generator.make_token(user)}/"


@transaction.atomic
def reset_factors(author: Author, user: User) -> bool:
    """Whoever lost the authenticator signs in by password again. False when there was none."""
    _manager(author)
    had = SecondFactor.objects.filter(user=user).delete()[0] + Passkey.objects.filter(user=user).delete()[0]
    had += RecoveryCode.objects.filter(user=user).delete()[0]
    if had:
        sessions.end_all(user)
        audit.record(author, "reset second factor", f"User {user.username}")
    return had > 0


@transaction.atomic
def sign_out(author: Author, user: User) -> None:
    """Everywhere, now."""
    if author.user != user.username:
        _manager(author)
    sessions.end_all(user)
    audit.record(author, "sign out everywhere", f"User {user.username}")


@transaction.atomic
def unlock(author: Author, user: User) -> bool:
    _manager(author)
    lifted = lockout.lift(user.username)
    if lifted:
        audit.record(author, "unlock", f"User {user.username}")
    return lifted


@transaction.atomic
def revoke_token(author: Author, token: ApiToken) -> bool:
    """One's own, or anybody's by an admin of the mesh."""
    if author.user != token.user.username:
        _manager(author)
    if not tokens.revoke(token):
        return False
    audit.record(author, "delete", f"ApiToken {token.name} of {token.user}")
    return True


def state(user: User) -> str:
    """active, disabled, locked, or invited: nobody can sign in yet."""
    if not user.is_active:
        return "disabled"
    if lockout.locked(user.username, timezone.now()):
        return "locked"
    return "active" if user.has_usable_password() or user.subject else "invited"


def _manager(author: Author) -> None:
    if not may_manage(author):
        raise Refused("Only an admin of the whole mesh may do this.", forbidden=True)


def _granter(author: Author, namespace: str) -> None:
    if not author.may(Verb.UPDATE, "Grant", namespace):
        where = "every namespace" if namespace == EVERYWHERE else f"namespace {namespace}"
        raise Refused(f"Only an admin of {where} may change its roles.", forbidden=True)


def _forget(user: User) -> None:
    user.__dict__.pop("roles", None)
    getattr(user, "_prefetched_objects_cache", {}).pop("grants", None)


class _an_admin_stays:
    """Around a change: it is refused when it would leave the mesh without an admin. Two at once queue for the admins' rows."""

    def __enter__(self) -> None:
        self.some: list[Any] = list(
            User.objects.select_for_update().filter(pk__in=list(admins().values_list("pk", flat=True))).order_by("pk")
        )

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        if kind is None and self.some and not admins().exists():
            raise Refused("This is the last admin of the mesh. Make somebody else an admin of every namespace first.")
