"""The mesh as it stands: resources and workloads as one immutable snapshot, kept per process and followed, not built again."""

import threading
from collections.abc import Sequence

from meshconsole.configstore import mesh, store
from meshconsole.configstore.models import Revision
from meshconsole.core.mesh.model import MeshConfig
from meshconsole.core.mesh.snapshot import Snapshot
from meshconsole.core.policies.base import Policy
from meshconsole.keysets import filling

from . import registry

Stamp = tuple[int, str, int]
"""The newest revision, when it was made (a restored database may give its number again), and the registry's number."""
NEVER: Stamp = (-1, "", -1)

_lock = threading.Lock()
_stamp: Stamp = NEVER
_stored: Sequence[Policy] = ()
"""As they are in the store; the snapshot holds them with the keys that were fetched for them."""
_current: Snapshot | None = None
_settings: MeshConfig | None = None


def stamp() -> Stamp:
    """Two small queries that tell whether there is news."""
    newest = Revision.objects.order_by("-number").values_list("number", "created").first()
    return (newest[0] if newest else 0, str(newest[1]) if newest else "", registry.number())


def current() -> Snapshot:
    """The newest snapshot; the same object while nothing has changed. Blocks: not for an event loop."""
    return stamped()[0]


def stamped() -> tuple[Snapshot, Stamp]:
    """The newest snapshot, and the stamp that it has."""
    global _stamp, _stored, _current, _settings
    with _lock:
        # Asked before reading: what is written meanwhile is in the snapshot already or found by the next call, never missed.
        now = stamp()
        if _current is None or now != _stamp or _settings != mesh.from_settings():
            if _current is None or now[:2] != _stamp[:2]:
                _stored = store.resources()
            _current = Snapshot.following(_current, mesh.config(), filling.filled(_stored), registry.workloads(), now[0])
            _stamp, _settings = now, mesh.from_settings()
        return _current, _stamp


def forget() -> None:
    """Drop what this process remembers."""
    global _stamp, _current
    with _lock:
        _stamp, _current = NEVER, None
