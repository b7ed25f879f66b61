"""
A hub's signs of life, and what the living do for the dead: their proxies are not connected any more, and graces run out.

`now` is the database's time, where none is given.
"""

import datetime
import os
import socket
from pathlib import Path

from django.conf import settings
from django.db import transaction

from meshconsole.discovery import registry

from . import clock
from .models import HubRecord, ProxyRecord

INTERVAL = 5.0
DEAD_AFTER = datetime.timedelta(seconds=20)
OUTAGE = datetime.timedelta(seconds=60)
"""Without any hub for so long, that an agent was not connected says nothing about it."""


def place() -> str:
    """Equal for two processes that could see each other's process ids."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{socket.gethostname()} {boot} {os.readlink('/proc/self/ns/pid')}"[:200]
    except OSError:
        return ""


def begin(hub: str, now: datetime.datetime | None = None) -> None:
    now = now or clock.read()
    here = place()
    for record in HubRecord.objects.exclude(place="").filter(place=here):
        if record.pid == os.getpid() or not _runs(record.pid):
            bury(record, now)
    HubRecord.objects.create(id=hub, started=now, beat=now, place=here, pid=os.getpid())
    _sweep(hub, now)


def beat(hub: str, revision: int, now: datetime.datetime | None = None) -> None:
    """Also comes back to life when others, or a restored database, had given it up."""
    now = now or clock.read()
    if HubRecord.objects.filter(pk=hub).update(beat=now) == 0:
        HubRecord.objects.create(id=hub, started=now, beat=now, revision=revision, place=place(), pid=os.getpid())
    _sweep(hub, now)


def end(hub: str) -> None:
    record = HubRecord.objects.filter(pk=hub).first()
    if record is not None:
        bury(record, clock.read())


def alive(now: datetime.datetime | None = None) -> dict[str, int]:
    """The living hubs and the revision that each has compiled."""
    now = now or clock.read()
    return dict(HubRecord.objects.filter(beat__gte=now - DEAD_AFTER).values_list("pk", "revision"))


def bury(record: HubRecord, now: datetime.datetime) -> None:
    with transaction.atomic():
        if HubRecord.objects.filter(pk=record.pk, beat=record.beat).delete()[0] == 0:
            return  # it lives, or another one was first
        proxies = ProxyRecord.objects.filter(hub=record.pk)
        names = list(proxies.values_list("namespace", "name"))
        proxies.update(connected=False, hub="", since=record.beat)
        registry.lose(names, now)


def _sweep(hub: str, now: datetime.datetime) -> None:
    others = list(HubRecord.objects.exclude(pk=hub))
    before = _before.get(hub)
    _before[hub] = now
    # Nobody was up before me; or all of us were asleep (a laptop's lid).
    if (before is None and not any(o.beat >= now - OUTAGE for o in others)) or (before is not None and now - before > OUTAGE):
        registry.pardon(now)
    for other in others:
        if other.beat < now - DEAD_AFTER:
            bury(other, now)
    for namespace, name in registry.expire(now, settings.ENDPOINT_GRACE):
        ProxyRecord.objects.filter(namespace=namespace, name=name, connected=False).delete()


_before: dict[str, datetime.datetime] = {}
"""When this process swept last."""


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
