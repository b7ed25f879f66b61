"""
Guessing passwords and codes is slow: after a few failures an account, and the address that guesses, wait longer and longer.

An attempt is counted before the password is looked at and forgiven when it was right: guesses that come all at once are counted like
guesses in a row. An unknown name is counted like a known one, so that being told to wait does not tell which names exist. Counts are rows
of the database: all web processes share them, with Redis or without.

Counting by account alone would let anybody lock anybody out. A browser that has signed in before carries a signed cookie (OWASP's device
cookie), and is counted by itself.
"""

import ipaddress
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core import signing
from django.db import transaction
from django.utils.crypto import salted_hmac

from .models import Attempts

FREE = {"pair": 5, "account": 20, "address": 50, "device": 5, "code": 5, "token": 100}
"""Failures that cost no waiting. An account at one address is one guesser; an address may be an office, an account the target of many."""
FIRST, LONGEST = 5.0, 900.0
"""Seconds of the first wait; each further failure doubles it, up to the longest."""
MEMORY = timedelta(hours=1)
"""After the last failure, until all is forgotten."""
DEVICE_COOKIE = "known_device"
DEVICE_LIFE = 180 * 86400


@dataclass(frozen=True)
class Counted:
    """What one attempt counts for."""

    keys: dict[str, str]
    """kind -> digest"""
    account: str


@dataclass(frozen=True)
class Begun:
    """An attempt that may be made; `started` says in seconds how long the next one has to wait, should this one fail."""

    counted: Counted
    wait: float


class TooMany(Exception):
    """Not now. `seconds` until an attempt is looked at again."""

    def __init__(self, seconds: float):
        super().__init__(f"too many attempts; wait {seconds:.0f} s")
        self.seconds = seconds


def delay(failures: int, free: int) -> float:
    """Seconds to wait after so many failures."""
    over = failures - free
    return 0.0 if over < 0 else min(FIRST * 2.0 ** min(over, 20), LONGEST)


def sign_in(name: str, address: str, device: str = "") -> Counted:
    """An attempt to sign in as `name` (as it was typed) from `address`, by a browser with the device cookie `device`."""
    name = _plain(name)
    account = _digest("account", name)
    if mark := _known(device, name):
        return Counted({"device": _digest("device", f"{name} {mark}")}, account)
    network = _network(address)
    return Counted(
        {"pair": _digest("pair", f"{name} {network}"), "account": account, "address": _digest("address", network)} if name else
        {"address": _digest("address", network)}, account)  # fmt: skip


def code(user_id: int) -> Counted:
    """A guess at the second factor of somebody whose password was right."""
    return Counted({"code": _digest("code", str(user_id))}, "")


def bearer(address: str) -> Counted:
    """A bearer token that opened nothing. Nobody guesses 256 bits; this keeps a broken client from costing anything."""
    return Counted({"token": _digest("token", _network(address))}, "")


@transaction.atomic
def begin(counted: Counted, now: datetime) -> Begun:
    """Count an attempt as failed until `forgive` says otherwise. Raises TooMany."""
    long_ago = now - 2 * MEMORY
    fresh = [Attempts(key=key, account=counted.account, last=long_ago) for key in sorted(counted.keys.values())]
    Attempts.objects.bulk_create(
        fresh, ignore_conflicts=True
    )  # a row that is not there cannot be locked: two first guesses would both make it
    rows = {row.key: row for row in Attempts.objects.select_for_update().filter(key__in=counted.keys.values()).order_by("key")}
    waits = [(row.until - now).total_seconds() for row in rows.values() if row.until and row.until > now]
    if waits:
        raise TooMany(max(waits))
    longest = 0.0
    for kind, key in sorted(counted.keys.items(), key=lambda item: item[1]):
        row = rows[key]
        row.failures = 1 if row.last < now - MEMORY else row.failures + 1
        row.last = now
        seconds = delay(row.failures, FREE[kind])
        row.until = now + timedelta(seconds=seconds) if seconds else None
        longest = max(longest, seconds)
        row.save(force_update=True)
    Attempts.objects.filter(last__lt=now - MEMORY).delete()
    return Begun(counted, longest)


@transaction.atomic
def forgive(begun: Begun) -> None:
    """It was right. The account's failures are forgotten; the address's stay, or a guesser with one login would wash itself clean."""
    for kind, key in begun.counted.keys.items():
        if kind in ("address", "token"):
            for row in Attempts.objects.select_for_update().filter(key=key):
                row.failures, row.until = max(0, row.failures - 1), None
                row.save()
        else:
            Attempts.objects.filter(key=key).delete()


def waiting(counted: Counted, now: datetime) -> float:
    """Seconds until an attempt is looked at; 0: now."""
    until = Attempts.objects.filter(key__in=counted.keys.values(), until__gt=now).order_by("-until").values_list("until", flat=True).first()
    return (until - now).total_seconds() if until else 0.0


def locked(name: str, now: datetime) -> datetime | None:
    """Until when attempts at this account, from anywhere or from some address, are not looked at."""
    found = Attempts.objects.filter(account=_digest("account", _plain(name)), until__gt=now)
    return found.order_by("-until").values_list("until", flat=True).first()


def lift(name: str) -> bool:
    """An admin says that this account may try again at once."""
    return Attempts.objects.filter(account=_digest("account", _plain(name))).delete()[0] > 0


def device_cookie(name: str, before: str = "") -> str:
    """What a browser is given that has signed in as `name`; `before` is what it has."""
    return signing.dumps([_digest("name", _plain(name)), _known(before, _plain(name)) or secrets.token_urlsafe(9)], salt="accounts.device")


def _known(cookie: str, name: str) -> str:
    """The mark of a device that has signed in as `name` before."""
    if not cookie:
        return ""
    try:
        of, mark = signing.loads(cookie, salt="accounts.device", max_age=DEVICE_LIFE)
    except (signing.BadSignature, ValueError, TypeError):
        return ""
    return str(mark) if of == _digest("name", name) else ""


def _plain(name: str) -> str:
    """Names that Django takes for one are one."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def _network(address: str) -> str:
    """An IPv6 guesser has a /64 of addresses at the least."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address) and not ip.ipv4_mapped:
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(getattr(ip, "ipv4_mapped", None) or ip)


def _digest(kind: str, value: str) -> str:
    return salted_hmac(f"accounts.lockout.{kind}", value, algorithm="sha256").hexdigest()
