"""
The audit log: who did what, when, from where, through which door. Append-only and hash-chained.

Each entry's digest covers its fields and the digest of the entry before it, so that whoever edits or removes
an old entry must rewrite every later one, and does not match the head that an auditor wrote down.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from asgiref.sync import sync_to_async
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from .author import Author
from .models import AuditEntry, AuditHead

BATCH = 500
MAX_DIFF = 100_000
"""Characters of a diff that are kept: the whole change is in the configuration store's history anyway."""


COVERED = ("number", "at", "who", "door", "address", "action", "object", "diff", "previous")
"""What an entry's digest is made of, in this order."""


def _digest(entry: AuditEntry) -> str:
    return _hash([getattr(entry, name) for name in COVERED])


def _hash(fields: list[Any]) -> str:
    said = [fields[0], fields[1].isoformat(timespec="microseconds"), *fields[2:]]
    return hashlib.sha256(json.dumps(said, ensure_ascii=True, separators=(",", ":")).encode()).hexdigest()


@transaction.atomic
def record(author: Author, action: str, object: str, diff: str = "") -> AuditEntry:
    """Add an entry; in the transaction of what it tells about, so that there is never one without the other."""
    AuditHead.objects.get_or_create(pk=1)
    head = AuditHead.objects.select_for_update().get(pk=1)
    entry = AuditEntry(
        number=head.number + 1,
        at=timezone.now(),
        who=author.user,
        door=author.door,
        address=author.address,
        action=action,
        object=object[:600],
        diff=diff if len(diff) <= MAX_DIFF else diff[:MAX_DIFF] + "\n… cut\n",
        previous=head.digest,
    )
    entry.digest = _digest(entry)
    entry.save(force_insert=True)
    AuditHead.objects.filter(pk=1).update(number=entry.number, digest=entry.digest)
    return entry


@dataclass(frozen=True)
class Filter:
    """Which entries; what is empty is not asked for."""

    who: str = ""
    action: str = ""
    door: str = ""
    object: str = ""
    """Part of the object's name."""
    namespace: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def rows(self) -> QuerySet[AuditEntry]:
        found = AuditEntry.objects.all()
        for field in ("who", "action", "door"):
            if value := getattr(self, field):
                found = found.filter(**{field: value})
        if self.object:
            found = found.filter(object__icontains=self.object)
        if self.namespace:  # objects are told as `Kind namespace/name`, or `Silence 7 of namespace`
            found = found.filter(Q(object__contains=f" {self.namespace}/") | Q(object__endswith=f" of {self.namespace}"))
        if self.since:
            found = found.filter(at__gte=self.since)
        if self.until:
            found = found.filter(at__lt=self.until)
        return found


def entries(
    *, limit: int = 100, before: int | None = None, who: str = "", object: str = "", asked: Filter | None = None
) -> list[AuditEntry]:  # fmt: skip
    """Newest first."""
    found = (asked or Filter(who=who, object=object)).rows()
    if before is not None:
        found = found.filter(number__lt=before)
    return list(found[:limit])


def actions() -> list[str]:
    return list(AuditEntry.objects.order_by("action").values_list("action", flat=True).distinct())


FIELDS = (*COVERED, "digest")


def line(entry: AuditEntry) -> str:
    """An entry as a line of JSON: with these fields anybody can compute its digest again (docs/audit.md says how)."""
    said = {name: getattr(entry, name) for name in FIELDS} | {"at": entry.at.isoformat(timespec="microseconds")}
    return json.dumps(said, ensure_ascii=False) + "\n"


async def lines(asked: Filter) -> AsyncIterator[str]:
    """The oldest first, some hundred at a time: an export never holds the whole log."""
    after = 0
    while True:
        batch = await sync_to_async(lambda after=after: list(asked.rows().filter(number__gt=after).order_by("number")[:BATCH]))()
        if not batch:
            return
        yield "".join(map(line, batch))
        after = batch[-1].number


def head() -> tuple[int, str]:
    """The newest entry's number and digest: whoever writes it down elsewhere can tell later that nothing before it was changed."""
    found = AuditHead.objects.filter(pk=1).first()
    return (found.number, found.digest) if found else (0, "")


@dataclass(frozen=True)
class Verdict:
    entries: int
    digest: str
    broken: tuple[str, ...]


def verify(number: int = 0, digest: str = "", most: int = 100) -> Verdict:
    """Go over the whole chain; with the head that somebody wrote down earlier, that it is still a part of it. Up to `most` sentences."""
    found = list(islice(broken(), most))
    if number:
        kept = AuditEntry.objects.filter(number=number).values_list("digest", flat=True).first()
        if kept != digest:
            found.append(
                f"entry {number} is not the one that was written down" if kept else f"entry {number}, which was written down, is gone"
            )
    return Verdict(head()[0], head()[1], tuple(found))


def broken() -> Iterator[str]:
    """What is wrong with the chain, one sentence each; nothing when it is whole. Rows as tuples: objects of them take three times as long."""
    head = AuditHead.objects.filter(pk=1).first()
    number, previous = 0, ""
    for *fields, digest in AuditEntry.objects.order_by("number").values_list(*COVERED, "digest").iterator(chunk_size=2000):
        if fields[0] != number + 1:
            yield f"entry {number + 1} is missing"
        elif fields[-1] != previous:
            yield f"entry {fields[0]} does not follow entry {number}"
        if digest != _hash(fields):
            yield f"entry {fields[0]} was changed after it was written"
        number, previous = fields[0], digest
    if head is not None and (head.number, head.digest) != (number, previous):
        yield f"the log ends at entry {number}, but entry {head.number} had been written"
