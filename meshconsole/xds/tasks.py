"""The alarm clock of trust: certificates end also while no web process runs."""

import logging

from celery import shared_task
from django.utils import timezone

from meshconsole.ca import bundles, keystore
from meshconsole.ca.models import Bundle

from . import rotating

log = logging.getLogger(__name__)


@shared_task(name="xds.advance_rotation")
def advance_rotation() -> int:
    now = timezone.now()
    if Bundle.objects.exists():
        try:
            bundles.refresh(now)  # revoked certificates that have ended leave the CRLs
        except keystore.Locked as e:
            log.error("The trust bundle cannot be made anew: %s", e)
    return rotating.advance(now)
