"""The authority's alarm clock: warns long before anything lapses, and removes what has long ended. Running twice is harmless."""

import datetime
import logging

from celery import shared_task
from django.utils import timezone

from .models import Issued, JoinToken, TrustRoot

log = logging.getLogger(__name__)

KEEP = datetime.timedelta(days=90)
"""How long ended certificates and dead tokens can still be looked up; who got what stays in the audit log."""
ROOT_WARNING = datetime.timedelta(days=365)
ISSUER_WARNING = datetime.timedelta(days=180)


@shared_task(name="ca.warn")
def warn(now: datetime.datetime | None = None) -> list[str]:
    """Log what is about to lapse; the sentences."""
    found = list(warnings(now or timezone.now()))
    for sentence in found:
        log.warning("%s", sentence)
    return found


def warnings(now: datetime.datetime) -> list[str]:
    said = []
    for root in TrustRoot.objects.all():
        if root.not_after - now < ROOT_WARNING:
            said.append(f"The root certificate {root.generation} ends at {root.not_after:%Y-%m-%d}; rotate it before then")
        if root.issuer_not_after - now < ISSUER_WARNING:
            said.append(
                f"The issuing certificate of root {root.generation} ends at {root.issuer_not_after:%Y-%m-%d}; rotate it before then"
            )
    overdue: dict[str, Issued] = {}
    for row in Issued.objects.filter(not_after__gt=now, revoked=None).defer("certificate").order_by("created"):
        overdue[row.proxy_id] = row
    for proxy_id, row in sorted(overdue.items()):
        if now > row.renew_at + (row.not_after - row.renew_at) / 2:
            said.append(f"The certificate of {proxy_id} ends at {row.not_after:%Y-%m-%d %H:%M:%S} UTC and its agent has not renewed it")
    return said


@shared_task(name="ca.forget_the_long_ended")
def forget_the_long_ended(now: datetime.datetime | None = None) -> int:
    before = (now or timezone.now()) - KEEP
    certificates, _ = Issued.objects.filter(not_after__lt=before).delete()
    tokens, _ = JoinToken.objects.filter(expires__lt=before).delete()
    return certificates + tokens
