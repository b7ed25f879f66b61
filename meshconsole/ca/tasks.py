"""The authority's alarm clock: warns long before anything lapses, and removes what has long ended. Running twice is harmless."""

import datetime
import logging

from celery import shared_task
from django.utils import timezone

from . import expiries
from .models import Issued, JoinToken

log = logging.getLogger(__name__)

KEEP = datetime.timedelta(days=90)
"""How long ended certificates and dead tokens can still be looked up; who got what stays in the audit log."""


@shared_task(name="ca.warn")
def warn(now: datetime.datetime | None = None) -> list[str]:
    """Log what is about to lapse; the sentences."""
    found = list(warnings(now or timezone.now()))
    for sentence in found:
        log.warning("%s", sentence)
    return found


def warnings(now: datetime.datetime) -> list[str]:
    return [expiry.sentence for expiry in expiries.expiring(now)]


@shared_task(name="ca.forget_the_long_ended")
def forget_the_long_ended(now: datetime.datetime | None = None) -> int:
    before = (now or timezone.now()) - KEEP
    certificates, _ = Issued.objects.filter(not_after__lt=before).delete()
    tokens, _ = JoinToken.objects.filter(expires__lt=before).delete()
    return certificates + tokens
