"""
Alerts told together: what a channel with `groupBy` hears of.

A group begins with its first alert and ends with its last. Its first message waits for `groupWait`, so that a fault which many rules see is one
message; each later alert is told at the earliest `groupInterval` after the message before. What a message says is read when it is sent.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction

from .channels import Channel
from .models import Delivery, Group, Incident
from .notice import Notice, links

SHOWN = 5
"""Alerts that a message spells out."""
_WORST = ("critical", "error", "warning", "info")


def put(channel: Channel, incident: Incident, event: str, now: datetime) -> None:
    """Inside the transaction of the move that it tells of."""
    group = _of(channel, incident, now) if event == "trigger" else _joined(channel, incident)
    if group is None:
        return
    if event == "trigger":
        group.members.add(incident)
        if not group.deliveries.filter(event="trigger", state=Delivery.State.WAITING, attempts=0).exists():
            due = now + timedelta(seconds=channel.group_wait)
            if group.told is not None:
                due = max(now, group.told + timedelta(seconds=channel.group_interval))
            _write(group, "trigger", due, now)
            group.told = due
            group.save(update_fields=["told"])
        return
    firing = group.members.filter(open=True)
    if event == "resolve" and not firing.exists():
        group.deliveries.filter(state=Delivery.State.WAITING, attempts=0, due__gt=now).update(due=now)
        if channel.tells("resolve"):
            _write(group, "resolve", now, now)
        Group.objects.filter(pk=group.pk).update(open=None)
    elif event == "acknowledge" and channel.tells("acknowledge") and not firing.filter(acknowledged=None).exists():
        _write(group, "acknowledge", now, now)


def _of(channel: Channel, incident: Incident, now: datetime) -> Group:
    own = {
        "namespace": incident.namespace,
        **incident.labels,
        "rule": incident.rule,
        "instance": incident.instance,
        "severity": incident.severity,
    }
    values = "\0".join(f"{label}={own.get(label, '')}" for label in sorted(channel.group_by))
    key = hashlib.sha256(values.encode()).hexdigest()
    try:
        with transaction.atomic():
            found, _ = Group.objects.get_or_create(channel=channel.key, key=key, open=True, defaults={"begun": now})
    except IntegrityError:
        found = Group.objects.get(channel=channel.key, key=key, open=True)  # another worker was first
    return Group.objects.select_for_update().get(pk=found.pk)


def _joined(channel: Channel, incident: Incident) -> Group | None:
    return Group.objects.select_for_update().filter(channel=channel.key, open=True, members=incident).first()


def _write(group: Group, event: str, due: datetime, now: datetime) -> None:
    Delivery.objects.create(group=group, channel=group.channel, event=event, notice={}, due=due, created=now)


def notice(row: Delivery) -> Notice:
    """What a group's message says, as it is now."""
    assert row.group is not None
    members = list(row.group.members.order_by("since", "pk"))
    firing = [m for m in members if m.open] or members
    labels = _common(firing)
    first, count = firing[0], len(firing)
    said = first.summary if count == 1 else f"{count} alerts: " + "; ".join(m.summary for m in firing[:SHOWN])
    if count > SHOWN:
        said += f"; and {count - SHOWN} more"
    if row.event == "resolve" and len(members) > 1:
        said = f"All {len(members)} alerts are over: " + "; ".join(m.summary for m in members[:SHOWN])
    rules = sorted({m.rule for m in firing})
    by = next((m.acknowledged_by for m in reversed(members) if m.acknowledged_by), "")
    return Notice(
        event=row.event,
        dedup_key=row.group.dedup_key,
        rule=rules[0] if len(rules) == 1 else f"{len(rules)} rules",
        namespace=labels.get("namespace", first.namespace),
        instance=first.instance if count == 1 else ", ".join(m.instance for m in firing[:SHOWN]),
        severity=min((m.severity for m in firing), key=_WORST.index),
        summary=said[:2000],
        description=first.description if count == 1 else "",
        runbook=first.runbook if len({m.runbook for m in firing}) == 1 else "",
        labels=labels,
        value=first.value if count == 1 else None,
        since=members[0].since.isoformat(),
        at=row.created.isoformat(),
        by=by,
        links=links(settings.CONSOLE_URL, settings.GRAFANA_URL, first.pk if count == 1 else None, labels),
    )


def _common(members: Iterable[Incident]) -> dict[str, str]:
    every = [{"namespace": m.namespace, **m.labels} for m in members]
    return {k: v for k, v in every[0].items() if all(each.get(k) == v for each in every)}
