"""IST0101 a Sidecar selects nobody; IST0110 two select one workload; IST0111 a namespace has two without a selector."""

from collections.abc import Iterator
from typing import Any

from meshconsole.core.resources.messages import Level, Message

from .base import Scene, finding, listed, not_found, written


def analyze(scene: Scene) -> Iterator[Message]:
    by_namespace: dict[str, list[Any]] = {}
    for sidecar in scene.of("Sidecar"):
        by_namespace.setdefault(sidecar.metadata.namespace, []).append(sidecar)
    for namespace, sidecars in by_namespace.items():
        defaults = [sidecar for sidecar in sidecars if not sidecar.labels]
        if len(defaults) > 1:
            names = listed(sorted(sidecar.metadata.name for sidecar in defaults))
            text = f'The Sidecars {names} in namespace "{namespace}" have no workload selector, which can lead to undefined behavior.'
            yield from (finding(Level.ERROR, "IST0111", sidecar, "spec", text) for sidecar in defaults)
        if scene.knows_workloads:
            yield from _selecting(scene, namespace, [sidecar for sidecar in sidecars if sidecar.labels])


def _selecting(scene: Scene, namespace: str, sidecars: list[Any]) -> Iterator[Message]:
    of_workload: dict[str, list[Any]] = {}
    for sidecar in sidecars:
        workloads = scene.selected(sidecar.labels, namespace)
        if not workloads:
            yield not_found(sidecar, "spec.workloadSelector.labels", "selector", written(sidecar.labels))
        for each in workloads:
            of_workload.setdefault(each.name, []).append(sidecar)
    told: set[tuple[str, tuple[str, ...]]] = set()
    for workload, selecting in sorted(of_workload.items()):
        names = tuple(sorted(sidecar.metadata.name for sidecar in selecting))
        for sidecar in selecting if len(selecting) > 1 else ():
            if (sidecar.metadata.name, names) not in told:
                told.add((sidecar.metadata.name, names))
                text = (
                    f'The Sidecars {listed(names)} in namespace "{namespace}" select the same workload pod "{namespace}/{workload}", '
                    "which can lead to undefined behavior."
                )
                yield finding(Level.ERROR, "IST0110", sidecar, "spec.workloadSelector", text)
