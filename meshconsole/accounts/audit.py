"""
The audit log: who did what, when, from where, through which door. Append-only and hash-chained.

Each entry's digest covers its fields and the digest of the entry before it, so that whoever edits or removes
an old entry must rewrite every later one, and does not match the head that an auditor wrote down.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator

from django.db import transaction
from django.utils import timezone

from .author import Author
from .models import AuditEntry, AuditHead

MAX_DIFF = 100_000
"""Characters of a diff that are kept: the whole change is in the configuration store's history anyway."""


def _digest(entry: AuditEntry) -> str:
    at = entry.at.isoformat(timespec="microseconds")
    fields = [entry.number, at, entry.who, entry.door, entry.address, entry.action, entry.object, entry.diff, entry.previous]
    return hashlib.sha256(json.dumps(fields, ensure_ascii=True, separators=(",", ":")).encode()).hexdigest()


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


def entries(*, limit: int = 100, before: int | None = None, who: str = "", object: str = "") -> list[AuditEntry]:
    """Newest first."""
    found = AuditEntry.objects.all()
    if before is not None:
        found = found.filter(number__lt=before)
    if who:
        found = found.filter(who=who)
    if object:
        found = found.filter(object__contains=object)
    return list(found[:limit])


def broken(chain: Iterable[AuditEntry] | None = None) -> Iterator[str]:
    """What is wrong with the chain, one sentence each; nothing when it is whole."""
    head = None
    if chain is None:
        head = AuditHead.objects.filter(pk=1).first()
        chain = AuditEntry.objects.order_by("number").iterator(chunk_size=500)
    number, previous = 0, ""
    for entry in chain:
        if entry.number != number + 1:
            yield f"entry {number + 1} is missing"
        elif entry.previous != previous:
            yield f"entry {entry.number} does not follow entry {number}"
        if entry.digest != _digest(entry):
            yield f"entry {entry.number} was changed after it was written"
        number, previous = entry.number, entry.digest
    if head is not None and (head.number, head.digest) != (number, previous):
        yield f"the log ends at entry {number}, but entry {head.number} had been written"
