"""
NotificationChannel: where alerts go. It holds no secret: those are set apart, write-only, and kept encrypted by `meshconsole.alerts`.

So nothing that shows a channel (the API, a diff, the history, a backup of the resources) can show its secret.
"""

import re
from collections.abc import Iterator
from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import Field

from meshconsole.core.resources.common import Duration, PositiveDuration
from meshconsole.core.resources.envelope import Model
from meshconsole.core.resources.messages import Message

from .base import Policy

_ADDRESS = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+")


class PagerDuty(Model):
    """PagerDuty's Events API v2. Its secret is the integration's routing key."""

    url: str = "https://events.pagerduty.com"
    """Default `https://events.pagerduty.com`; `https://events.eu.pagerduty.com` for accounts of the EU."""


class Slack(Model):
    """An incoming webhook of Slack. Its secret is the webhook's URL."""


class Teams(Model):
    """A workflow of Microsoft Teams that posts what it gets as a card. Its secret is the workflow's URL."""


class Email(Model):
    """E-mail by the server that EMAIL_URL names. No secret."""

    to: list[str] = Field(min_length=1, max_length=50)


class Webhook(Model):
    """A POST of JSON, signed with HMAC-SHA256 in the header `Meshconsole-Signature`. Its secret is the key of the signature."""

    url: str


class Alertmanager(Model):
    """Prometheus' Alertmanager, by its API v2. Its secret, where it wants one, is a bearer token."""

    url: str
    """Without `/api/v2/alerts`: `http://alertmanager:9093`."""


class Apprise(Model):
    """Any other service that the library apprise knows: Telegram, Matrix, Opsgenie, ntfy, … Its secret is apprise's URL."""


class NotificationChannelSpec(Model):
    """Exactly one of these."""

    pagerduty: PagerDuty | None = None
    slack: Slack | None = None
    teams: Teams | None = None
    email: Email | None = None
    webhook: Webhook | None = None
    alertmanager: Alertmanager | None = None
    apprise: Apprise | None = None
    group_by: list[str] = Field(default_factory=list, max_length=10)
    """Alerts that have the same values of these labels (`namespace`, `rule`, `service`, `severity`, …) are told in one message, and are one incident at
    PagerDuty. Without it each alert is told by itself."""
    group_wait: Duration = "10s"
    """How long the first message of a group waits for others. Default `10s`."""
    group_interval: PositiveDuration = "5m"
    """How long after a message the next one about the same group comes at the earliest. Its end is told at once. Default `5m`."""
    send_resolved: bool = True
    """Whether the end of an alert is told too. Default true."""
    disabled: bool = False
    """Nothing is sent while true."""

    def chosen(self) -> list[tuple[str, Model]]:
        """(field, what it says) of each way that is set."""
        return [(name, said) for name in type(self).model_fields if isinstance(said := getattr(self, name), Model)]


class NotificationChannel(Policy):
    group: ClassVar[str] = "meshconsole.io"
    versions: ClassVar[tuple[str, ...]] = ("v1",)
    plural: ClassVar[str] = "notificationchannels"
    short_names: ClassVar[tuple[str, ...]] = ("nc",)

    spec: NotificationChannelSpec
    """Which way, and where."""

    def check(self) -> Iterator[Message]:
        chosen = self.spec.chosen()
        if len(chosen) != 1:
            ways = ", ".join(f for f, kind in type(self.spec).model_fields.items() if kind.default is None)
            yield self.error("spec", f"must have exactly one of {ways}, not {len(chosen)}")
        if self.spec.group_by and self.spec.alertmanager is not None:
            yield self.error("spec.groupBy", "an Alertmanager groups by its own configuration; leave it out")
        if len(set(self.spec.group_by)) < len(self.spec.group_by) or not all(self.spec.group_by):
            yield self.error("spec.groupBy", "names each label once")
        for name, said in chosen:
            if isinstance(said, PagerDuty | Webhook | Alertmanager) and (fault := url_fault(said.url)):
                yield self.error(f"spec.{name}.url", fault)
            for n, to in enumerate(said.to if isinstance(said, Email) else ()):
                if not _ADDRESS.fullmatch(to):
                    yield self.error(f"spec.email.to[{n}]", f"{to!r} is no e-mail address")


def url_fault(url: str) -> str:
    """What is wrong with an address that is posted to; '' when nothing is."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as e:
        return f"is no URL: {e}"
    if parts.scheme not in ("http", "https") or not host:
        return "must be a URL that starts with http:// or https://"
    if parts.username or parts.password:
        return "must hold no password: it would be shown to everyone who may read this; set the channel's secret instead"
    if not url.isascii() or any(c.isspace() or ord(c) < 32 for c in url):
        return "must be ASCII without spaces"
    return ""
