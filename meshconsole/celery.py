"""The alarm clock: Celery finds the tasks of every app; what they do is claimed in the database, so running one twice is harmless."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "meshconsole.settings")

app = Celery("meshconsole")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
