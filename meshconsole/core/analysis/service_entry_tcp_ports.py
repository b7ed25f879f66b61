"""MSH0151 connections to a TCP port mean another service: nothing in them says which of several is called (core.compiler.outbound_tcp)."""

from collections.abc import Iterator
from ipaddress import ip_address

from meshconsole.core.mesh.model import Protocol, Service
from meshconsole.core.resources.catalogue import SHADOWED
from meshconsole.core.resources.messages import Level, Message

from .base import Scene, finding


def analyze(scene: Scene) -> Iterator[Message]:
    sharing: dict[int, list[Service]] = {}
    for service in scene.services:
        if not _addressed(service):
            for port in service.ports:
                if port.protocol is Protocol.TCP:
                    sharing.setdefault(port.number, []).append(service)
    for number, services in sharing.items():
        first, *others = sorted(services, key=lambda s: (s.created, s.host))
        shadowed = {(s.host, s.namespace) for s in others if s.host != first.host and _meet(s, first)}
        for entry in scene.of("ServiceEntry") if shadowed else ():
            hosts = [
                host for host in entry.spec.hosts if (scene.fqdn(host, entry.metadata.namespace), entry.metadata.namespace) in shadowed
            ]
            for i, port in enumerate(entry.spec.ports):
                if hosts and port.number == number:
                    text = (
                        f"Connections to port {number} of a proxy mean {first.host}, which is older: give {', '.join(hosts)} another port, or an "
                        "address of the loopback network (addresses: [127.9.9.9])."
                    )
                    yield finding(Level.WARNING, SHADOWED, entry, f"spec.ports[{i}].number", text)


def _addressed(service: Service) -> bool:
    return any("/" not in address and ip_address(address.strip("[]")).is_loopback for address in service.addresses)


def _meet(one: Service, other: Service) -> bool:
    """Is there a namespace that sees both?"""
    a, b = _seen(one), _seen(other)
    return bool(a and b) and ("*" in a or "*" in b or bool(a & b))


def _seen(service: Service) -> set[str]:
    return {service.namespace if scope == "." else scope for scope in service.export_to if scope != "~"}
