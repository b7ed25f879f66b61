"""The alarm clock: Celery finds the tasks of every app; what they do is claimed in the database, so running one twice is harmless."""

import os
import time

from celery import Celery, Task
from celery.signals import task_postrun, task_prerun

from . import measures

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "meshconsole.settings")

app = Celery("meshconsole")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

_started: dict[str, float] = {}


@task_prerun.connect
def _begun(task_id: str, **_: object) -> None:
    _started[task_id] = time.monotonic()


@task_postrun.connect
def _ended(task_id: str, task: Task, state: str | None = None, **_: object) -> None:
    measures.TASKS.labels(task.name, (state or "unknown").lower()).inc()
    if (since := _started.pop(task_id, None)) is not None:
        measures.TASK_SECONDS.labels(task.name).observe(time.monotonic() - since)
