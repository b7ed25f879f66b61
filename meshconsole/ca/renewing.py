"""The next certificate of an agent that has proven the one before."""

import datetime

from meshconsole.core.mesh.spiffe import Identity

from . import issuing, proving
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


def standing(serial: str) -> Issued:
    row = Issued.objects.filter(serial=serial).first()
    if row is None:
        raise Refusal("proof", "no certificate with this serial was issued here")
    if row.revoked is not None:
        raise Refusal("revoked", f"the certificate was revoked{': ' + row.reason if row.reason else ''}")
    return row
