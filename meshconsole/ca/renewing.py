"""A certificate for a key that was proven before: the next one in time, or the same workload with other facts."""

import datetime

from cryptography import x509
from django.db import transaction

from meshconsole.core.mesh.spiffe import Identity

from . import authority, issuing, proving
from .issuing import SVID, Refusal
from .models import Issued
from .subject import Subject


def renew(serial: str, csr: bytes, *, subject: Subject, now: datetime.datetime, address: str = "") -> SVID:
    """The agent that has proven `serial` asks for its next certificate, with a new key. Raises Refusal."""
    row = standing(serial)

    def prove() -> Identity:
        return proving.identity(standing(serial))

    return issuing.issue(
        csr, proxy_id=row.proxy_id, requested=proving.identity(row), prove=prove, subject=subject, now=now, address=address
    )


def reissue(row: Issued, *, subject: Subject, now: datetime.datetime, address: str = "") -> SVID:
    """The facts in the subject have changed (a label, say): the same key, proven a moment ago, with the new ones. Raises Refusal."""
    issuer = authority.active(now)
    key = x509.load_pem_x509_certificate(row.certificate.encode()).public_key()
    with transaction.atomic():
        return issuing.sign(key, issuer, row.proxy_id, proving.identity(row), subject, now, address)  # type: ignore[arg-type]


def standing(serial: str) -> Issued:
    row = Issued.objects.filter(serial=serial).first()
    if row is None:
        raise Refusal("proof", "no certificate with this serial was issued here")
    if row.revoked is not None:
        raise Refusal("revoked", f"the certificate was revoked{': ' + row.reason if row.reason else ''}")
    return row
