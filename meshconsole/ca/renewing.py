"""The next certificate of an agent that has proven the one before."""

import datetime
import random

from django.conf import settings

from meshconsole.core.mesh.spiffe import Identity

from . import issuing, proving
from .issuing import SVID, Refusal
from .models import Issued, State
from .subject import Subject


def renew(serial: str, csr: bytes, *, subject: Subject, now: datetime.datetime, address: str = "") -> SVID:
    """The agent that has proven `serial` asks for its next certificate, with a new key. Raises Refusal."""
    row = standing(serial)
    issuing.refuse_evicted(row.proxy_id)

    def prove() -> Identity:
        return proving.identity(standing(serial))

    return issuing.issue(
        csr, proxy_id=row.proxy_id, requested=proving.identity(row), prove=prove, subject=subject, now=now, address=address
    )


def due(row: Issued, subject: Subject, now: datetime.datetime) -> datetime.datetime:
    """
    When the holder of this certificate asks for its next one. Facts in the subject that have changed (a label, say) need a new one at
    once; an issuer that retires wants its leaves replaced soon, spread in time.
    """
    if row.subject != subject.facts():
        return now
    if row.issuer.state == State.ACTIVE:
        return row.renew_at
    return min(row.renew_at, soon(now))


def soon(now: datetime.datetime) -> datetime.datetime:
    return now + datetime.timedelta(seconds=settings.CA_RENEWAL_SPREAD * random.random())  # noqa: S311 (spreads load, hides nothing)


def give_back(proxy_id: str, now: datetime.datetime) -> None:
    """Its agent has said goodbye: nothing serves with these any more."""
    Issued.objects.filter(proxy_id=proxy_id, not_after__gt=now, given_back=None).update(given_back=now)


def taken_up(row: Issued) -> None:
    """It is back."""
    if row.given_back is not None:
        Issued.objects.filter(pk=row.pk).update(given_back=None)


def standing(serial: str) -> Issued:
    row = Issued.objects.filter(serial=serial).first()
    if row is None:
        raise Refusal("proof", "no certificate with this serial was issued here")
    if row.revoked is not None:
        raise Refusal("revoked", f"the certificate was revoked{': ' + row.reason if row.reason else ''}")
    return row
