"""This process's compiler. It remembers what it has compiled, so there is one, and one thread at a time is in it."""

import threading

from meshconsole.core.compiler import Compiler, Demand
from meshconsole.core.envoy.resource_set import ResourceSet
from meshconsole.core.mesh.model import Workload
from meshconsole.core.mesh.snapshot import Snapshot

_lock = threading.Lock()
_compiler = Compiler()


def compile(snapshot: Snapshot, workload: Workload, demand: Demand) -> ResourceSet:
    with _lock:
        return _compiler.compile(snapshot, workload, demand)
