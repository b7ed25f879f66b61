"""What pages and the API show of alerts: values, no secrets."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Case, IntegerField, Q, Value, When
from django.utils import timezone

from meshconsole.configstore import store
from meshconsole.core.policies.alert_rule import AlertRule

from . import channels, conditions, engine, incidents
from .models import ChannelSecret, Delivery, Incident, Silence

SEVERITIES = ("critical", "error", "warning", "info")


@dataclass(frozen=True)
class Sent:
    """One message to one channel, as its history shows it."""

    id: int
    channel: str
    event: str
    state: str
    attempts: int
    created: datetime
    due: datetime
    sent: datetime | None
    error: str
    log: list[dict[str, str]]


@dataclass(frozen=True)
class Alert:
    id: int
    kind: str
    namespace: str
    rule: str
    condition: str
    instance: str
    state: str
    """pending, firing or resolved."""
    severity: str
    summary: str
    description: str
    runbook: str
    value: float | None
    labels: dict[str, str]
    since: datetime
    fired: datetime | None
    resolved: datetime | None
    acknowledged: datetime | None
    acknowledged_by: str
    silenced: bool
    channels: list[str]

    @property
    def matchers(self) -> dict[str, str]:
        """What silences this alert, and not one of the same rule that is worse: who quietens a slow burn still hears of a fast one."""
        return {"rule": self.rule, "instance": self.instance, "severity": self.severity}

    @property
    def title(self) -> str:
        known = conditions.all_().get(self.condition)
        return known.title if known else self.condition


@dataclass(frozen=True)
class ChannelView:
    namespace: str
    name: str
    way: str
    title: str
    address: str
    """Where to, as far as it is no secret."""
    secret: str
    """What its secret is; empty: it has none."""
    secret_set: datetime | None
    problem: str
    """Why nothing can be sent."""
    disabled: bool
    last: Sent | None


def alerts(namespaces: Collection[str] | None = None, states: Iterable[str] = (), limit: int = 500) -> list[Alert]:
    """The firing and worst first, then the pending, then what is over, the newest first."""
    order = Case(
        *(When(state=state, then=Value(n)) for n, state in enumerate(("firing", "pending"))), default=Value(2), output_field=IntegerField()
    )
    worst = Case(*(When(severity=s, then=Value(n)) for n, s in enumerate(SEVERITIES)), default=Value(9), output_field=IntegerField())
    found = Incident.objects.annotate(order=order, worst=Case(When(open=True, then=worst), default=Value(0), output_field=IntegerField()))
    if namespaces is not None:
        found = found.filter(namespace__in=list(namespaces))
    if wanted := list(states):
        found = found.filter(state__in=wanted)
    silences = incidents.living(timezone.now())
    return [_alert(row, silences) for row in found.order_by("order", "worst", "-resolved", "-since", "-pk")[:limit]]


def alert(alert_id: int) -> Alert | None:
    row = Incident.objects.filter(pk=alert_id).first()
    return _alert(row, incidents.living(timezone.now())) if row else None


def times(alert_: Alert, hours: int = 24) -> int:
    """How often the same rule has found the same thing in the last hours, this time included."""
    row = Incident.objects.filter(pk=alert_.id).first()
    if row is None:
        return 0
    same = Incident.objects.filter(rule_uid=row.rule_uid, severity=row.severity, instance=row.instance)
    return same.filter(since__gte=timezone.now() - timedelta(hours=hours)).count()


def history(alert_id: int) -> list[Sent]:
    return [_sent(row) for row in Delivery.objects.filter(Q(incident_id=alert_id) | Q(group__members=alert_id)).order_by("pk")]


def messages(channel_names: Collection[str] | None = None, limit: int = 50) -> list[Sent]:
    found = Delivery.objects.order_by("-pk")
    if channel_names is not None:
        found = found.filter(channel__in=list(channel_names))
    return [_sent(row) for row in found[:limit]]


def silences(namespaces: Collection[str] | None = None, now: datetime | None = None) -> list[Silence]:
    """Those that hold or will."""
    found = Silence.objects.filter(ends__gt=now or timezone.now())
    if namespaces is not None:
        found = found.filter(namespace__in=[*namespaces, "*"])
    return list(found)


def rules(namespaces: Collection[str] | None = None) -> list[AlertRule]:
    return [p for p in store.resources() if isinstance(p, AlertRule) and (namespaces is None or p.metadata.namespace in namespaces)]


def title_of(rule: AlertRule) -> str:
    """What its condition is, for people."""
    [(name, _)] = rule.spec.condition.chosen()
    return conditions.all_()[name].title


def notifiers(namespaces: Collection[str] | None = None) -> list[ChannelView]:
    found = [c for c in channels.all_().values() if namespaces is None or c.namespace in namespaces]
    secrets = {(s.namespace, s.name): s.set_at for s in ChannelSecret.objects.defer("sealed")}
    views = []
    for c in sorted(found, key=lambda c: c.key):
        last = Delivery.objects.filter(channel=c.key).order_by("-pk").first()
        address = getattr(c.spec, "url", "") or ", ".join(getattr(c.spec, "to", ()))
        views.append(
            ChannelView(
                c.namespace, c.name, c.way, c.notifier.title, address, c.notifier.secret, secrets.get((c.namespace, c.name)),
                channels.problem(c), c.disabled, _sent(last) if last else None,
            )
        )  # fmt: skip
    return views


def firing(namespaces: Collection[str] | None = None) -> list[Alert]:
    return alerts(namespaces, ("firing",), 50)


def prometheus_rules(namespaces: Collection[str] | None = None) -> dict[str, object]:
    """A Prometheus rule file: a group per namespace. What only the console knows (proxies, certificates) is not in Prometheus, and is left out."""
    groups: dict[str, list[dict[str, object]]] = {}
    for rule in (*engine.rules(), *engine.objective_rules()):
        if namespaces is not None and rule.namespace not in namespaces:
            continue
        promql = conditions.all_()[rule.condition].promql(rule)
        if not promql:
            continue
        annotations = {"summary": f"{rule.namespace}/{rule.name}", "description": rule.description, "runbook_url": rule.runbook}
        entry: dict[str, object] = {"alert": rule.name, "expr": promql}
        if rule.hold:
            entry["for"] = f"{int(rule.hold)}s"
        if rule.keep:
            entry["keep_firing_for"] = f"{int(rule.keep)}s"
        entry["labels"] = {**{_label(k): v for k, v in rule.labels.items()}, "severity": rule.severity, "namespace": rule.namespace}
        entry["annotations"] = {k: v.replace("{{", "{ {") for k, v in annotations.items() if v}  # a template to Prometheus
        groups.setdefault(rule.namespace, []).append(entry)
    return {"groups": [{"name": f"meshconsole-{namespace}", "rules": found} for namespace, found in sorted(groups.items())]}


def _label(name: str) -> str:
    return "".join(c if c.isalnum() and c.isascii() else "_" for c in name)


def _alert(row: Incident, silences_: Iterable[Silence]) -> Alert:
    return Alert(
        row.pk, row.kind, row.namespace, row.rule, row.condition, row.instance, row.state, row.severity, row.summary, row.description, row.runbook,
        row.value, {"namespace": row.namespace, **row.labels}, row.since, row.fired, row.resolved, row.acknowledged, row.acknowledged_by,
        row.state != Incident.State.RESOLVED and any(s.matches(row) for s in silences_), row.channels,
    )  # fmt: skip


def _sent(row: Delivery) -> Sent:
    return Sent(row.pk, row.channel, row.event, row.state, row.attempts, row.created, row.due, row.sent, row.error, row.log)
