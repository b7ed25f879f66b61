"""How the store's things look in JSON: manifests with their conditions, changes, revisions."""

from collections.abc import Callable, Iterable
from typing import Any, overload

from meshconsole.configstore import sealing, store
from meshconsole.configstore.body import unified
from meshconsole.configstore.models import Change, Resource, Revision, rfc3339
from meshconsole.configstore.store import Applied, ChangeView
from meshconsole.xds import status

from .plain import message, reference

May = Callable[[str, str, str | None], bool]


PROGRAMMED = {
    "programmed": ("True", "Programmed", "Every proxy concerned has taken it"),
    "pending": ("Unknown", "Pending", "Not every proxy has answered yet"),
    "failed": ("False", "Refused", "A proxy refused it"),
}
"""`kubectl wait --for=condition=Programmed`: state -> status, reason, message."""


def manifests(rows: Iterable[Resource], api_version: str = "") -> list[dict[str, Any]]:
    """With `status`. `api_version` is the one asked for: all versions of a kind have one schema."""
    rows = list(rows)
    states = status.revision_states(row.resource_version for row in rows) if rows else {}
    found = []
    for row in rows:
        manifest = outward(row.manifest())
        if api_version:
            manifest["apiVersion"] = api_version
        manifest["status"] = {
            "observedGeneration": row.generation,
            "conditions": [
                _condition("Accepted", "True", "Stored", f"Stored as revision {row.resource_version}", row),
                _condition("Programmed", *PROGRAMMED[states[row.resource_version]], row),
            ],
        }
        found.append(manifest)
    return found


@overload
def outward(body: dict[str, Any]) -> dict[str, Any]: ...
@overload
def outward(body: None) -> None: ...
def outward(body: dict[str, Any] | None) -> dict[str, Any] | None:
    """A body as it may leave the house: secrets redacted, and as Kubernetes writes the kind."""
    if body is None or not sealing.has_secrets(body):
        return body
    shown = sealing.redacted(body, encoded=True)
    return {k: v for k, v in shown.items() if k != "spec" or v}


def _condition(type_: str, status: str, reason: str, text: str, row: Resource) -> dict[str, Any]:
    return {"type": type_, "status": status, "reason": reason, "message": text, "observedGeneration": row.generation}


def applied(result: Applied, dry_run: bool) -> dict[str, Any]:
    return {
        "revision": result.revision,
        "dryRun": dry_run,
        "changes": [change(c) for c in result.changes],
        "unchanged": [reference(k) for k in result.unchanged],
        "messages": [message(m) for m in result.messages],
        "latest": result.revision or store.latest(),
    }


def change(c: ChangeView | Change) -> dict[str, Any]:
    return {**(reference(c.key) or {}), "operation": str(c.operation), "diff": unified(c.before, c.after, str(c.key))}


def revision(r: Revision, may: May, *, whole: bool = False) -> dict[str, Any] | None:
    """None when there is nothing in it that the asker may see."""
    changes = [c for c in r.changes.all() if may("get", c.kind, c.namespace)]
    if not changes:
        return None
    shown = []
    for c in changes:
        one: dict[str, Any] = {**(reference(c.key) or {}), "operation": str(c.operation)}
        if whole:
            one |= {"diff": unified(c.before, c.after, str(c.key)), "before": outward(c.before), "after": outward(c.after)}
        shown.append(one)
    return {
        "number": r.number,
        "created": rfc3339(r.created),
        "author": r.author,
        "door": r.door,
        "address": r.from_address,
        "message": r.message,
        "changes": shown,
    }


def entry(c: Change) -> dict[str, Any]:
    """One line of a resource's history."""
    return {
        "revision": c.revision_id,
        "created": rfc3339(c.revision.created),
        "author": c.revision.author,
        "door": c.revision.door,
        "message": c.revision.message,
        "operation": str(c.operation),
        "generation": c.generation,
        "diff": unified(c.before, c.after, str(c.key)),
        "before": outward(c.before),
        "after": outward(c.after),
    }
