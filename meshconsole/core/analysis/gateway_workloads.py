"""IST0101 a Gateway selects no gateway proxy: nothing listens for it."""

from collections.abc import Iterator

from meshconsole.core.mesh.model import ProxyKind
from meshconsole.core.resources.messages import Message

from .base import Scene, not_found, written


def analyze(scene: Scene) -> Iterator[Message]:
    if scene.knows_workloads:
        for gateway in scene.of("Gateway"):
            chosen = scene.selected(gateway.spec.selector, None)
            if not any(workload.kind is ProxyKind.GATEWAY for workload in chosen):
                yield not_found(gateway, "spec.selector", "selector", written(gateway.spec.selector))
