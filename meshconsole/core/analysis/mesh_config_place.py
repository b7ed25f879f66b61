"""IST0167 a MeshConfig outside of the root namespace: it says nothing."""

from collections.abc import Iterator

from meshconsole.core.resources.messages import Level, Message

from .base import Scene, finding


def analyze(scene: Scene) -> Iterator[Message]:
    for config in scene.of("MeshConfig"):
        if config.metadata.namespace != scene.mesh.root_namespace:
            text = f"The MeshConfig has no effect: the mesh's own is {config.metadata.name} in namespace {scene.mesh.root_namespace}."
            yield finding(Level.WARNING, "IST0167", config, "metadata.namespace", text)
