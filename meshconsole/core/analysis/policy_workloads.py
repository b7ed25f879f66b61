"""IST0127 (IST0101 of a Telemetry) a policy is for workloads that are not there; IST0101 an AuthorizationPolicy names a namespace that nobody knows."""

from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from meshconsole.core.resources.messages import Level, Message
from meshconsole.core.resources.targets import targets

from .base import Scene, finding, not_found, written


def analyze(scene: Scene) -> Iterator[Message]:
    if not scene.knows_workloads:
        return
    for kind in ("AuthorizationPolicy", "PeerAuthentication", "RequestAuthentication"):
        for policy in scene.of(kind):
            attached = targets(getattr(policy.spec, "target_ref", None), getattr(policy.spec, "target_refs", ()))
            yield from _services(scene, policy, attached) if attached else _workloads(scene, policy)
    for kind in ("ProxyConfig", "RateLimit"):
        for policy in scene.of(kind):
            if policy.workload_labels():
                yield from _workloads(scene, policy)
    for telemetry in scene.of("Telemetry"):
        yield from _telemetry(scene, telemetry)
    for policy in scene.of("AuthorizationPolicy"):
        yield from _namespaces(scene, policy)


def _workloads(scene: Scene, policy: Any) -> Iterator[Message]:
    labels = policy.spec.selector.match_labels if policy.spec.selector else {}
    whole_mesh = policy.metadata.namespace == scene.mesh.root_namespace
    if whole_mesh and not labels:
        return
    if not scene.selected(labels, None if whole_mesh else policy.metadata.namespace):
        text = f"No matching workloads for this resource with the following labels: {written(labels)}"
        yield finding(Level.WARNING, "IST0127", policy, "spec.selector", text)


def _services(scene: Scene, policy: Any, attached: list[tuple[str, Any]]) -> Iterator[Message]:
    """No error, for the workload may come later."""
    served = {name for workload in scene.workloads if workload.namespace == policy.metadata.namespace for name in workload.services}
    for path, each in attached:
        if each.name not in served:
            yield replace(not_found(policy, f"spec.{path}.name", each.kind, each.name), level=Level.WARNING)


def _telemetry(scene: Scene, telemetry: Any) -> Iterator[Message]:
    """Istio gives another code here; it is no error, for the workload may come later."""
    labels = telemetry.workload_labels()
    namespace = telemetry.metadata.namespace
    if labels and not scene.selected(labels, None if namespace == scene.mesh.root_namespace else namespace):
        yield replace(not_found(telemetry, "spec.selector", "selector", written(labels)), level=Level.WARNING)


def _namespaces(scene: Scene, policy: Any) -> Iterator[Message]:
    for i, rule in enumerate(policy.spec.rules):
        for j, source in enumerate(rule.from_):
            for field, values in (("namespaces", source.source.namespaces), ("notNamespaces", source.source.not_namespaces)):
                for k, value in enumerate(values):
                    if not any(_named(value, namespace) for namespace in scene.namespaces):
                        yield not_found(policy, f"spec.rules[{i}].from[{j}].source.{field}[{k}]", "namespace", value)


def _named(pattern: str, namespace: str) -> bool:
    return fnmatchcase(namespace, pattern.replace("[", "[[]"))
