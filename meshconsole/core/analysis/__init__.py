"""
What resources say against each other: findings with Istio's codes, one analyzer per file (`analyze(scene) -> messages`).
To add one is to add a file. What a resource says against itself is its kind's `check`.
"""

from collections.abc import Iterable, Sequence

from meshconsole import plugins
from meshconsole.core.mesh.model import MeshConfig, Workload
from meshconsole.core.policies.base import Policy
from meshconsole.core.resources.messages import Message

from .base import Scene


def analyze(policies: Iterable[Policy], workloads: Sequence[Workload] | None, mesh: MeshConfig) -> list[Message]:
    """Every finding, in the order of objects. `workloads` None: nobody knows what runs (files alone); then nothing is said about it."""
    scene = Scene(policies, workloads, mesh)
    found = {message: None for module in plugins.discover(__name__) for message in module.analyze(scene)}
    return sorted(found, key=lambda m: (str(m.key), m.code, m.path, m.text))
