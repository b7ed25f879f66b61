"""
One write of the store: what is wanted of some resources is compared with what is stored, checked, and becomes a revision.

`store` says what is wanted; this is how it comes to be. All or nothing: whatever is refused leaves no trace. The slow part,
planning, holds no lock; its result is committed as it is when nobody wrote meanwhile, and is planned again under the lock otherwise.
"""

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, cast

from django.db import transaction
from django.utils import timezone

from meshconsole.accounts import audit
from meshconsole.accounts.author import Author
from meshconsole.accounts.permissions import Verb
from meshconsole.core import analysis
from meshconsole.core.mesh.model import Workload
from meshconsole.core.policies.base import Policy
from meshconsole.core.resources.catalogue import UNSTORABLE
from meshconsole.core.resources.messages import Invalid, Key, Level, Message

from . import loading, mesh, signals
from .body import unified, unstorable
from .models import Change, Head, Resource, Revision, rfc3339
from .refusals import Conflict, Forbidden, because

LATER = frozenset({"IST0101", "IST0145", "IST0173"})
"""Findings that are warnings here: what a policy refers to may be registered a moment later, files are applied in any order (IST0101); a
subset's workloads may start after its rule (IST0173); and Gateways that share a port and a host are merged, as in Istio (IST0145)."""


@dataclass(frozen=True)
class Wanted:
    """How one resource is to be. `body` None: gone."""

    body: dict[str, Any] | None
    policy: Policy | None = None
    resource_version: str | None = None
    """When given, the stored one must be this."""
    uid: str | None = None
    """When given, the stored one must be this; a resource that comes back by rollback gets it."""
    created: datetime | None = None
    """The age that a resource which comes back had."""
    generation: int = 0
    must_exist: bool | None = None
    """True: only ever an update; False: only ever a creation."""


@dataclass(frozen=True)
class ChangeView:
    """What was done (or, on a dry run, would be) to one resource. Bodies as JSON; None where it is not there."""

    key: Key
    operation: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None

    @property
    def diff(self) -> str:
        return unified(self.before, self.after, str(self.key))


@dataclass(frozen=True)
class Applied:
    revision: int | None
    """None: nothing differed from what is stored, or this was a dry run."""
    changes: list[ChangeView]
    messages: list[Message] = field(default_factory=list)
    """Warnings and infos."""
    unchanged: list[Key] = field(default_factory=list)
    """Stored just so already."""


def rows(keys: Iterable[Key]) -> dict[Key, Resource]:
    """The stored ones among `keys`."""
    names: dict[tuple[str, str, str], set[str]] = {}
    for key in keys:
        names.setdefault((key.group, key.kind, key.namespace), set()).add(key.name)
    found: dict[Key, Resource] = {}
    for (group, kind, namespace), wanted in names.items():
        for row in Resource.objects.filter(group=group, kind=kind, namespace=namespace, name__in=wanted):
            found[row.key] = row
    return found


def write(
    want: Callable[[], Mapping[Key, Wanted]], *, author: Author, message: str, dry_run: bool, messages: Iterable[Message] = ()
) -> Applied:
    """Make it so. `want` reads the store to say what is wanted, and may be asked twice."""
    seen = latest()
    plan = _plan(want(), author)
    said = [*messages, *plan.messages]
    if dry_run or not plan.changes:
        return Applied(None, plan.views, said, plan.unchanged)
    with transaction.atomic():
        if _lock() != seen:
            plan = _plan(want(), author)
            said = [*messages, *plan.messages]
        if not plan.changes:
            return Applied(None, [], said, plan.unchanged)
        return Applied(_commit(plan, author, message), plan.views, said, plan.unchanged)


def latest() -> int:
    """The newest revision's number; 0 before the first."""
    return Head.objects.filter(pk=1).values_list("revision", flat=True).first() or 0


def _lock() -> int:
    """Writers follow each other, so a revision's number is its place in history. (SQLite: the transaction, being IMMEDIATE, has the lock.)"""
    Head.objects.get_or_create(pk=1)
    return Head.objects.select_for_update().get(pk=1).revision


@dataclass(frozen=True)
class _Plan:
    changes: Mapping[Key, Wanted]
    stored: Mapping[Key, Resource]
    views: list[ChangeView]
    messages: list[Message]
    unchanged: list[Key]


def _plan(wanted: Mapping[Key, Wanted], author: Author) -> _Plan:
    documents = {key: i for i, key in enumerate(wanted)}
    stored = rows(wanted)
    _may(wanted, stored, author, documents)
    _fresh(wanted, stored, documents)
    changes = {key: w for key, w in wanted.items() if _differs(w, stored.get(key))}
    _storable(changes, documents)
    found = _analyse(changes, stored, documents) if changes else []
    views = [_view(key, w, stored.get(key)) for key, w in changes.items()]
    return _Plan(changes, stored, views, found, [key for key in wanted if key not in changes])


def _commit(plan: _Plan, author: Author, message: str) -> int:
    now = timezone.now()
    number = latest() + 1
    Head.objects.filter(pk=1).update(revision=number)
    revision = Revision.objects.create(
        number=number, created=now, author=author.user, door=author.door, from_address=author.address, message=message
    )
    Change.objects.bulk_create([_store(key, w, plan.stored.get(key), revision) for key, w in plan.changes.items()])
    for view in plan.views:
        audit.record(author, view.operation, str(view.key), view.diff)
    transaction.on_commit(partial(signals.committed.send, sender=None, revision=number))
    return number


def _may(wanted: Mapping[Key, Wanted], stored: Mapping[Key, Resource], author: Author, documents: Mapping[Key, int]) -> None:
    denied = []
    for key, w in wanted.items():
        verb = Verb.DELETE if w.body is None else Verb.UPDATE if key in stored else Verb.CREATE
        if not author.may(verb, key.kind, key.namespace):
            text = f"{author.user} may not {verb} {key.kind} resources in namespace {key.namespace}"
            denied.append(because("MSH0403", key, text, path="metadata.namespace", document=documents[key]))
    if denied:
        raise Forbidden(denied)


def _fresh(wanted: Mapping[Key, Wanted], stored: Mapping[Key, Resource], documents: Mapping[Key, int]) -> None:
    """Optimistic concurrency: refuse what was decided on an older state than the stored one."""
    stale = []
    for key, w in wanted.items():
        row, text, path = stored.get(key), "", "metadata.resourceVersion"
        if row is None and w.must_exist:
            text = "it does not exist any more"
        elif row is not None and w.must_exist is False:
            text, path = "it exists already", "metadata.name"
        elif w.resource_version:
            if row is None:
                text = f"it was deleted since resourceVersion {w.resource_version}"
            elif w.resource_version != str(row.resource_version):
                text = f"it was changed since: its resourceVersion is {row.resource_version}, not {w.resource_version}; get it again, then change it"
        if not text and w.uid and row is not None and w.uid != row.uid and w.created is None:
            text, path = f"it is another one than {w.uid}: it was deleted and made again since", "metadata.uid"
        if text:
            stale.append(because("MSH0409", key, text, path=path, document=documents[key]))
    if stale:
        raise Conflict(stale)


def _differs(w: Wanted, row: Resource | None) -> bool:
    if row is None:
        return w.body is not None
    # All versions of a kind have one schema: writing the same by another version's URL changes nothing.
    return w.body is None or {**w.body, "apiVersion": ""} != {**row.body, "apiVersion": ""}


def _storable(changes: Mapping[Key, Wanted], documents: Mapping[Key, int]) -> None:
    if bad := [
        because(UNSTORABLE, key, why, document=documents[key])
        for key, w in changes.items()
        if w.body is not None and (why := unstorable(w.body))
    ]:
        raise Invalid(bad)


def _analyse(changes: Mapping[Key, Wanted], stored: Mapping[Key, Resource], documents: Mapping[Key, int]) -> list[Message]:
    """What analysis says of the changed resources amid all others. Raises Invalid for errors that this change would bring."""
    now = timezone.now()
    before = {p.key: p for p in loading.parsed()}
    after = dict(before)
    for key, w in changes.items():
        after.pop(key, None)
        if w.policy is not None:
            after[key] = _aged(w.policy, stored[key].created if key in stored else w.created or now)
    workloads: list[Workload] = []
    for _, answer in signals.analysing.send(None):
        workloads += cast("list[Workload]", answer)
    found = analysis.analyze(list(after.values()), workloads or None, mesh.config())
    written = [w.policy for w in changes.values() if w.policy is not None]
    lapsing = [m for policy in written for m in policy.dated(now)]
    for _, said in signals.examining.send(None, policies=written):
        lapsing += cast("list[Message]", said)
    concerned = [_softened(replace(m, document=documents[m.key])) for m in (*found, *lapsing) if m.key is not None and m.key in changes]
    errors = [m for m in concerned if m.level == Level.ERROR]
    if errors:
        known = {(m.key, m.code, m.text) for m in analysis.analyze(list(before.values()), workloads or None, mesh.config())}
        if [m for m in errors if (m.key, m.code, m.text) not in known]:
            raise Invalid(concerned)
    return concerned


def _softened(message: Message) -> Message:
    return replace(message, level=Level.WARNING) if message.code in LATER and message.level == Level.ERROR else message


def _aged(policy: Policy, created: datetime) -> Policy:
    metadata = policy.metadata.model_copy(update={"creation_timestamp": rfc3339(created)})
    return policy.model_copy(update={"metadata": metadata})


def _meaning(body: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in body.items() if k not in ("apiVersion", "metadata")}


def _view(key: Key, w: Wanted, row: Resource | None) -> ChangeView:
    operation = Change.Operation.DELETE if w.body is None else Change.Operation.UPDATE if row else Change.Operation.CREATE
    return ChangeView(key, operation.value, row.body if row else None, w.body)


def _store(key: Key, w: Wanted, row: Resource | None, revision: Revision) -> Change:
    before = row.body if row else None
    if w.body is None:
        assert row is not None
        row.delete()
    elif row is None:
        row = Resource.objects.create(
            group=key.group,
            version=w.body["apiVersion"].rpartition("/")[2],
            kind=key.kind,
            namespace=key.namespace,
            name=key.name,
            body=w.body,
            labels=w.body["metadata"].get("labels", {}),
            created=w.created or revision.created,
            uid=w.uid if w.created and w.uid else str(uuid.uuid4()),
            generation=w.generation + 1,
            resource_version=revision.number,
        )
    else:
        # As in Kubernetes, generation counts what was wanted, and labels or annotations want nothing.
        row.generation += _meaning(row.body) != _meaning(w.body)
        row.version = w.body["apiVersion"].rpartition("/")[2]
        row.body, row.labels, row.resource_version = w.body, w.body["metadata"].get("labels", {}), revision.number
        row.save()
    return Change(
        revision=revision,
        group=key.group,
        kind=key.kind,
        namespace=key.namespace,
        name=key.name,
        operation=Change.Operation.DELETE if w.body is None else Change.Operation.UPDATE if before else Change.Operation.CREATE,
        before=before,
        after=w.body,
        resource_created=row.created,
        uid=row.uid,
        generation=row.generation,
    )
