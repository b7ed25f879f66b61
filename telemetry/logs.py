"""The only door by which access-log records are read. Its counterpart is logstore.py."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from .accesslog import Record
from .denials import names
from .models import AccessRecord

__all__ = ["Asked", "Entry", "Found", "Record", "one", "search"]

MOST = 1000


@dataclass(frozen=True)
class Asked:
    """What is looked for; what is empty does not narrow."""

    namespaces: Collection[str] | None = None
    """Of the proxy that tells; None: any."""
    workload: str = ""
    """`name` or `namespace/name`, at either end."""
    service: str = ""
    """Fully qualified or its first word."""
    code: str = ""
    """`503`, `5xx`, `>=400`, `0`."""
    flag: str = ""
    policy: str = ""
    """`[Kind ]namespace/name`, or a name."""
    trace: str = ""
    path: str = ""
    """A part of the path."""
    reporter: str = ""
    denied: bool = False
    would: bool = False
    min_ms: int = 0

    def problems(self) -> Iterator[str]:
        if self.code and _code(self.code) is None:
            yield f"code: {self.code!r} is none of 503, 5xx, >=400"
        if self.reporter not in ("", "source", "destination"):
            yield f"reporter: {self.reporter!r} is neither source nor destination"


@dataclass(frozen=True)
class Entry:
    id: int
    record: Record


@dataclass(frozen=True)
class Found:
    entries: tuple[Entry, ...]
    """Newest first."""
    more: bool


def search(asked: Asked, start: float, end: float, *, limit: int = 100, after: int = 0) -> Found:
    """Records that began in [start, end) (unix seconds). `after`: an entry's id, for what came later than it."""
    rows = _rows(asked).filter(at__gte=int(start * 1e6), at__lt=int(end * 1e6))
    if after:
        rows = rows.filter(id__gt=after)
    limit = min(limit, MOST)
    found = list(rows.order_by("-at", "-id")[: limit + 1])
    return Found(tuple(map(_entry, found[:limit])), len(found) > limit)


def records(asked: Asked, start: float, end: float, most: int) -> list[Record]:
    """The newest, for sums."""
    rows = _rows(asked).filter(at__gte=int(start * 1e6), at__lt=int(end * 1e6)).order_by("-at", "-id")[:most]
    return [_entry(row).record for row in rows]


def one(id: int, namespaces: Collection[str] | None = None) -> Entry | None:
    row = _rows(Asked(namespaces=namespaces)).filter(id=id).first()
    return _entry(row) if row else None


def _rows(asked: Asked) -> QuerySet[AccessRecord]:
    rows = AccessRecord.objects.all()
    if asked.namespaces is not None:
        rows = rows.filter(namespace__in=list(asked.namespaces))
    if asked.workload:
        namespace, slash, name = asked.workload.rpartition("/")
        own, peer = Q(workload=name), Q(peer=name)
        if slash:
            own, peer = own & Q(namespace=namespace), peer & Q(peer_namespace=namespace)
        rows = rows.filter(own | peer)
    if asked.service:
        rows = rows.filter(Q(service=asked.service) | Q(service__startswith=f"{asked.service}."))
    if asked.code and (between := _code(asked.code)):
        rows = rows.filter(code__gte=between[0], code__lte=between[1])
    if asked.flag:
        rows = rows.filter(flags__contains=f",{asked.flag.upper()},")
    if asked.policy:
        rows = rows.filter(_by_policy(asked.policy))
    if asked.trace:
        rows = rows.filter(trace=asked.trace.lower())
    if asked.path:
        rows = rows.filter(said__path__icontains=asked.path)
    if asked.reporter:
        rows = rows.filter(reporter=asked.reporter)
    if asked.denied:
        rows = rows.exclude(denied="")
    if asked.would:
        rows = rows.exclude(would="")
    if asked.min_ms > 0:
        rows = rows.filter(ms__gte=asked.min_ms)
    return rows


def _by_policy(text: str) -> Q:
    name = text.rpartition(" ")[2]
    if " " in text:
        return Q(policies__contains=f",{text},") | Q(would__contains=f",{name},")
    sign = f" {text}," if "/" in text else f"/{text},"
    return Q(policies__contains=sign) | Q(would__contains=f",{text}," if "/" in text else sign)


def _code(text: str) -> tuple[int, int] | None:
    text = text.strip().lower()
    if text.isascii() and text.isdigit() and len(text) < 4:
        return int(text), int(text)
    if len(text) == 3 and text[0].isdigit() and text.endswith("xx"):
        return int(text[0]) * 100, int(text[0]) * 100 + 99
    number = text.removeprefix(">=").removesuffix("+")
    if number != text and number.isascii() and number.isdigit() and len(number) < 4:
        return int(number), 999
    return None


def _entry(row: Any) -> Entry:
    return Entry(
        row.id,
        Record(
            at=row.at,
            reporter=row.reporter,
            namespace=row.namespace,
            workload=row.workload,
            service=row.service,
            peer_namespace=row.peer_namespace,
            peer=row.peer,
            protocol=row.protocol,
            code=row.code,
            flags=row.flags.strip(","),
            ms=row.ms,
            trace=row.trace,
            denied=row.denied,
            would=row.would.strip(","),
            policies=names(row.policies.strip(",").replace(",", ", ")),
            said=row.said,
        ),
    )
