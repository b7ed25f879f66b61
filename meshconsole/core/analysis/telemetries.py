"""IST0101 a Telemetry names a provider that nobody knows; IST0157 names none; IST0159, IST0160 several hold where one can."""

from collections.abc import Iterator
from typing import Any

from meshconsole.core.policies.telemetry import CONSOLE, ENVOY, PROMETHEUS
from meshconsole.core.resources.messages import Level, Message

from .base import Scene, finding, listed, not_found


def analyze(scene: Scene) -> Iterator[Message]:
    files = {name for name, _ in scene.mesh.log_providers} | {
        provider.name for config in scene.of("MeshConfig") for provider in config.spec.extension_providers if provider.envoy_file_access_log
    }
    known = {"tracing": {CONSOLE}, "metrics": {CONSOLE, PROMETHEUS}, "accessLogging": {CONSOLE, ENVOY} | files}
    by_namespace: dict[str, list[Any]] = {}
    for telemetry in scene.of("Telemetry"):
        by_namespace.setdefault(telemetry.metadata.namespace, []).append(telemetry)
        spec = telemetry.spec
        for section, entries in (("tracing", spec.tracing), ("metrics", spec.metrics), ("accessLogging", spec.access_logging)):
            for i, entry in enumerate(entries):
                for j, provider in enumerate(entry.providers):
                    if provider.name not in known[section]:
                        yield not_found(telemetry, f"spec.{section}[{i}].providers[{j}].name", "extension provider", provider.name)
                if not entry.providers:
                    name = f"{telemetry.metadata.name} in namespace {telemetry.metadata.namespace}"
                    text = f"The Telemetry {name} names no provider: it holds for those of the level above (Istio: ignored where there are none)"
                    yield finding(Level.WARNING, "IST0157", telemetry, f"spec.{section}[{i}].providers", text)
    for namespace, telemetries in by_namespace.items():
        yield from _several(scene, namespace, telemetries)


def _several(scene: Scene, namespace: str, telemetries: list[Any]) -> Iterator[Message]:
    labels = {id(t): t.spec.selector.match_labels if t.spec.selector else {} for t in telemetries}
    whole = [t for t in telemetries if not labels[id(t)]]
    if len(whole) > 1:
        names = listed(sorted(t.metadata.name for t in whole))
        text = f"The Telemetries {names} in namespace {namespace} have no workload selector: the oldest holds"
        yield from (finding(Level.ERROR, "IST0160", t, "spec", text) for t in whole)
    of_workload: dict[str, list[Any]] = {}
    for telemetry in (t for t in telemetries if labels[id(t)] and scene.knows_workloads):
        for workload in scene.selected(labels[id(telemetry)], namespace):
            of_workload.setdefault(workload.name, []).append(telemetry)
    told: set[tuple[str, ...]] = set()
    for name, selecting in sorted(of_workload.items()):
        found = tuple(sorted(t.metadata.name for t in selecting))
        if len(selecting) > 1 and found not in told:
            told.add(found)
            text = f"The Telemetries {listed(found)} in namespace {namespace} select the same workload {name}: the oldest holds"
            yield from (finding(Level.ERROR, "IST0159", t, "spec.selector", text) for t in selecting)
