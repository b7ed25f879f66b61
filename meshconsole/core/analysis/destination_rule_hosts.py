"""IST0174 a DestinationRule is for a host that nobody declares; IST0173 a subset of it has no workload."""

from collections.abc import Iterator
from typing import Any

from meshconsole.core.mesh import hosts
from meshconsole.core.mesh.model import Resolution
from meshconsole.core.mesh.selection import selects
from meshconsole.core.resources.messages import Level, Message

from .base import Scene, finding


def analyze(scene: Scene) -> Iterator[Message]:
    if not scene.knows_workloads:
        return
    for rule in scene.of("DestinationRule"):
        services = _services(scene, rule)
        if not services:
            text = f"The host {rule.spec.host} defined in the DestinationRule does not match any services in the mesh."
            yield finding(Level.WARNING, "IST0174", rule, "spec.host", text)
            continue
        if any(service.resolution is Resolution.NONE for service in services):
            continue  # nobody knows its endpoints
        endpoints = [endpoint for service in services for endpoint in service.endpoints]
        for i, subset in enumerate(rule.spec.subsets):
            labels = subset.labels or {}
            if not any(selects(labels, endpoint.labels) for endpoint in endpoints):
                text = f"The Subset {subset.name} defined does not select any pods."
                yield finding(Level.ERROR, "IST0173", rule, f"spec.subsets[{i}]", text)


def _services(scene: Scene, rule: Any) -> list[Any]:
    if hosts.is_wildcard(rule.spec.host):
        return [service for service in scene.services if hosts.narrower(rule.spec.host.lower(), service.host) is not None]
    found = scene.service(rule.spec.host, rule.metadata.namespace)
    return [found] if found else []
