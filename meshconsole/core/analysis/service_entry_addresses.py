"""IST0134 a TCP port of a ServiceEntry without an address: its traffic cannot be told from another's by its destination."""

from collections.abc import Iterator

from meshconsole.core.resources.messages import Level, Message

from .base import Scene, finding


def analyze(scene: Scene) -> Iterator[Message]:
    for entry in scene.of("ServiceEntry"):
        if entry.spec.addresses:
            continue
        for i, port in enumerate(entry.spec.ports):
            if port.protocol.upper() in ("", "TCP"):
                yield finding(
                    Level.WARNING, "IST0134", entry, f"spec.ports[{i}].protocol", "ServiceEntry addresses are required for this protocol."
                )
