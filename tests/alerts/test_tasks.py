"""The alarm clock: every entry of the schedule is a task that exists, and what is old is forgotten."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from meshconsole.alerts import tasks
from meshconsole.alerts.models import Incident
from meshconsole.celery import app


def test_every_entry_of_the_schedule_is_a_task():
    app.loader.import_default_modules()
    assert {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()} <= set(app.tasks)


@pytest.mark.django_db(transaction=True)
def test_tasks_may_run_on_an_empty_mesh_and_twice():
    for task in (tasks.evaluate, tasks.evaluate_objectives, tasks.deliver, tasks.forget) * 2:
        task()


@pytest.mark.django_db
def test_what_is_long_over_is_forgotten_and_what_is_open_is_not():
    now = timezone.now()
    common = {
        "kind": "AlertRule",
        "namespace": "a",
        "rule": "r",
        "rule_uid": "u",
        "condition": "nack",
        "severity": "info",
        "summary": "",
        "since": now,
    }
    Incident.objects.create(instance="old", state="resolved", open=None, resolved=now - timedelta(days=31), **common)
    Incident.objects.create(instance="new", state="resolved", open=None, resolved=now, **common)
    Incident.objects.create(instance="open", state="firing", **common)
    tasks.forget()
    assert set(Incident.objects.values_list("instance", flat=True)) == {"new", "open"}
