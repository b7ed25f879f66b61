"""API tokens: made, found by their plaintext, revoked. The plaintext is shown once and never stored."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import models
from django.utils import timezone

from .models import ApiToken, User

PREFIX = "msh_"
"""So that secret scanners know one when they see it."""


def digest(plaintext: str) -> str:
    return hashlib.sha256(plaintext.encode()).hexdigest()


def create(
    user: User,
    name: str,
    *,
    expires: datetime | None = None,
    namespaces: Sequence[str] = (),
    kinds: Sequence[str] = (),
    verbs: Sequence[str] = (),
    plaintext: str = "",
) -> tuple[ApiToken, str]:
    """A new token and its plaintext."""
    plaintext = plaintext or PREFIX + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        user=user,
        name=name,
        digest=digest(plaintext),
        hint=plaintext[:8],
        created=timezone.now(),
        expires=expires,
        namespaces=sorted(set(namespaces)),
        kinds=sorted(set(kinds)),
        verbs=sorted(set(verbs)),
    )
    return token, plaintext


def told(token: ApiToken) -> str:
    """What it may, for the audit log."""
    scopes = "".join(f"+{n}: {', '.join(getattr(token, n))}\n" for n in ("namespaces", "kinds", "verbs") if getattr(token, n))
    return f"{scopes}+expires: {token.expires:%Y-%m-%d}\n" if token.expires else f"{scopes}+expires: never\n"


def find(plaintext: str) -> ApiToken | None:
    """The living token with this plaintext. Looked up by digest, so how long it takes tells nothing about the plaintext."""
    now = timezone.now()
    token = ApiToken.objects.select_related("user").filter(digest=digest(plaintext)).first()
    if token is None or not token.alive(now):
        return None
    stale = models.Q(last_used=None) | models.Q(last_used__lt=now - timedelta(minutes=1))  # one write a minute, not one per request
    ApiToken.objects.filter(stale, pk=token.pk).update(last_used=now)
    return token


def revoke(token: ApiToken) -> bool:
    """False if it was revoked before."""
    return ApiToken.objects.filter(pk=token.pk, revoked=None).update(revoked=timezone.now()) == 1


def rotate(token: ApiToken) -> str | None:
    """A new plaintext for the same token; the old one opens nothing from now on. None when the token is not alive."""
    plaintext = PREFIX + secrets.token_urlsafe(32)
    now = timezone.now()
    living = ApiToken.objects.filter(models.Q(expires=None) | models.Q(expires__gt=now), pk=token.pk, revoked=None, digest=token.digest)
    if living.update(digest=digest(plaintext), hint=plaintext[:8], last_used=None) != 1:
        return None
    token.refresh_from_db()
    return plaintext
