"""The ways a message goes out, one file each, named as the field of NotificationChannel."""

from functools import cache

from meshconsole import plugins

from .base import Notifier


@cache
def all_() -> dict[str, Notifier]:
    found = {}
    for module in plugins.discover(__name__):
        notifier: Notifier = module.NOTIFIER
        found[notifier.name] = notifier
    return found
