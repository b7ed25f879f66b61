"""IST0177 several ServiceEntries declare one host and port with different protocols."""

from collections.abc import Iterator
from typing import Any

from meshconsole.core.resources.messages import Level, Message

from .base import Scene, finding, full_name


def analyze(scene: Scene) -> Iterator[Message]:
    declared: dict[tuple[str, int], list[tuple[Any, int]]] = {}
    for entry in scene.of("ServiceEntry"):
        for host in dict.fromkeys(host.lower() for host in entry.spec.hosts):
            for i, port in enumerate(entry.spec.ports):
                declared.setdefault((host, port.number), []).append((entry, i))
    for (host, number), places in declared.items():
        for entry, i in places:
            own = entry.spec.ports[i].protocol.upper()
            others = {
                f"{full_name(other)} ({other.spec.ports[j].protocol.upper() or 'unset'})"
                for other, j in places
                if other is not entry and other.spec.ports[j].protocol.upper() != own and _meet(entry, other)
            }
            if others:
                text = (
                    f"ServiceEntry defines host {host} port {number} with protocol {own or 'unset'}, which conflicts with "
                    f"{', '.join(sorted(others))}."
                )
                yield finding(Level.WARNING, "IST0177", entry, f"spec.ports[{i}].protocol", text)


def _meet(one: Any, other: Any) -> bool:
    """Is there a namespace that sees both?"""
    a, b = _visible(one), _visible(other)
    return bool(a and b) and ("*" in a or "*" in b or bool(a & b))


def _visible(entry: Any) -> set[str]:
    scopes = entry.spec.export_to or ["*"]
    return {entry.metadata.namespace if scope == "." else scope for scope in scopes if scope != "~"}
