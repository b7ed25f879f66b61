"""
The registry of workloads: who is there, at which address, how they are. The only writer of its tables.

A vanished agent's endpoint stays for a grace (static stability: its Envoy probably still serves); a goodbye takes it out at once.
"""

import datetime
import threading
import time
from collections.abc import Iterable
from typing import Any

import msgspec
from django.db import IntegrityError, transaction
from django.db.models import Q

from meshconsole.accounts import audit
from meshconsole.accounts.author import Author
from meshconsole.configstore.models import rfc3339
from meshconsole.core.mesh.model import Service, Workload
from proxyagent import protocol

from . import signals, workload
from .models import Head, WorkloadRecord
from .refusals import Refused as Refused
from .refusals import Taken as Taken

Name = tuple[str, str]
"""(namespace, name)"""

NOT_PROBED = "not probed yet"
BRIEFLY = datetime.timedelta(seconds=60)
BY_ITSELF = Author("console", "system", "")
MEMBERS_GRACE = 10.0
"""Of a member of a WorkloadGroup that vanished, in seconds (Istio: PILOT_WORKLOAD_ENTRY_GRACE_PERIOD)."""


def register(
    spec: protocol.Workload,
    now: datetime.datetime,
    *,
    platform: str = "agents",
    said: protocol.Workload | None = None,
    probed: bool = False,
) -> bool:
    """What an agent with a proven identity says of its workload. True when it is news. Raises Refused.

    `said`: what a member of a group says itself, of which its group made `spec`. `probed`: it gets requests once its first probe succeeds."""
    if faults := list(workload.faults(spec)):
        raise Refused("; ".join(faults[:10]))
    body, words = _body(spec), _body(said) if said else {}
    rows = WorkloadRecord.objects.filter(namespace=spec.namespace, name=spec.name)
    row = rows.values("pk", "service_account", "spec", "said", "platform", "lost").first()
    if row is None:
        try:
            with transaction.atomic():
                WorkloadRecord.objects.create(
                    platform=platform, namespace=spec.namespace, name=spec.name, service_account=spec.service_account,
                    spec=body, group=spec.group, said=words, healthy=not probed, health_reason=NOT_PROBED if probed else "",
                    version=_next(), created=now, seen=now,
                )  # fmt: skip
        except IntegrityError:  # another process was first
            return register(spec, now, platform=platform, said=said, probed=probed)
        return True
    if row["service_account"] != spec.service_account or row["platform"] != platform:
        raise Taken(
            f"{spec.namespace}/{spec.name} is registered with the service account {row['service_account']}; "
            f"stop that one first, or give this one another name than {spec.name}"
        )
    if row["spec"] == body and row["said"] == words:
        # `found` will say so for many at once; only who has been lost for long, or is given little time (a member of a
        # group), must not be expired in between. A thousand agents that come back at once wait for one another's writes otherwise.
        if row["lost"] is not None and (now - row["lost"] > BRIEFLY or spec.group):
            rows.filter(pk=row["pk"]).update(seen=now, lost=None)
        return False
    with transaction.atomic():
        number = _next()
        rows.filter(pk=row["pk"]).update(spec=body, group=spec.group, said=words, seen=now, lost=None, version=number)
    return True


def revise(row: WorkloadRecord, spec: protocol.Workload) -> bool:
    """What a member of a group is now that its group has changed. True when it is news; not when its agent was faster."""
    body = _body(spec)
    if row.spec == body or list(workload.faults(spec)):
        return False
    with transaction.atomic():
        return WorkloadRecord.objects.filter(pk=row.pk, version=row.version).update(spec=body, version=_next()) == 1


def set_health(name: Name, healthy: bool, reason: str, now: datetime.datetime) -> bool:
    """True when it is news."""
    rows = WorkloadRecord.objects.filter(namespace=name[0], name=name[1])
    with transaction.atomic():
        if rows.filter(healthy=healthy).update(health_reason=reason[:300], seen=now):
            return False
        others = rows.exclude(healthy=healthy)
        return others.exists() and others.update(healthy=healthy, health_reason=reason[:300], seen=now, version=_next()) == 1


def deregister(name: Name) -> bool:
    """A goodbye, or someone who takes it out by hand. True when it was there."""
    with transaction.atomic():
        deleted, _ = WorkloadRecord.objects.filter(namespace=name[0], name=name[1]).delete()
        if deleted:
            _next()
    return bool(deleted)


def lose(names: Iterable[Name], now: datetime.datetime) -> None:
    """Their agents have vanished; the endpoints stay for the grace."""
    for namespace, members in _by_namespace(names).items():
        WorkloadRecord.objects.filter(namespace=namespace, name__in=members, lost=None).update(lost=now)


def found(names: Iterable[Name], now: datetime.datetime) -> None:
    """Their agents are connected."""
    for namespace, members in _by_namespace(names).items():
        for start in range(0, len(members), 500):
            WorkloadRecord.objects.filter(namespace=namespace, name__in=members[start : start + 500]).update(lost=None, seen=now)


def pardon(now: datetime.datetime) -> None:
    """The console itself was away: that nobody was connected says nothing, and every grace begins again."""
    WorkloadRecord.objects.exclude(lost=None).update(lost=now)


def expire(now: datetime.datetime, grace: float) -> list[Name]:
    """Take out what has been lost for longer than the grace (members of a group: than theirs; the audit log has who joined, and who is gone)."""
    with transaction.atomic():
        members = Q(lost__lt=now - datetime.timedelta(seconds=min(grace, MEMBERS_GRACE))) & ~Q(group="")
        gone = WorkloadRecord.objects.filter(members | Q(lost__lt=now - datetime.timedelta(seconds=grace)))
        found = list(gone.select_for_update().values_list("namespace", "name", "group", "lost"))  # two hubs sweep: one of them finds it
        if found:
            gone.delete()
            _next()
        for namespace, name, group, lost in found:
            if group and lost:
                what = f"WorkloadEntry {namespace}/{name} (WorkloadGroup {namespace}/{group})"
                audit.record(BY_ITSELF, "expire", what, f"-its agent was last there at {rfc3339(lost)}\n")
    return [(namespace, name) for namespace, name, _, _ in found]


def touch() -> None:
    """Something beside the workloads has changed that a snapshot holds: every hub makes a new one."""
    with transaction.atomic():
        _next()


def number() -> int:
    """Grows with each change; equal numbers, equal workloads."""
    return Head.objects.filter(pk=1).values_list("number", flat=True).first() or 0


_known: dict[tuple[int, int], Workload] = {}
_listed: tuple[int, list[Workload]] = (0, [])
_lock = threading.Lock()


def workloads() -> list[Workload]:
    """Every workload, by namespace and name. An unchanged one is the same object as last time."""
    global _listed
    at = number()  # asked before reading: the list may be newer than its number says, never older
    if at == _listed[0]:
        return list(_listed[1])
    wanted = list(WorkloadRecord.objects.order_by("namespace", "name").values_list("pk", "version"))
    with _lock:
        known = {key: found for key in wanted if (found := _known.get(key)) is not None}
    fresh = [pk for pk, version in wanted if (pk, version) not in known]
    for start in range(0, len(fresh), 500):
        for row in WorkloadRecord.objects.filter(pk__in=fresh[start : start + 500]):
            known[row.pk, row.version] = _model(row)
    with _lock:
        for key in known:
            known[key] = _known.setdefault(key, known[key])  # whoever was first: one object for all threads
        if len(_known) > 2 * len(wanted) + 100:
            _known.clear()
            _known.update(known)
        listed = [known[key] for key in wanted if key in known]
        _listed = (at, listed)
    return list(listed)


def health(name: Name) -> tuple[bool, str] | None:
    """Does it take requests, and what its agent said of it last."""
    return WorkloadRecord.objects.filter(namespace=name[0], name=name[1]).values_list("healthy", "health_reason").first()


def find(name: Name) -> Workload | None:
    row = WorkloadRecord.objects.filter(namespace=name[0], name=name[1]).first()
    return _model(row) if row else None


def services() -> list[Service]:
    """Those that workloads serve and those that resources declare, by host."""
    from .mesh import current

    return list(current().services)


def _body(spec: protocol.Workload) -> dict[str, Any]:
    """As it comes back from the database: lists, not tuples."""
    return dict(msgspec.json.decode(msgspec.json.encode(spec)))


def _model(row: WorkloadRecord) -> Workload:
    spec = msgspec.convert(row.spec, protocol.Workload)
    return workload.model(spec, healthy=row.healthy, created=rfc3339(row.created))


def _next() -> int:
    """The next number of the registry, in the transaction of the change; the news go out after its commit."""
    Head.objects.get_or_create(pk=1)
    before = Head.objects.select_for_update().get(pk=1).number
    # The time, not a count: a number that a rollback or a restored backup takes back is not given again to something else.
    found = max(before + 1, time.time_ns())
    Head.objects.filter(pk=1).update(number=found)
    transaction.on_commit(lambda: signals.changed.send(None, number=found))
    return found


def _by_namespace(names: Iterable[Name]) -> dict[str, list[str]]:
    result: dict[str, list[str]] = {}
    for namespace, name in names:
        result.setdefault(namespace, []).append(name)
    return result
