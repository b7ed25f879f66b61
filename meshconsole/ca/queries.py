"""What pages and the API show of the authority: values, no keys."""

import datetime
from collections.abc import Collection
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from django.utils import timezone

from . import bundles, expiries
from .expiries import Expiry
from .models import Eviction, Intermediate, Issued, JoinToken, State, TrustRoot


@dataclass(frozen=True)
class Certificate:
    serial: str
    identity: str
    namespace: str
    service_account: str
    proxy_id: str
    subject: dict[str, str]
    state: str
    """valid, renewing (past its renewal time), expired or revoked."""
    not_before: datetime.datetime
    not_after: datetime.datetime
    renew_at: datetime.datetime
    created: datetime.datetime
    revoked: datetime.datetime | None
    reason: str
    current: bool
    """The newest one of its proxy."""


@dataclass(frozen=True)
class Root:
    generation: int
    state: str
    subject: str
    fingerprint: str
    """SHA-256, hexadecimal."""
    created: datetime.datetime
    not_after: datetime.datetime
    source: str
    """own, imported or offline."""
    certificate: str
    """PEM."""
    intermediates: tuple["Signer", ...]
    """The newest first."""


@dataclass(frozen=True)
class Signer:
    """An intermediate."""

    number: int
    state: str
    subject: str
    fingerprint: str
    created: datetime.datetime
    created_by: str
    activated: datetime.datetime | None
    retired: datetime.datetime | None
    removed: datetime.datetime | None
    not_after: datetime.datetime | None
    forced_by: str
    certificate: str
    request: str
    """PEM of the open request for an offline root."""


@dataclass(frozen=True)
class Token:
    id: int
    hint: str
    namespace: str
    service_account: str
    created: datetime.datetime
    created_by: str
    expires: datetime.datetime
    uses_left: int | None
    used: int
    last_used: datetime.datetime | None
    state: str
    """alive, used, expired or revoked."""


def certificates(
    namespaces: "list[str] | None" = None,
    proxy_id: str = "",
    *,
    current: bool = False,
    limit: int = 1000,
    now: datetime.datetime | None = None,
) -> list[Certificate]:
    """The newest first; `current` leaves out what a newer one has replaced."""
    now = now or timezone.now()
    found = Issued.objects.defer("certificate").order_by("-created", "-pk")
    if namespaces is not None:
        found = found.filter(namespace__in=namespaces)
    if proxy_id:
        found = found.filter(proxy_id=proxy_id)
    seen: set[str] = set()
    result = []
    for row in found[: limit * 4 if current else limit]:
        newest = row.proxy_id not in seen
        seen.add(row.proxy_id)
        if newest or not current:
            result.append(_certificate(row, now, newest))
    return result[:limit]


def certificate(serial: str, now: datetime.datetime | None = None) -> Certificate | None:
    row = Issued.objects.filter(serial=serial).first()
    if row is None:
        return None
    newest = not Issued.objects.filter(proxy_id=row.proxy_id, created__gt=row.created).exists()
    return _certificate(row, now or timezone.now(), newest)


def roots() -> list[Root]:
    """Those that are, and those that were; the oldest first."""
    return [
        Root(
            row.generation, row.state, cert.subject.rfc4514_string(), cert.fingerprint(hashes.SHA256()).hex(), row.created, row.not_after,
            row.source, row.certificate, tuple(_signer(i) for i in reversed(row.intermediates.all())),
        )
        for row in TrustRoot.objects.prefetch_related("intermediates")
        for cert in [x509.load_pem_x509_certificate(row.certificate.encode())]
    ]  # fmt: skip


def requested() -> Signer | None:
    """The open request for an offline root."""
    row = Intermediate.objects.filter(state=State.REQUESTED).order_by("-number").first()
    return _signer(row) if row else None


def _signer(row: Intermediate) -> Signer:
    cert = x509.load_pem_x509_certificate(row.certificate.encode()) if row.certificate else None
    return Signer(
        row.number, row.state, cert.subject.rfc4514_string() if cert else "", cert.fingerprint(hashes.SHA256()).hex() if cert else "",
        row.created, row.created_by, row.activated, row.retired, row.removed, row.not_after, row.forced_by, row.certificate, row.request,
    )  # fmt: skip


@dataclass(frozen=True)
class Evicted:
    proxy_id: str
    at: datetime.datetime
    by: str
    reason: str


def evictions(namespaces: "list[str] | None" = None) -> list[Evicted]:
    rows = Eviction.objects.all() if namespaces is None else Eviction.objects.filter(namespace__in=namespaces)
    return [Evicted(row.proxy_id, row.at, row.by, row.reason) for row in rows]


def expiring(now: datetime.datetime, namespaces: Collection[str] | None = None) -> list[Expiry]:
    """What somebody should see to, long before anything lapses."""
    return expiries.expiring(now, namespaces)


def ends(now: datetime.datetime) -> list[tuple[str, str, float]]:
    """(kind, name, seconds left) of every root, intermediate and gateway credential: gauges for the console's own metrics."""
    return [(kind, name, (end - now).total_seconds()) for kind, name, _, end in expiries.everything(now)]


def trust_bundle(now: datetime.datetime | None = None) -> bytes:
    """PEM of the roots that a workload must believe."""
    return bundles.roots(bundles.newest(now or timezone.now()).pem).encode()


def join_tokens(namespaces: "list[str] | None" = None, now: datetime.datetime | None = None) -> list[Token]:
    now = now or timezone.now()
    rows = JoinToken.objects.all() if namespaces is None else JoinToken.objects.filter(namespace__in=namespaces)
    return [
        Token(
            row.pk, row.hint, row.namespace, row.service_account, row.created, row.created_by, row.expires,
            row.uses_left, row.used, row.last_used, _token_state(row, now),
        )
        for row in rows
    ]  # fmt: skip


def _certificate(row: Issued, now: datetime.datetime, newest: bool) -> Certificate:
    if row.revoked is not None:
        state = "revoked"
    elif row.not_after <= now:
        state = "expired"
    else:
        state = "renewing" if row.renew_at <= now else "valid"
    return Certificate(
        row.serial, row.identity, row.namespace, row.service_account, row.proxy_id, row.subject, state,
        row.not_before, row.not_after, row.renew_at, row.created, row.revoked, row.reason, newest,
    )  # fmt: skip


def _token_state(row: JoinToken, now: datetime.datetime) -> str:
    if row.revoked is not None:
        return "revoked"
    if row.uses_left == 0:
        return "used"
    return "alive" if row.expires > now else "expired"
