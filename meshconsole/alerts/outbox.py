"""
The outbox: messages wait here until their channel has taken them.

At least once, and in order per incident and channel. A worker claims a message for LEASE seconds; when it dies, the claim ends and another one
sends it again under the same dedup key (PagerDuty, Alertmanager) or id (webhooks), by which the receiver tells that it has it already.
"""

import logging
import uuid
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from . import channels, grouping
from .channels import Channel
from .models import Delivery, Incident
from .notice import Notice, links
from .notifiers.base import NotifyError

log = logging.getLogger(__name__)
State = Delivery.State

LEASE = timedelta(seconds=60)
"""Longer than any notifier takes: each gives up an address after 10 s."""
WAITS = (5, 10, 30, 60, 120, 300, 600)
"""Seconds until the next attempt; the last goes on."""
GIVE_UP = timedelta(hours=24)
TOGETHER = 100
"""Messages of one channel that are taken up in one look."""
ENOUGH = 3
"""Messages of one channel that are to be tried again, and it is left alone until the next look: each may have cost the others 10 s."""
KEPT = 20
"""Attempts that a message's log shows."""


def notice_of(incident: Incident, event: str, now: datetime, by: str = "") -> Notice:
    labels = {"namespace": incident.namespace, **incident.labels}
    return Notice(
        event=event,
        dedup_key=incident.dedup_key,
        rule=incident.rule,
        namespace=incident.namespace,
        instance=incident.instance,
        severity=incident.severity,
        summary=incident.summary,
        description=incident.description,
        runbook=incident.runbook,
        labels=labels,
        value=incident.value,
        since=incident.since.isoformat(),
        at=now.isoformat(),
        by=by,
        links=links(settings.CONSOLE_URL, settings.GRAFANA_URL, incident.pk, labels),
    )


def put(incident: Incident, event: str, now: datetime, by: str = "") -> list[Delivery]:
    """Inside the transaction of the move that it tells of. A channel that does not exist is told of in the log of its message."""
    known = channels.all_()
    made = []
    for name in incident.channels:
        channel = known.get(name)
        if channel is not None and channel.group_by:
            grouping.put(channel, incident, event, now)
            continue
        if channel is not None and not channel.tells(event):
            continue
        row = Delivery(
            incident=incident, channel=name, event=event, notice=notice_of(incident, event, now, by).json(), due=now, created=now
        )
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:
            continue  # it is there already: whoever was first
        made.append(row)
    return made


def put_test(channel: Channel, now: datetime, by: str) -> Delivery:
    notice = Notice(
        event="test",
        dedup_key=f"meshconsole/test/{uuid.uuid4()}",
        rule=channel.name,
        namespace=channel.namespace,
        instance=channel.key,
        severity="info",
        summary=f"A test message of Meshconsole to {channel.key}, sent by {by}",
        labels={"namespace": channel.namespace},
        since=now.isoformat(),
        at=now.isoformat(),
        by=by,
        links=links(settings.CONSOLE_URL, settings.GRAFANA_URL, None, {"namespace": channel.namespace}),
    )
    return Delivery.objects.create(channel=channel.key, event="test", notice=notice.json(), due=now, created=now)


def send_test(channel: Channel, by: str, now: datetime) -> Delivery:
    """At once, in this process: who presses the button wants to see the answer. Not tried again."""
    row = claim(put_test(channel, now, by), now)
    if row is None:  # a worker was faster
        return Delivery.objects.filter(channel=channel.key, event="test").latest("pk")
    deliver(row)
    Delivery.objects.filter(pk=row.pk, state=State.WAITING).update(state=State.FAILED)
    row.refresh_from_db()
    return row


def due(now: datetime) -> list[Delivery]:
    """What may be sent now: waiting and due, or claimed by a worker whose lease has ended. Of one incident and channel only the first; of
    each channel the oldest, and the channels in turn, so that thousands for one that is away hide nobody else's."""
    open_ = Delivery.objects.filter(state__in=(State.WAITING, State.CLAIMED))
    same = Q(incident=OuterRef("incident_id")) | Q(group=OuterRef("group_id"))
    before = open_.filter(same, channel=OuterRef("channel"), pk__lt=OuterRef("pk"))
    ready = open_.filter(Q(state=State.WAITING, due__lte=now) | Q(state=State.CLAIMED, lease__lte=now)).filter(~Exists(before))
    names = ready.order_by().values_list("channel", flat=True).distinct()
    found = [(place, row.pk, row) for name in names for place, row in enumerate(ready.filter(channel=name).order_by("pk")[:TOGETHER])]
    return [row for *_, row in sorted(found, key=lambda each: each[:2])]


def claim(row: Delivery, now: datetime) -> Delivery | None:
    """The row, when it is ours now."""
    token = uuid.uuid4().hex
    mine = Delivery.objects.filter(pk=row.pk, state=row.state, claim=row.claim, attempts=row.attempts).update(
        state=State.CLAIMED, claim=token, lease=now + LEASE, attempts=row.attempts + 1
    )
    return Delivery.objects.filter(pk=row.pk, claim=token).first() if mine == 1 else None


def deliver(row: Delivery) -> bool:
    """Send a message that is claimed, and write down how it went. Never inside a transaction: the receiver has it whatever we roll back."""
    channel = channels.all_().get(row.channel)
    error, permanent = "", False
    try:
        notice = Notice.read(row.notice) if row.group_id is None else grouping.notice(row)
        if channel is None:
            raise NotifyError(f"there is no NotificationChannel {row.channel}", permanent=True)
        if not channel.tells(row.event):
            raise NotifyError(f"{row.channel} is switched off", permanent=True)
        channels.send(channel, notice)
    except NotifyError as e:
        error, permanent = str(e) or type(e).__name__, e.permanent
    except Exception as e:  # a notifier's own fault must not stop the others; its text might hold a secret
        log.error("The notifier of %s failed: %s", row.channel, type(e).__name__)
        error = f"the notifier failed: {type(e).__name__}"
    _written(row, error, permanent, timezone.now())
    return not error


def _written(row: Delivery, error: str, permanent: bool, now: datetime) -> None:
    attempt = {"at": now.isoformat(), "error": error[:500]}
    said: dict[str, Any] = {"log": [*row.log, attempt][-KEPT:], "claim": "", "lease": None}
    if not error:
        said |= {"state": State.SENT, "sent": now}
    elif permanent or now - row.created > GIVE_UP:
        said |= {"state": State.FAILED}
        log.warning("%s of %s to %s is given up: %s", row.event, row.notice.get("rule", row.group), row.channel, error)
    else:
        said |= {"state": State.WAITING, "due": now + timedelta(seconds=WAITS[min(row.attempts, len(WAITS)) - 1])}
    Delivery.objects.filter(pk=row.pk, claim=row.claim).update(**said)


def deliver_due(now: datetime | None = None, seconds: float = 25.0) -> int:
    """Send what is due; how many were taken. Any number of workers may do so at once."""
    end = timezone.now() + timedelta(seconds=seconds)
    sent, moved = 0, True
    failed: Counter[str] = Counter()
    while moved:
        moved = False
        for row in due(now or timezone.now()):
            if timezone.now() > end:
                return sent
            if failed[row.channel] >= ENOUGH:
                continue
            if mine := claim(row, now or timezone.now()):
                taken = deliver(mine)
                sent += taken
                failed[row.channel] += not taken and Delivery.objects.filter(pk=row.pk, state=State.WAITING).exists()
                moved = moved or taken  # what comes after it in its line may be due now
    return sent


def repeat(now: datetime) -> int:
    """Tell again of what is still firing, where the receiver forgets (Alertmanager)."""
    known = channels.all_()
    again = 0
    for key, channel in known.items():
        if channel.disabled or channel.notifier.repeat is None:
            continue
        old = now - timedelta(seconds=channel.notifier.repeat)
        again += Delivery.objects.filter(
            channel=key, event="trigger", state=State.SENT, sent__lte=old, incident__open=True, incident__state=Incident.State.FIRING
        ).update(state=State.WAITING, due=now, attempts=0, created=now)
    return again


def resume(channel: Channel, now: datetime) -> int:
    """A channel has got its secret: what it gave up of alerts that are still open is told after all."""
    missed = Delivery.objects.filter(channel=channel.key, state=State.FAILED, created__gt=now - GIVE_UP, incident__open=True)
    return missed.exclude(event="test").update(state=State.WAITING, due=now, attempts=0, claim="")


def retry(row_id: int, now: datetime) -> bool:
    """By a person: try a message that was given up once more."""
    return (
        Delivery.objects.filter(pk=row_id, state=State.FAILED).update(state=State.WAITING, due=now, created=now, attempts=0, claim="") == 1
    )
