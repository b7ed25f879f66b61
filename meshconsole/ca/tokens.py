"""Join tokens: made, redeemed by compare-and-set, revoked. The plaintext is shown once and never stored."""

import datetime
import hashlib
import secrets

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from meshconsole.core.mesh.spiffe import Identity

from .issuing import Refusal
from .models import JoinToken

PREFIX = "mjt_"
"""So that secret scanners know one when they see it."""
DEFAULT_TTL = 3600.0
MAX_TTL = 366 * 86400.0


def create(
    namespace: str,
    service_account: str = "default",
    ttl: float = DEFAULT_TTL,
    uses: int | None = 1,
    *,
    created_by: str = "",
    now: datetime.datetime | None = None,
) -> str:
    """The plaintext of a new token, good for `ttl` seconds and `uses` agents (None: any number). Raises ValueError."""
    return make(namespace, service_account, ttl, uses, created_by=created_by, now=now)[1]


def make(
    namespace: str,
    service_account: str = "default",
    ttl: float = DEFAULT_TTL,
    uses: int | None = 1,
    *,
    created_by: str = "",
    now: datetime.datetime | None = None,
) -> tuple[JoinToken, str]:
    """The same, with its row."""
    if not namespace or len(namespace) > 63 or not service_account or len(service_account) > 253 or "/" in namespace + service_account:
        raise ValueError("a join token needs a namespace and a service account")
    if not 0 < ttl <= MAX_TTL:
        raise ValueError(f"ttl must be more than 0 and at most {MAX_TTL:.0f} seconds")
    if uses is not None and not 0 < uses < 1_000_000:
        raise ValueError("uses must be 1 or more, or none for any number")
    now = now or timezone.now()
    plaintext = PREFIX + secrets.token_urlsafe(32)
    token = JoinToken.objects.create(
        digest=digest(plaintext),
        hint=plaintext[:8],
        namespace=namespace,
        service_account=service_account,
        created=now,
        created_by=created_by,
        expires=now + datetime.timedelta(seconds=ttl),
        uses_left=uses,
    )
    return token, plaintext


def redeem(plaintext: str, now: datetime.datetime) -> Identity:
    """Spend one use. Raises Refusal. Of several agents that come with the last use at once, one gets it."""
    token = JoinToken.objects.filter(digest=digest(plaintext)).first()
    if token is None or token.revoked is not None:
        raise Refusal("token", "the join token is not known")
    if token.expires <= now:
        raise Refusal("token", "the join token has expired")
    while True:
        if token.uses_left == 0:
            raise Refusal("token", "the join token has been used")
        same = JoinToken.objects.filter(pk=token.pk, revoked=None, uses_left=token.uses_left)
        left = None if token.uses_left is None else token.uses_left - 1
        if same.update(uses_left=left, used=F("used") + 1, last_used=now) == 1:
            return Identity(settings.TRUST_DOMAIN, token.namespace, token.service_account)
        token.refresh_from_db()
        if token.revoked is not None:
            raise Refusal("token", "the join token is not known")


def revoke(pk: int, now: datetime.datetime | None = None) -> bool:
    """False if it was revoked before, or never was."""
    return JoinToken.objects.filter(pk=pk, revoked=None).update(revoked=now or timezone.now()) == 1


def digest(plaintext: str) -> str:
    return hashlib.sha256(plaintext.encode()).hexdigest()
