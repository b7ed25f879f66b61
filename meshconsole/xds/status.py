"""The sync status of proxies and revisions, as any process can read it from the database."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, field

from . import beats, unbound
from .models import ProxyRecord

State = ProxyRecord.State


@dataclass(frozen=True)
class TypeStatus:
    state: str
    """SYNCED, STALE, NACKED or NEVER_CONNECTED."""
    resources: int = 0
    error: str = ""
    """Envoy's own sentence."""
    policies: tuple[str, ...] = ()
    """The policies that what was refused came from: `VirtualService default/reviews`."""


@dataclass(frozen=True)
class ProxyStatus:
    id: str
    namespace: str
    name: str
    kind: str
    service_account: str
    connected: bool
    since: datetime.datetime | None
    """Connected, or lost, since."""
    state: str
    types: dict[str, TypeStatus]
    error: str
    policies: tuple[str, ...]
    address: str
    agent_version: str
    envoy_version: str
    certificate: str
    """Its serial."""
    synced_revision: int
    nacked_revision: int | None
    acked_at: datetime.datetime | None
    envoy_running: bool | None
    envoy_restarts: int
    envoy_reason: str
    demand: tuple[str, ...] = ()
    unbound: dict[str, str] = field(default_factory=dict)
    """Outbound listeners (`<address>_<port>`) that it goes without -> why; they are tried again every minute."""
    warning: str = ""
    """The same in a sentence."""
    proxy_id: str = ""
    """`id` by its full name."""


@dataclass(frozen=True)
class RevisionStatus:
    state: str
    """programmed: every connected proxy concerned has taken it. pending: some have not answered. failed: some refused it."""
    connected: int
    """Proxies connected at all."""
    total: int = 0
    """Those concerned, as far as is known: the revisions of each proxy's last ACK are remembered, not all that were ever."""
    synced: int = 0
    nacked: int = 0
    proxies: list[ProxyStatus] = field(default_factory=list)
    """Those concerned, who lack it first; SHOWN at most."""


SHOWN = 200


def proxies(namespace: str | None = None, namespaces: Iterable[str] | None = None) -> list[ProxyStatus]:
    found = ProxyRecord.objects.all()
    if namespace is not None:
        found = found.filter(namespace=namespace)
    if namespaces is not None:
        found = found.filter(namespace__in=list(namespaces))
    alive = beats.alive()
    return [_status(record, alive) for record in found]


def proxy(proxy_id: str) -> ProxyStatus | None:
    record = ProxyRecord.objects.filter(pk=proxy_id).first()
    return _status(record, beats.alive()) if record else None


def revision_status(number: int) -> RevisionStatus:
    """What `apply --wait` waits for."""
    alive = beats.alive()
    held = ProxyRecord.objects.filter(connected=True, hub__in=alive)
    # The hubs were read first: one that says 'compiled' has written beforehand what its proxies lack.
    lacking = list(held.filter(pending_from__lte=number, pending_to__gte=number).order_by("nacked_revision", "pk"))
    taken = held.filter(taken_from__lte=number, taken_to__gte=number).exclude(pending_from__lte=number, pending_to__gte=number)
    nacked = [r for r in lacking if r.nacked_revision is not None and r.nacked_revision >= number]
    behind = [hub for hub, revision in alive.items() if revision < number]
    synced = taken.count()
    shown = [*nacked, *(r for r in lacking if r not in nacked)][:SHOWN]
    shown += taken[: SHOWN - len(shown)]
    state = "failed" if nacked else "pending" if lacking or behind else "programmed"
    return RevisionStatus(state, held.count(), len(lacking) + synced, synced, len(nacked), [_status(r, alive) for r in shown])


def revision_states(numbers: Iterable[int]) -> dict[int, str]:
    """The states of many revisions at once, by two queries: what a list of resources shows."""
    alive = beats.alive()
    held = ProxyRecord.objects.filter(connected=True, hub__in=alive, pending_from__isnull=False)
    lacking = list(held.values_list("pending_from", "pending_to", "nacked_revision"))
    compiled = min(alive.values(), default=None)
    found = {}
    for number in set(numbers):
        nacks = [nacked for first, last, nacked in lacking if first is not None and first <= number and (last is None or number <= last)]
        if any(nacked is not None and nacked >= number for nacked in nacks):
            found[number] = "failed"
        else:
            found[number] = "pending" if nacks or (compiled is not None and compiled < number) else "programmed"
    return found


def _status(record: ProxyRecord, alive: dict[str, int]) -> ProxyStatus:
    connected = record.connected and record.hub in alive
    state = record.state
    if record.acked_at is None and state == State.STALE and not connected:
        state = State.NEVER_CONNECTED
    elif not connected and state == State.SYNCED:
        state = State.STALE  # what it lacks by now nobody knows
    synced = max(record.synced_revision, alive[record.hub]) if connected and record.pending_from is None else record.synced_revision
    errors = {t: p.get("error", "") for t, p in record.problems.items()}
    policies = tuple(dict.fromkeys(name for p in record.problems.values() for name in p.get("policies", ())))
    types = {}
    for type_ in sorted({*record.resources, *(t for t in record.problems if t)}):
        problem = record.problems.get(type_)
        of_type = str(State.NACKED) if problem else str(state if state != State.NACKED else State.SYNCED)
        types[type_] = TypeStatus(
            of_type, record.resources.get(type_, 0), problem["error"] if problem else "", tuple(problem["policies"]) if problem else ()
        )
    return ProxyStatus(
        id=record.pk,
        namespace=record.namespace,
        name=record.name,
        kind=record.kind,
        service_account=record.service_account,
        connected=connected,
        since=record.since,
        state=str(state),
        types=types,
        error="; ".join(f"{t}: {e}" if t else e for t, e in errors.items()),
        policies=policies,
        address=record.address,
        agent_version=record.agent_version,
        envoy_version=record.envoy_version,
        certificate=record.serial,
        synced_revision=synced,
        nacked_revision=record.nacked_revision,
        acked_at=record.acked_at,
        envoy_running=record.envoy_running,
        envoy_restarts=record.envoy_restarts,
        envoy_reason=record.envoy_reason,
        demand=tuple(record.hosts),
        unbound=record.unbound,
        warning=f"cannot listen at {unbound.sentence(record.unbound)}" if record.unbound else "",
        proxy_id=record.pk,
    )
