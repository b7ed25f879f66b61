"""IST0101 a destination's host, port or subset is not there; IST0112 a service with several ports, and none is chosen."""

from collections.abc import Iterator
from typing import Any

from meshconsole.core.resources.messages import Level, Message

from .base import Scene, finding, listed, not_found


def destinations(service: Any) -> Iterator[tuple[str, str, Any]]:
    """(path, `host` or `mirror host`, Destination) of each place where a VirtualService says where something goes."""
    for protocol in ("http", "tls", "tcp"):
        for i, rule in enumerate(getattr(service.spec, protocol, None) or ()):
            path = f"spec.{protocol}[{i}]"
            for j, share in enumerate(rule.route or ()):
                yield f"{path}.route[{j}].destination", "host", share.destination
            mirror = getattr(rule, "mirror", None)
            if mirror is not None:
                yield f"{path}.mirror", "mirror host", mirror
            for j, each in enumerate(getattr(rule, "mirrors", None) or ()):
                yield f"{path}.mirrors[{j}].destination", "mirror host", each.destination


def analyze(scene: Scene) -> Iterator[Message]:
    subsets: dict[str, set[str]] = {}
    for rule in scene.of("DestinationRule"):
        host = scene.fqdn(rule.spec.host, rule.metadata.namespace)
        subsets.setdefault(host, set()).update(subset.name for subset in rule.spec.subsets)
    for service in scene.of("VirtualService"):
        namespace = service.metadata.namespace
        for path, what, destination in destinations(service):
            if destination.subset and destination.subset not in _subsets(scene, subsets, destination.host, namespace):
                kind = "host" if what == "host" else "mirror"
                yield not_found(service, f"{path}.subset", f"{kind}+subset in destinationrule", f"{destination.host}+{destination.subset}")
            if scene.knows_workloads:
                yield from _target(scene, service, path, what, destination)


def _subsets(scene: Scene, subsets: dict[str, set[str]], host: str, namespace: str) -> set[str]:
    target = scene.service(host, namespace)
    names = {scene.fqdn(host, namespace)} | ({target.host} if target else set())
    return {subset for name in names for subset in subsets.get(name, ())}


def _target(scene: Scene, service: Any, path: str, what: str, destination: Any) -> Iterator[Message]:
    target = scene.service(destination.host, service.metadata.namespace)
    if target is None:
        yield not_found(service, f"{path}.host", what, destination.host)
        return
    numbers = [port.number for port in target.ports]
    chosen = destination.port.number if destination.port else None
    if chosen is None and len(numbers) > 1:
        text = (
            f'This VirtualService routes to a service "{destination.host}" that exposes multiple ports {listed(numbers)}. '
            "Specifying a port in the destination is required to disambiguate."
        )
        yield finding(Level.ERROR, "IST0112", service, path, text)
    elif chosen is not None and numbers and chosen not in numbers:
        yield not_found(service, f"{path}.port.number", "host:port", f"{destination.host}:{chosen}")
