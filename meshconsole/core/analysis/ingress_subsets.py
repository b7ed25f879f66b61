"""IST0140 a gateway's route leads to a host without a subset, past the VirtualService that chooses the host's subsets inside the mesh."""

from collections.abc import Iterator
from typing import Any

from meshconsole.core.resources.messages import Level, Message

from .base import Scene, finding, full_name


def analyze(scene: Scene) -> Iterator[Message]:
    choosing: dict[str, list[Any]] = {}
    for service in scene.of("VirtualService"):
        for host in dict.fromkeys(_chosen(scene, service)):
            choosing.setdefault(host, []).append(service)
    for service in scene.of("VirtualService"):
        gateways = set(service.spec.gateways or ())
        if not gateways - {"mesh"}:
            continue
        for i, rule in enumerate(service.spec.http or ()):
            for j, route in enumerate(rule.route or ()):
                if route.destination.subset:
                    continue
                host = scene.fqdn(route.destination.host, service.metadata.namespace)
                for other in choosing.get(host, ()):
                    if other is not service and not gateways & set(other.spec.gateways or ()):
                        text = (
                            f"Subset in virtual service {full_name(other)} has no effect on ingress gateway {full_name(service)} requests"
                        )
                        yield finding(Level.WARNING, "IST0140", service, f"spec.http[{i}].route[{j}].destination.host", text)


def _chosen(scene: Scene, service: Any) -> Iterator[str]:
    """Its own hosts that it spreads over subsets."""
    namespace = service.metadata.namespace
    hosts = {scene.fqdn(host, namespace) for host in service.spec.hosts or ()}
    for rule in service.spec.http or ():
        for route in rule.route or ():
            if route.destination.subset and (host := scene.fqdn(route.destination.host, namespace)) in hosts:
                yield host
