"""IST0101 a VirtualService names a Gateway that is not there; IST0132 one that serves none of its hosts."""

from collections.abc import Iterator

from meshconsole.core.mesh import hosts
from meshconsole.core.resources.messages import Level, Message

from .base import Scene, finding, full_name, listed, not_found

MESH = "mesh"


def analyze(scene: Scene) -> Iterator[Message]:
    gateways = {full_name(gateway): gateway for gateway in scene.of("Gateway")}
    for service in scene.of("VirtualService"):
        for i, written in enumerate(service.spec.gateways):
            if written == MESH:
                continue
            path = f"spec.gateways[{i}]"
            name = written if "/" in written else f"{service.metadata.namespace}/{written}"
            gateway = gateways.get(name)
            if gateway is None:
                yield not_found(service, path, "gateway", written)
            elif not _meet(service, gateway):
                text = f"one or more host {listed(service.spec.hosts)} defined in VirtualService {full_name(service)} not found in Gateway {name}."
                yield finding(Level.WARNING, "IST0132", service, path, text)


def _meet(service, gateway) -> bool:  # type: ignore[no-untyped-def]
    for server in gateway.spec.servers:
        for written in server.hosts:
            namespace, slash, pattern = written.rpartition("/")
            owner = gateway.metadata.namespace if namespace == "." else namespace
            if slash and owner not in ("*", service.metadata.namespace):
                continue
            if any(hosts.narrower(pattern.lower(), host.lower()) is not None for host in service.spec.hosts):
                return True
    return False
