"""
The store of everything users say; the only writer of its tables.

`apply`, `delete`, `rollback`, `rollback_revision` and `restore` each commit at most one revision, or raise `Invalid`, `Forbidden`,
`Conflict` or `Missing` with every reason and store nothing. After the commit `signals.committed` is sent.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from meshconsole.accounts.author import Author
from meshconsole.accounts.permissions import Verb
from meshconsole.core import policies as door
from meshconsole.core.policies.base import Policy
from meshconsole.core.resources.catalogue import DUPLICATE
from meshconsole.core.resources.messages import Invalid, Key, Message

from . import loading, sealing, selector
from .body import body
from .models import Change, Resource, Revision
from .refusals import Conflict, Forbidden, Missing, Refused, because
from .writing import Applied, ChangeView, Wanted, latest, rows, write

__all__ = [
    "Applied",
    "Author",
    "ChangeView",
    "Conflict",
    "Forbidden",
    "Missing",
    "Refused",
    "apply",
    "delete",
    "get",
    "history",
    "latest",
    "list_",
    "resources",
    "restore",
    "revision",
    "revisions",
    "rollback",
    "rollback_revision",
]


def apply(
    policies: Sequence[Policy],
    *,
    author: Author,
    message: str = "",
    dry_run: bool = False,
    messages: Iterable[Message] = (),
    must_exist: bool | None = None,
) -> Applied:
    """
    Store these, all or none. What is stored already just so makes no change; `metadata.resourceVersion`, where given, must be the stored one.

    `messages` are what the door (`core.policies.parse`) had to say; they come back in the answer. `must_exist` False only creates, True only updates.
    """
    wanted: dict[Key, Wanted] = {}
    twice = []
    for i, policy in enumerate(policies):
        if policy.key in wanted:
            twice.append(because(DUPLICATE, policy.key, "is there twice in what was sent", path="metadata.name", document=i))
        metadata = policy.metadata
        wanted[policy.key] = Wanted(body(door.dump(policy)), policy, metadata.resource_version, metadata.uid, must_exist=must_exist)
    if twice:
        raise Invalid(twice)
    return write(lambda: wanted, author=author, message=message, dry_run=dry_run, messages=messages)


def delete(
    keys: Iterable[Key],
    *,
    author: Author,
    message: str = "",
    dry_run: bool = False,
    resource_version: str | None = None,
    uid: str | None = None,
) -> Applied:
    keys = list(dict.fromkeys(keys))

    def want() -> dict[Key, Wanted]:
        stored = rows(keys)
        if unknown := [key for key in keys if key not in stored]:
            # Whoever may not look must not learn from the answer what exists.
            if denied := [key for key in unknown if not author.may(Verb.DELETE, key.kind, key.namespace)]:
                raise Forbidden([because("MSH0403", key, f"{author.user} may not delete {key.kind} resources there") for key in denied])
            raise Missing([because("MSH0404", key, "does not exist") for key in unknown])
        return {key: Wanted(None, resource_version=resource_version, uid=uid) for key in keys}

    return write(want, author=author, message=message, dry_run=dry_run)


def rollback(key: Key, to_revision: int, *, author: Author, message: str = "", dry_run: bool = False) -> Applied:
    """One resource as it was after `to_revision`; it is deleted when it did not exist then. A deleted one gets its age and uid back."""

    def want() -> dict[Key, Wanted]:
        _existing(to_revision)
        if not _of(Change.objects.all(), key).exists():
            raise Missing([because("MSH0404", key, "never existed")])
        return _unless_gone({key: _as_of(key, to_revision)})

    return write(want, author=author, message=message or f"Rolled {key} back to revision {to_revision}", dry_run=dry_run)


def rollback_revision(number: int, *, author: Author, message: str = "", dry_run: bool = False) -> Applied:
    """
    Undo revision `number`: each resource that it changed is again as it was before.

    A resource that was changed again since is a `Conflict`: undoing would silently throw the later change away.
    """

    def want() -> dict[Key, Wanted]:
        changed = [c.key for c in _existing(number).changes.order_by("pk")]
        since = Change.objects.filter(revision__number__gt=number).order_by("-revision__number")
        later = {key: newer.revision_id for key in changed if (newer := _of(since, key).first())}
        if later:
            raise Conflict(
                [because("MSH0409", key, f"was changed again by revision {n}; roll it back by itself") for key, n in later.items()]
            )
        return _unless_gone({key: _as_of(key, number - 1) for key in changed})

    return write(want, author=author, message=message or f"Undid revision {number}", dry_run=dry_run)


def restore(number: int, *, author: Author, message: str = "", dry_run: bool = False) -> Applied:
    """Everything as it was after revision `number`."""

    def want() -> dict[Key, Wanted]:
        _existing(number)
        touched = Change.objects.filter(revision__number__gt=number).values_list("group", "kind", "namespace", "name").distinct()
        return _unless_gone({key: _as_of(key, number) for key in sorted((Key(*k) for k in touched), key=str)})

    return write(want, author=author, message=message or f"Restored revision {number}", dry_run=dry_run)


def get(key: Key) -> Resource | None:
    return rows([key]).get(key)


def list_(
    kind: str | None = None, namespace: str | None = None, label_selector: str | None = None, *, group: str | None = None
) -> list[Resource]:
    """In the order of group, kind, namespace and name. ValueError when the selector is not one."""
    found = Resource.objects.order_by("group", "kind", "namespace", "name")
    for field, value in (("kind", kind), ("namespace", namespace), ("group", group)):
        if value:
            found = found.filter(**{field: value})
    if not label_selector:
        return list(found)
    selected = selector.parse(label_selector)
    return [row for row in found if selected(row.labels)]


def history(key: Key, limit: int = 100) -> list[Change]:
    """Its changes, the newest first, each with its `revision`."""
    return list(_of(Change.objects.all(), key).select_related("revision").order_by("-revision__number")[:limit])


def revisions(limit: int = 50, before: int | None = None) -> list[Revision]:
    """The newest first, each with its `changes`; `before` pages on."""
    found = Revision.objects.prefetch_related("changes")
    if before is not None:
        found = found.filter(number__lt=before)
    return list(found.order_by("-number")[:limit])


def revision(number: int) -> Revision | None:
    return Revision.objects.prefetch_related("changes").filter(number=number).first()


def resources() -> list[Policy]:
    """Everything, typed, with `creationTimestamp`. An unchanged resource is the same object as last time."""
    return loading.parsed()


def _of(changes: Any, key: Key) -> Any:
    return changes.filter(group=key.group, kind=key.kind, namespace=key.namespace, name=key.name)


def _existing(number: int) -> Revision:
    if (found := Revision.objects.filter(number=number).first()) is None:
        raise Missing([because("MSH0404", None, f"there is no revision {number}")])
    return found


def _as_of(key: Key, number: int) -> Wanted:
    change = _of(Change.objects.all(), key).filter(revision__number__lte=number).order_by("-revision__number").first()
    if change is None or change.after is None:
        return Wanted(None)
    policy, _ = door.parse_object(sealing.opened(change.after))  # it was valid then; what this version refuses now raises Invalid
    return Wanted(change.after, policy, uid=change.uid, created=change.resource_created, generation=change.generation)


def _unless_gone(wanted: dict[Key, Wanted]) -> dict[Key, Wanted]:
    stored = rows(wanted)
    return {key: w for key, w in wanted.items() if w.body is not None or key in stored}
