"""Channels and their secrets: found by name, set and never shown."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from meshconsole.configstore import store
from meshconsole.core.policies.notification_channel import NotificationChannel
from meshconsole.core.resources.common import seconds

from . import notifiers, sealing
from .models import ChannelSecret
from .notifiers.base import Notifier, NotifyError


@dataclass(frozen=True)
class Channel:
    namespace: str
    name: str
    way: str
    spec: Any
    send_resolved: bool
    disabled: bool
    group_by: tuple[str, ...] = ()
    """Labels; alerts that have the same values of them are told together."""
    group_wait: float = 0.0
    """Seconds."""
    group_interval: float = 0.0

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def notifier(self) -> Notifier:
        return notifiers.all_()[self.way]

    @property
    def bound_to(self) -> str:
        """What its secret is sealed for."""
        return "\0".join((self.namespace, self.name, self.way, getattr(self.spec, "url", "")))

    def tells(self, event: str) -> bool:
        if self.disabled and event != "test":
            return False
        return event in self.notifier.events and (event != "resolve" or self.send_resolved)


class Unset(Exception):
    """A secret is needed and there is none that fits; the text says what to do."""


def of(policy: NotificationChannel) -> Channel:
    [(way, spec)] = policy.spec.chosen()
    meta = policy.metadata
    said = policy.spec
    return Channel(
        meta.namespace,
        meta.name,
        way,
        spec,
        said.send_resolved,
        said.disabled,
        tuple(said.group_by),
        float(seconds(said.group_wait)),
        float(seconds(said.group_interval)),
    )


def all_() -> dict[str, Channel]:
    return {c.key: c for p in store.resources() if isinstance(p, NotificationChannel) for c in [of(p)]}


def set_secret(channel: Channel, plain: str, by: str, now: datetime) -> None:
    """Raises ValueError: the channel takes none, or not one like this."""
    if not channel.notifier.secret:
        raise ValueError(f"{channel.notifier.title} needs no secret")
    if not plain or len(plain) > 4096 or not plain.isprintable():
        raise ValueError("a secret is 1 to 4096 printable characters")
    if fault := channel.notifier.secret_fault(plain):
        raise ValueError(fault)
    ChannelSecret.objects.update_or_create(
        namespace=channel.namespace,
        name=channel.name,
        defaults={"sealed": sealing.seal(plain, channel.bound_to), "set_at": now, "set_by": by},
    )


def secret(channel: Channel) -> str:
    """Raises Unset."""
    if not channel.notifier.secret:
        return ""
    row = ChannelSecret.objects.filter(namespace=channel.namespace, name=channel.name).first()
    if row is None:
        if channel.notifier.secret_required:
            raise Unset("its secret is not set")
        return ""
    try:
        return sealing.unseal(bytes(row.sealed), channel.bound_to)
    except sealing.Locked as e:
        raise Unset(f"its secret does not fit: {e}") from e


def problem(channel: Channel) -> str:
    """Why nothing can be sent, or nothing."""
    if missing := channel.notifier.problem():
        return missing
    try:
        secret(channel)
    except Unset as e:
        return str(e)
    return ""


def send(channel: Channel, notice: Any) -> None:
    """Raises NotifyError."""
    try:
        plain = secret(channel)
    except Unset as e:
        raise NotifyError(f"{channel.key}: {e}", permanent=True) from e
    channel.notifier.notify(notice, channel.spec, plain)
