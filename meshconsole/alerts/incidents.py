"""The only writer of incidents: moves that evaluation decided, what people do to them, and who is told. Every move is a compare-and-set."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from . import evaluation, outbox
from .evaluation import Next, Standing
from .models import Incident, Silence
from .rule import Rule

State = Incident.State


def standing(rule: Rule, now: datetime) -> dict[str, tuple[Standing, Incident]]:
    mine = Incident.objects.filter(rule_uid=rule.uid, severity=rule.severity)
    rows = list(mine.filter(open=True))
    if not rows:
        return {}
    since = now - timedelta(seconds=rule.flap_within)
    ended = Counter(mine.filter(open=None, resolved__gte=since).values_list("instance", flat=True))
    return {
        row.instance: (Standing(row.instance, evaluation.State(row.state), row.since, row.clear_since, ended[row.instance]), row)
        for row in rows
    }


def perform(rule: Rule, step: Next, row: Incident | None, now: datetime) -> bool:
    """True when this worker made the move."""
    if row is None:
        return _open(rule, step, now)
    if not step.moved:
        return _refresh(row, step)
    with transaction.atomic():
        if step.state is evaluation.State.DROPPED:
            return Incident.objects.filter(pk=row.pk, version=row.version, state=State.PENDING).delete()[0] > 0
        changes: dict[str, Any] = {"state": step.state.value, "clear_since": step.clear_since, **_figures(step)}
        if step.state is evaluation.State.FIRING and row.fired is None:
            changes["fired"] = now
        if step.state is evaluation.State.RESOLVED:
            return _resolve(row, now, changes)
        return _move(row, changes)


def _open(rule: Rule, step: Next, now: datetime) -> bool:
    finding = step.finding
    assert finding is not None
    row = Incident(
        kind=rule.kind,
        namespace=rule.namespace,
        rule=rule.name,
        rule_uid=rule.uid,
        condition=rule.condition,
        instance=finding.instance[:500],
        severity=rule.severity,
        labels={**finding.labels, **rule.labels},
        channels=list(rule.channels),
        summary=finding.summary,
        description=rule.description,
        runbook=rule.runbook,
        value=finding.value,
        state=step.state.value,
        since=step.since,
        fired=now if step.state is evaluation.State.FIRING else None,
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        return False  # another worker was first
    return True


def _figures(step: Next) -> dict[str, Any]:
    """Once it is clear, the words of when it was wrong stay."""
    if step.finding is None or not step.finding.breached:
        return {}
    return {"summary": step.finding.summary, "value": step.finding.value}


def _refresh(row: Incident, step: Next) -> bool:
    """The newest figures; not a move, so no version. Written only when the words differ."""
    changes = _figures(step)
    if changes and changes["summary"] != row.summary:
        Incident.objects.filter(pk=row.pk, version=row.version).update(**changes)
    return False


def _move(row: Incident, changes: Mapping[str, Any]) -> bool:
    return Incident.objects.filter(pk=row.pk, version=row.version).update(version=row.version + 1, **changes) == 1


def _resolve(row: Incident, now: datetime, changes: Mapping[str, Any] | None = None) -> bool:
    """Inside a transaction. Who was told of its beginning is told of its end."""
    over = {**(changes or {}), "state": State.RESOLVED, "open": None, "resolved": now}
    if not _move(row, over):
        return False
    row.refresh_from_db()
    if row.announced is not None:
        outbox.put(row, "resolve", now)
    return True


def end_orphans(rules: Mapping[tuple[str, str], Rule], kinds: set[str], now: datetime) -> int:
    """Incidents of `kinds` whose rule is deleted, disabled, or made anew: nothing would ever end them. `rules` by (uid, severity)."""
    ended = 0
    for row in Incident.objects.filter(open=True, kind__in=kinds):
        if (row.rule_uid, row.severity) in rules:
            continue
        with transaction.atomic():
            if row.state == State.PENDING:
                ended += Incident.objects.filter(pk=row.pk, version=row.version).delete()[0] > 0
            else:
                ended += _resolve(row, now, {"summary": f"{row.summary} (its rule was removed or changed)"[:2000]})
    return ended


def announce(now: datetime) -> int:
    """Put the first message about each firing incident into the outbox, unless it is silenced: then when the silence ends, if it still fires."""
    silences = living(now)
    told = 0
    for row in Incident.objects.filter(open=True, state=State.FIRING, announced=None):
        if any(s.matches(row) for s in silences):
            continue
        with transaction.atomic():
            if _move(row, {"announced": now}):
                row.refresh_from_db()
                outbox.put(row, "trigger", now)
                if row.acknowledged is not None:
                    outbox.put(row, "acknowledge", now, row.acknowledged_by)
                told += 1
    return told


def acknowledge(incident_id: int, by: str, now: datetime) -> bool:
    """Somebody is on it. True when it was not acknowledged before. Tried again when evaluation moves it meanwhile."""
    for _ in range(5):
        row = Incident.objects.filter(pk=incident_id, open=True, state=State.FIRING, acknowledged=None).first()
        if row is None:
            return False
        with transaction.atomic():
            if _move(row, {"acknowledged": now, "acknowledged_by": by[:150]}):
                row.refresh_from_db()
                if row.announced is not None:
                    outbox.put(row, "acknowledge", now, by)
                return True
    return False


def living(now: datetime) -> list[Silence]:
    return list(Silence.objects.filter(starts__lte=now, ends__gt=now))


def silence(namespace: str, matchers: Mapping[str, str], starts: datetime, ends: datetime, by: str, comment: str, now: datetime) -> Silence:
    """Raises ValueError."""
    if not matchers:
        raise ValueError("matchers: name at least one label; a silence of everything hides what you do not think of")
    if not all(isinstance(k, str) and isinstance(v, str) and k and v for k, v in matchers.items()) or len(matchers) > 20:
        raise ValueError("matchers: up to 20 labels with their values")
    if ends <= starts or ends <= now:
        raise ValueError("a silence ends after it starts, and later than now")
    return Silence.objects.create(
        namespace=namespace, matchers=dict(matchers), starts=starts, ends=ends, author=by[:150], comment=comment[:2000], created=now
    )


def end_silence(silence_id: int, now: datetime) -> bool:
    return Silence.objects.filter(pk=silence_id, ends__gt=now).update(ends=now) == 1
