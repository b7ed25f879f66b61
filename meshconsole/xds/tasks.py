"""The alarm clock of rotations: certificates end also while no web process runs."""

from celery import shared_task
from django.utils import timezone

from . import rotating


@shared_task(name="xds.advance_rotation")
def advance_rotation() -> int:
    return rotating.advance(timezone.now())
