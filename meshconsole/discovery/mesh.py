"""The mesh as it stands: resources and workloads as one immutable snapshot, kept per process and followed, not built again."""

import threading

from meshconsole.configstore import mesh, store
from meshconsole.core.mesh.snapshot import Snapshot

from . import registry

_lock = threading.Lock()
_stamp: tuple[int, int] = (-1, -1)
_current: Snapshot | None = None


def stamp() -> tuple[int, int]:
    """(newest revision, the registry's number): two small queries that tell whether there is news."""
    return store.latest(), registry.number()


def current() -> Snapshot:
    """The newest snapshot; the same object while nothing has changed. Blocks: not for an event loop."""
    return stamped()[0]


def stamped() -> tuple[Snapshot, tuple[int, int]]:
    """The newest snapshot, and the stamp that it has."""
    global _stamp, _current
    with _lock:
        # Asked before reading: what is written meanwhile is in the snapshot already or found by the next call, never missed.
        now = stamp()
        if _current is None or now != _stamp or _current.mesh != mesh.config():
            _current = Snapshot.following(_current, mesh.config(), store.resources(), registry.workloads(), now[0])
            _stamp = now
        return _current, _stamp


def forget() -> None:
    """Drop what this process remembers."""
    global _stamp, _current
    with _lock:
        _stamp, _current = (-1, -1), None
