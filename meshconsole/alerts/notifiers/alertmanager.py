"""
Prometheus' Alertmanager, by its API v2; it does its own grouping, silencing and telling.

It forgets alerts when it restarts and ends them when they are not repeated; so a firing one is sent again, as Prometheus does it.
"""

import re
from datetime import datetime, timedelta

import orjson

from meshconsole.core.policies.notification_channel import Alertmanager

from .. import outbound
from ..notice import Notice
from .base import Notifier

REPEAT = 60.0
LIFE = timedelta(seconds=5 * REPEAT)
"""How long it believes in an alert that is not sent again."""


class AlertmanagerNotifier(Notifier):
    name = "alertmanager"
    title = "Alertmanager"
    secret = "A bearer token, where it wants one"  # noqa: S105
    secret_required = False
    events = frozenset({"trigger", "resolve", "test"})
    repeat = REPEAT

    def notify(self, notice: Notice, spec: Alertmanager, secret: str) -> None:
        headers = {"authorization": f"Bearer {secret}"} if secret else {}
        body = orjson.dumps([alert(notice, datetime.now().astimezone())])
        outbound.post(f"{spec.url.rstrip('/')}/api/v2/alerts", body, headers, secret=secret)


def alert(notice: Notice, now: datetime) -> dict[str, object]:
    """An alert's labels are its identity: those of the trigger and of the resolve must be the same, so nothing that changes is among them."""
    labels = {_name(k): v for k, v in notice.labels.items()}
    labels |= {"alertname": notice.rule, "severity": notice.severity, "instance": notice.instance, "source": "meshconsole"}
    labels.setdefault("namespace", notice.namespace)
    ends = (
        datetime.fromisoformat(notice.at)
        if notice.event == "resolve"
        else now + (timedelta(seconds=30) if notice.event == "test" else LIFE)
    )
    annotations = {"summary": notice.summary, "description": notice.description, "runbook_url": notice.runbook}
    return {
        "labels": {k: str(v) for k, v in labels.items() if v},
        "annotations": {k: v for k, v in annotations.items() if v},
        "startsAt": notice.since or notice.at,
        "endsAt": ends.isoformat(),
        "generatorURL": next(iter(notice.links.values()), ""),
    }


def _name(label: str) -> str:
    """Prometheus' names have no dots, slashes or hyphens."""
    return re.sub(r"^(\d)", r"_\1", re.sub(r"[^a-zA-Z0-9_]", "_", label))


NOTIFIER = AlertmanagerNotifier()
