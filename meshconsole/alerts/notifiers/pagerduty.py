"""PagerDuty, by its Events API v2: trigger, acknowledge and resolve under one dedup_key."""

import orjson

from meshconsole.core.policies.notification_channel import PagerDuty

from .. import outbound
from ..notice import Notice
from .base import Notifier


class PagerDutyNotifier(Notifier):
    name = "pagerduty"
    title = "PagerDuty"
    secret = "The routing key of an Events API v2 integration (32 characters)"  # noqa: S105

    def secret_fault(self, secret: str) -> str:
        return "" if len(secret) == 32 and secret.isalnum() else "a routing key has 32 letters and digits"

    def notify(self, notice: Notice, spec: PagerDuty, secret: str) -> None:
        url = f"{spec.url.rstrip('/')}/v2/enqueue"
        outbound.post(url, orjson.dumps(event(notice, secret)), secret=secret)
        if notice.event == "test":  # nobody shall be woken by it
            outbound.post(
                url, orjson.dumps({"routing_key": secret, "event_action": "resolve", "dedup_key": notice.dedup_key}), secret=secret
            )


def event(notice: Notice, routing_key: str) -> dict[str, object]:
    """The API's `event`. Fields and limits: developer.pagerduty.com, "Send an event to PagerDuty"."""
    action = "trigger" if notice.event == "test" else notice.event
    said: dict[str, object] = {"routing_key": routing_key, "event_action": action, "dedup_key": notice.dedup_key[:255]}
    if action != "trigger":
        return said
    details = {"description": notice.description, "runbook": notice.runbook, "value": notice.value, "since": notice.since, **notice.labels}
    said["payload"] = {
        "summary": f"{'TEST: ' if notice.event == 'test' else ''}{notice.summary}"[:1024],
        "source": notice.instance or f"{notice.namespace}/{notice.rule}",
        "severity": "info" if notice.event == "test" else notice.severity,
        "timestamp": notice.at,
        "component": notice.labels.get("service") or notice.labels.get("workload") or notice.rule,
        "group": notice.namespace,
        "class": notice.rule,
        "custom_details": {k: v for k, v in details.items() if v not in ("", None)},
    }
    said["links"] = [{"href": href, "text": text} for text, href in notice.links.items()]
    said["client"] = "Meshconsole"
    said["client_url"] = next(iter(notice.links.values()), "")
    return said


NOTIFIER = PagerDutyNotifier()
