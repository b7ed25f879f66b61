"""
Trust bundles: what proxies are told to believe. Numbered, so that 'who holds this bundle, or a later one' has an answer.

A bundle is the believed roots. Once a certificate was revoked before its end, a CRL of *each* intermediate follows: Envoy, when it has any
CRL, refuses a leaf whose issuer has none. So an intermediate, too, must be in everybody's bundle before it signs.
"""

import datetime
import hashlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from django.db import transaction

from . import authority, heads, making
from .authority import BELIEVED
from .models import Bundle, Intermediate, Issued


def newest(now: datetime.datetime) -> Bundle:
    """What a proxy is given now. Raises keystore.Locked, and only when there is none yet."""
    return Bundle.objects.order_by("-number").first() or refresh(now)


def refresh(now: datetime.datetime) -> Bundle:
    """Make the next one, if it would say something else than the newest. Raises keystore.Locked."""
    with transaction.atomic():
        heads.lock()
        authority.first(now)
        rows = list(Intermediate.objects.filter(state__in=BELIEVED).select_related("root"))
        revoked = _revoked(now)
        says = _says(rows, revoked)
        found = Bundle.objects.order_by("-number").first()
        if found is not None and found.says == says:
            return found
        pem = _pem(rows, revoked, now)
        number = (found.number if found else 0) + 1
        made = Bundle.objects.create(number=number, digest=digest(pem.encode()), says=says, pem=pem, created=now)
        Intermediate.objects.filter(state__in=BELIEVED, bundle=0).update(bundle=number)
        heads.bump()
        return made


def digest(pem: bytes) -> str:
    """As agents compute it, too (protocol.Trusted)."""
    return hashlib.sha256(pem).hexdigest()[:32]


def roots(pem: str) -> str:
    """The certificates alone: for whoever pins them in a file."""
    return pem.partition("-----BEGIN X509 CRL-----")[0]


def _revoked(now: datetime.datetime) -> dict[int, list[tuple[str, datetime.datetime]]]:
    """Intermediate's key -> (serial, when) of what was revoked and has not ended."""
    found: dict[int, list[tuple[str, datetime.datetime]]] = {}
    rows = Issued.objects.filter(not_after__gt=now).exclude(revoked=None).order_by("serial")
    for issuer, serial, at in rows.values_list("issuer_id", "serial", "revoked"):
        found.setdefault(issuer, []).append((serial, at or now))
    return found


def _says(rows: list[Intermediate], revoked: dict[int, list[tuple[str, datetime.datetime]]]) -> str:
    words = sorted({row.root.certificate.strip() for row in rows if row.root})
    if revoked:
        words += [f"{row.number} {' '.join(s for s, _ in revoked.get(row.pk, []))}" for row in rows]
    return hashlib.sha256("\n".join(words).encode()).hexdigest()


def _pem(rows: list[Intermediate], revoked: dict[int, list[tuple[str, datetime.datetime]]], now: datetime.datetime) -> str:
    generations = {row.root.generation: row.root.certificate.strip() + "\n" for row in rows if row.root}
    said = "".join(generations[g] for g in sorted(generations))
    if revoked:
        said += "".join(crl(authority.opened(row), revoked.get(row.pk, []), now) for row in rows)
    return said


def crl(issuer: authority.Issuer, revoked: list[tuple[str, datetime.datetime]], now: datetime.datetime) -> str:
    """
    PEM. It lasts as long as its issuer: news come by push, and a host that cannot reach its console for long must not lose mTLS by that.
    """
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(now - making.BACKDATED)
        .next_update(issuer.certificate.not_valid_after_utc)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
        .add_extension(x509.CRLNumber(int(now.timestamp() * 1000)), critical=False)
    )
    for serial, at in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder().serial_number(int(serial, 16)).revocation_date(min(at, now)).build()
        )
    return making.pem(builder.sign(issuer.key, hashes.SHA256()))
