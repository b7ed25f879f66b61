"""IST0118 a service's port does not say its protocol by its name: the proxy has to sniff it, and server-first protocols then hang."""

from collections.abc import Iterator

from meshconsole.core.mesh.model import Protocol
from meshconsole.core.mesh.services import protocol_of
from meshconsole.core.resources.messages import Key, Level, Message

from .base import Scene


def analyze(scene: Scene) -> Iterator[Message]:
    for workload in scene.workloads:
        for port in workload.ports:
            if port.app_protocol or protocol_of(port) is not Protocol.UNKNOWN:
                continue
            text = (
                f"Port name {port.name} (port: {port.number}, targetPort: {port.app_port or port.number}) doesn't follow the naming "
                "convention of Istio port."
            )
            for service in workload.services:
                yield Message(Level.INFO, "IST0118", text, Key("", "Service", workload.namespace, service))
