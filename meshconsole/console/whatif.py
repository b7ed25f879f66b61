"""
What a change would do before it is made: which proxies it concerns, and what their Envoys would be sent.

The mesh as it would be is compiled beside the mesh as it is, for connected proxies, until the time is up.
"""

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from meshconsole.configstore import sealing
from meshconsole.configstore.models import rfc3339
from meshconsole.configstore.store import ChangeView
from meshconsole.core import policies as door
from meshconsole.core.compiler import Compiler, Demand
from meshconsole.core.envoy import wire
from meshconsole.core.envoy.resource_set import Blob, ResourceSet
from meshconsole.core.mesh.snapshot import Snapshot
from meshconsole.core.policies.base import Policy
from meshconsole.core.resources.messages import Key
from meshconsole.discovery import mesh
from meshconsole.xds.configdump import redacted
from meshconsole.xds.models import ProxyRecord

from . import diffs
from .xdstypes import TYPES, order

SECONDS = 1.5
"""A preview must not keep anybody waiting; what was not looked at by then is said."""
SHOWN = 12

# Not the compiler of xds: that one follows the mesh as it really goes, and would have to look at everything again after each preview.
_compiler = Compiler()
_lock = threading.Lock()


@dataclass
class Piece:
    """One resource of Envoy's configuration that would change alike at some proxies."""

    type: str
    name: str
    operation: str
    diff: diffs.Diff
    proxies: list[str] = field(default_factory=list)

    @property
    def type_name(self) -> str:
        return TYPES.get(self.type, self.type)


@dataclass(frozen=True)
class WhatIf:
    connected: int
    looked_at: int
    concerned: tuple[str, ...]
    """Ids of proxies."""
    pieces: tuple[Piece, ...]
    more: int = 0
    """Pieces beyond those shown."""

    @property
    def complete(self) -> bool:
        return self.looked_at == self.connected


def look(changes: Sequence[ChangeView], namespaces: Sequence[str] | None) -> WhatIf:
    """`namespaces`: what whoever asks may see; None is all."""
    end = time.monotonic() + SECONDS
    now = mesh.current()
    then = _with(now, changes)
    held: Any = ProxyRecord.objects.filter(connected=True).order_by("pk")
    if namespaces is not None:
        held = held.filter(namespace__in=namespaces)
    records = list(held.values_list("pk", "namespace", "name", "hosts", "clusters"))
    # Those in the namespaces of the change first: they are the likeliest to be concerned.
    near = {c.key.namespace for c in changes}
    records.sort(key=lambda r: (r[1] not in near, r[0]))
    pieces: dict[tuple[str, str, str, str], Piece] = {}
    concerned: list[str] = []
    looked_at = 0
    with _lock:
        for id, namespace, name, hosts, clusters in records:
            if time.monotonic() > end:
                break
            looked_at += 1
            workload = now.ask(("workload", namespace, name))
            if workload is None:
                continue
            demand = Demand(frozenset(hosts), frozenset(clusters))
            before, after = (_compiler.compile(s, workload, demand) for s in (now, then))
            if _compare(id, before, after, pieces):
                concerned.append(id)
    found = sorted(pieces.values(), key=lambda p: (order(p.type), p.name))
    return WhatIf(len(records), looked_at, tuple(concerned), tuple(found[:SHOWN]), max(0, len(found) - SHOWN))


def _with(now: Snapshot, changes: Sequence[ChangeView]) -> Snapshot:
    """The mesh with the changes made; a new policy is the youngest, as it will be when it is stored."""
    current: Any = now.policies
    policies: dict[Key, Policy] = {p.key: p for p in current}
    for change in changes:
        old = policies.pop(change.key, None)
        if change.after is None:
            continue
        policy, _ = door.parse_object(sealing.opened(change.after))
        created = old.metadata.creation_timestamp if old else rfc3339(timezone.now())
        policies[change.key] = policy.model_copy(update={"metadata": policy.metadata.model_copy(update={"creation_timestamp": created})})
    return Snapshot.following(now, now.mesh, list(policies.values()), now.workloads, now.revision + 1)


def _compare(id: str, before: ResourceSet, after: ResourceSet, pieces: dict[tuple[str, str, str, str], Piece]) -> bool:
    """True when this proxy would be sent something; the pieces are added up."""
    changed = False
    for key in before.blobs.keys() | after.blobs.keys():
        old, new = before.blobs.get(key), after.blobs.get(key)
        versions = (old.version if old else "", new.version if new else "")
        if versions[0] == versions[1]:
            continue
        changed = True
        piece = pieces.get((str(key[0]), key[1], *versions))
        if piece is None:
            operation = "update" if old and new else "create" if new else "delete"
            piece = Piece(str(key[0]), key[1], operation, diffs.diff(_text(old), _text(new)))
            pieces[str(key[0]), key[1], *versions] = piece
        piece.proxies.append(id)
    return changed or before.aliases != after.aliases


def _text(blob: Blob | None) -> str:
    return json.dumps(redacted(wire.parse(blob.type, blob.body)), indent=2, ensure_ascii=False) if blob else ""
