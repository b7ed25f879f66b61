"""The second factor: codes of an authenticator app (TOTP, RFC 6238) and recovery codes. `now` is Unix time."""

import hashlib
import secrets

import pyotp
import segno
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from . import sealing
from .models import RecoveryCode, SecondFactor, User

STEP = 30
CODES = 10
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without what looks alike."""


def has(user: User) -> bool:
    return SecondFactor.objects.filter(user=user, confirmed__isnull=False).exists()


def people() -> list[int]:
    """The ids of those who have one."""
    return list(SecondFactor.objects.filter(confirmed__isnull=False).values_list("user_id", flat=True))


def begin(user: User) -> str:
    """A new secret, base32, that counts for nothing until `confirm`. One that is waiting is kept: a page that is loaded twice shows it twice."""
    found = SecondFactor.objects.filter(user=user).first()
    if found is not None and found.confirmed is None:
        try:
            return _secret(found)
        except sealing.Locked:
            pass
    if found is not None and found.confirmed is not None:
        raise ValueError("there is a second factor already")
    secret = pyotp.random_base32(32)
    SecondFactor.objects.update_or_create(
        user=user,
        defaults={"sealed": sealing.seal(secret, f"totp {user.pk}"), "created": timezone.now(), "confirmed": None, "last_step": 0},
    )
    return secret


def address(user: User, secret: str) -> str:
    """What the QR code says: otpauth://…"""
    return pyotp.TOTP(secret).provisioning_uri(name=user.username, issuer_name="Meshconsole")


def picture(text: str) -> str:
    """A QR code as SVG, without styles: the page's own decide on its colours."""
    return segno.make(text, error="m").svg_inline(scale=1, border=0, svgclass="qr", lineclass=None, omitsize=True)


@transaction.atomic
def confirm(user: User, code: str, now: float) -> list[str] | None:
    """The first code of a new authenticator: from now on it is asked for. Returns the recovery codes, once; None when the code is wrong."""
    if not _take(user, code, now, confirmed=False):
        return None
    SecondFactor.objects.filter(user=user).update(confirmed=timezone.now())
    return new_recovery_codes(user)


@transaction.atomic
def new_recovery_codes(user: User) -> list[str]:
    """They replace the ones before."""
    RecoveryCode.objects.filter(user=user).delete()
    made = ["-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4)) for _ in range(CODES)]
    RecoveryCode.objects.bulk_create(RecoveryCode(user=user, digest=_digest(code)) for code in made)
    return made


def take(user: User, code: str, now: float) -> str:
    """`totp` or `recovery` when the code is right; it is used up by that. Empty: wrong."""
    code = code.strip().lower()
    if code.replace(" ", "").isdigit():
        return "totp" if _take(user, code, now, confirmed=True) else ""
    used = RecoveryCode.objects.filter(user=user, digest=_digest(code), used=None).update(used=timezone.now())
    return "recovery" if used == 1 else ""


def left(user: User) -> int:
    """Recovery codes that can still be used."""
    return RecoveryCode.objects.filter(user=user, used=None).count()


def remove(user: User) -> bool:
    RecoveryCode.objects.filter(user=user).delete()
    return SecondFactor.objects.filter(user=user).delete()[0] > 0


def _take(user: User, code: str, now: float, *, confirmed: bool) -> bool:
    """One step before and after are taken too: clocks differ. A step whose code was taken, and all before it, are used up."""
    found = SecondFactor.objects.filter(user=user).first()
    if found is None or (found.confirmed is not None) != confirmed:
        return False
    code = code.replace(" ", "")
    totp = pyotp.TOTP(_secret(found))
    current = int(now) // STEP
    for step in (current, current - 1, current + 1):
        if secrets.compare_digest(totp.at(step * STEP).encode(), code.encode()):
            fresh = SecondFactor.objects.filter(Q(pk=found.pk), last_step__lt=step)
            return fresh.update(last_step=step) == 1
    return False


def _secret(factor: SecondFactor) -> str:
    return sealing.unseal(bytes(factor.sealed), f"totp {factor.user_id}")


def _digest(code: str) -> str:
    """Not a slow hash: a code has 79 random bits."""
    return hashlib.sha256(code.replace("-", "").replace(" ", "").encode()).hexdigest()
