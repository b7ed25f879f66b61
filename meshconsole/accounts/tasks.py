"""What the worker sweeps away of people's traces: sessions that are over, guesses long forgotten, authenticators that were never confirmed."""

import datetime
import logging

from celery import shared_task
from django.contrib.sessions.models import Session
from django.utils import timezone

from . import audit, lockout
from .models import Attempts, SecondFactor, SignedIn

log = logging.getLogger(__name__)
UNCONFIRMED = datetime.timedelta(days=1)


@shared_task(name="accounts.forget")
def forget(now: datetime.datetime | None = None) -> int:
    """How many rows went."""
    now = now or timezone.now()
    gone, _ = Session.objects.filter(expire_date__lt=now).delete()
    gone += SignedIn.objects.exclude(session_key__in=Session.objects.values("session_key")).delete()[0]
    gone += Attempts.objects.filter(last__lt=now - lockout.MEMORY).delete()[0]
    return gone + SecondFactor.objects.filter(confirmed=None, created__lt=now - UNCONFIRMED).delete()[0]


@shared_task(name="accounts.verify_audit")
def verify_audit() -> list[str]:
    """Tampering shows in the log of the worker, whether anybody looks at the page or not."""
    found = list(audit.verify().broken)
    for sentence in found:
        log.error("The audit log was tampered with: %s", sentence)
    return found
