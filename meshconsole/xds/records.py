"""
What the hub knows of its proxies, written to the database in batches: a thousand ACKs are a few queries.

A proxy's row is written whole when it connects or asks for more, and otherwise only its sync columns, grouped by value. That a revision
did not concern a proxy is written nowhere: its row says what it still lacks, and the hub's row up to which revision that is known.
"""

import datetime
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.utils import timezone

from meshconsole.discovery import registry
from telemetry.storable import storable

from .link import Link
from .models import HubRecord, ProxyRecord

log = logging.getLogger(__name__)

CHUNK = 500
COLUMNS = ("state", "pending_from", "pending_to", "taken_from", "taken_to", "synced_revision", "nacked_revision")
Sync = tuple[str, int | None, int | None, int | None, int | None, int, int | None]
"""COLUMNS' values."""


@dataclass
class Batch:
    """News since the last write, as values: whoever made it may go on."""

    revision: int = 0
    whole: dict[str, ProxyRecord] = field(default_factory=dict)
    sync: dict[str, tuple[Sync, dict[str, Any], dict[str, int], str, bool, dict[str, str]]] = field(default_factory=dict)
    """id -> sync columns, problems, resources, told, acked, unbound"""
    gone: dict[str, datetime.datetime] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)
    """Those of `gone` that said goodbye."""

    def __bool__(self) -> bool:
        return bool(self.whole or self.sync or self.gone or self.revision)

    def before(self, newer: "Batch") -> "Batch":
        """This one could not be written: together with what came meanwhile."""
        merged = Batch(max(self.revision, newer.revision), dict(self.whole), dict(self.sync), dict(self.gone), set(self.left))
        for proxy_id, row in newer.whole.items():
            merged.put_whole(row)
            merged.whole[proxy_id] = row
        merged.sync |= newer.sync
        for proxy_id, at in newer.gone.items():
            merged.put_gone(proxy_id, at, goodbye=proxy_id in newer.left)
        return merged

    def put_whole(self, row: ProxyRecord) -> None:
        self.gone.pop(row.pk, None)
        self.left.discard(row.pk)
        self.sync.pop(row.pk, None)
        self.whole[row.pk] = row

    def put_gone(self, proxy_id: str, at: datetime.datetime, *, goodbye: bool) -> None:
        self.sync.pop(proxy_id, None)
        self.gone[proxy_id] = at  # after `whole`, which stays: whoever came and went at once was here, and is lost now
        if goodbye:
            self.left.add(proxy_id)


def row(link: Link, hub: str) -> ProxyRecord:
    facts, envoy = link.facts, link.envoy
    return ProxyRecord(
        id=facts.proxy_id,
        namespace=facts.namespace,
        name=facts.name,
        kind=facts.kind,
        service_account=facts.service_account,
        hub=hub,
        connected=True,
        since=facts.since,
        address=facts.address[:64],
        agent_version=storable(facts.agent_version, 40),
        envoy_version=storable(facts.envoy_version, 80),
        serial=facts.serial,
        problems=_problems(link),
        resources=link.counts,
        acked_at=timezone.now() if link.synced_revision or link.in_sync else None,
        told=link.told,
        bundle=storable(facts.bundle, 32),
        taken=storable(facts.taken, 40),
        hosts=sorted(link.demand.hosts),
        clusters=sorted(link.demand.clusters),
        **dict(zip(COLUMNS, sync(link), strict=True)),
        envoy_running=envoy.running if envoy else None,
        envoy_restarts=max(0, min(envoy.restarts, 2**31 - 1)) if envoy else 0,
        envoy_reason=storable(envoy.reason, 300) if envoy else "",
        unbound=link.lacking,
    )


def sync(link: Link) -> Sync:
    return (str(link.state), link.pending_from, link.pending_to, *link.taken, link.synced_revision, link.nacked_revision)


def _problems(link: Link) -> dict[str, Any]:
    return {"": {"error": link.compile_error, "policies": []}} if link.compile_error else link.problems


def put(batch: Batch, links: Iterable[Link], hub: str) -> None:
    """The present state of these, into a batch that is about to be written."""
    for link in links:
        proxy_id = link.facts.proxy_id
        if proxy_id in batch.whole:
            batch.whole[proxy_id] = row(link, hub)
        elif proxy_id not in batch.gone:
            batch.sync[proxy_id] = (sync(link), _problems(link), link.counts, link.told, link.in_sync, link.lacking)


_WHOLE = [f.name for f in ProxyRecord._meta.concrete_fields if not f.primary_key]


def write(hub: str, batch: Batch, now: datetime.datetime) -> None:
    """One transaction. Raises what the database raises."""
    with transaction.atomic():
        rows = list(batch.whole.values())
        if rows:
            ProxyRecord.objects.bulk_create(rows, CHUNK, update_conflicts=True, update_fields=_WHOLE, unique_fields=["id"])
            # A late 'lost' of the connection before must not stand.
            registry.found([(record.namespace, record.name) for record in rows], now)
        groups: dict[Any, list[str]] = {}
        for proxy_id, (columns, problems, resources, told, acked, lacking) in batch.sync.items():
            key = (columns, repr(problems), repr(resources), told, acked, repr(lacking))
            groups.setdefault(key, []).append(proxy_id)
        for (columns, _, _, told, acked, _), ids in groups.items():
            values = dict(zip(COLUMNS, columns, strict=True))
            values |= {
                "problems": batch.sync[ids[0]][1],
                "resources": batch.sync[ids[0]][2],
                "told": told,
                "unbound": batch.sync[ids[0]][5],
            }
            if acked:
                values["acked_at"] = now
            for chunk in _chunks(ids):
                ProxyRecord.objects.filter(pk__in=chunk, hub=hub).update(**values)
        for chunk in _chunks(batch.gone):
            mine = ProxyRecord.objects.filter(pk__in=chunk, hub=hub)
            names = list(mine.values_list("pk", "namespace", "name"))
            mine.update(connected=False, hub="", since=now)
            registry.lose([(namespace, name) for pk, namespace, name in names if pk not in batch.left], now)
        if batch.revision:
            HubRecord.objects.filter(pk=hub, revision__lt=batch.revision).update(revision=batch.revision)


def _chunks(items: Iterable[str]) -> list[list[str]]:
    items = list(items)
    return [items[i : i + CHUNK] for i in range(0, len(items), CHUNK)]
