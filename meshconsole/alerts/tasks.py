"""The alarm clock of alerts. Each task may run twice, or twice at once: what they do is compared and set in the database."""

from datetime import datetime, timedelta

from celery import shared_task
from django.utils import timezone

from . import engine, outbox
from .models import Delivery, Group, Incident, Silence

KEEP = timedelta(days=30)
"""How long resolved incidents and their messages can be looked at."""


@shared_task(name="alerts.evaluate", ignore_result=True)
def evaluate() -> None:
    engine.run(timezone.now())


@shared_task(name="alerts.evaluate_objectives", ignore_result=True)
def evaluate_objectives() -> None:
    engine.run_objectives(timezone.now())


@shared_task(name="alerts.deliver", ignore_result=True)
def deliver() -> None:
    outbox.deliver_due()


@shared_task(name="alerts.forget", ignore_result=True)
def forget() -> None:
    forget_before(timezone.now() - KEEP)


def forget_before(then: datetime) -> int:
    gone, _ = Incident.objects.filter(open=None, resolved__lt=then).delete()
    groups, _ = Group.objects.filter(open=None, begun__lt=then, members=None).delete()
    tests, _ = Delivery.objects.filter(incident=None, group=None, created__lt=then).exclude(state=Delivery.State.WAITING).delete()
    silences, _ = Silence.objects.filter(ends__lt=then).delete()
    return gone + groups + tests + silences
