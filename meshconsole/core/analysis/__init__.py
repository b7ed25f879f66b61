"""
What resources say against each other: findings with Istio's codes, one analyzer per file (`analyze(scene) -> messages`).
To add one is to add a file. What a resource says against itself is its kind's `check`.
"""

from collections.abc import Iterable, Sequence

from meshconsole import plugins
from meshconsole.core.mesh.model import MeshConfig, Workload
from meshconsole.core.policies.base import Policy
from meshconsole.core.resources.messages import Level, Message

from .base import Scene


def analyze(policies: Iterable[Policy], workloads: Sequence[Workload] | None, mesh: MeshConfig) -> list[Message]:
    """Every finding, in the order of objects. `workloads` None: nobody knows what runs (files alone); then nothing is said about it."""
    scene = Scene(policies, workloads, mesh)
    found = {message: None for module in plugins.discover(__name__) for message in module.analyze(scene)}
    return sorted(found, key=lambda m: (str(m.key), m.code, m.path, m.text))


def beside(refused: Iterable[Message], found: Iterable[Message]) -> list[Message]:
    """What is found among the documents that could be taken, without what is not there only since it was refused: it would mislead."""
    names = {m.key.name for m in refused if m.key is not None and m.level is Level.ERROR}
    return [m for m in found if m.code != "IST0101" or not any(m.text.endswith((f'"{n}"', f'/{n}"')) for n in names)]
