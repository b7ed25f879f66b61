"""IST0145 two Gateways want the same host at the same port of the same proxies."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from meshconsole.core.mesh import hosts
from meshconsole.core.resources.messages import Level, Message

from .base import Scene, finding, full_name, written


class Place(NamedTuple):
    """Where a server listens."""

    selector: str
    port: int
    bind: str


def analyze(scene: Scene) -> Iterator[Message]:
    places: dict[Place, list[tuple[Any, int]]] = {}
    for gateway in scene.of("Gateway"):
        for i, server in enumerate(gateway.spec.servers):
            place = Place(written(gateway.spec.selector), server.port.number, server.bind)
            places.setdefault(place, []).append((gateway, i))
    for place, servers in places.items():
        for gateway, i in servers:
            own = gateway.spec.servers[i]
            rivals = sorted({full_name(g) for g, j in servers if g is not gateway and _meet(own, g.spec.servers[j])})
            if rivals:
                text = (
                    f"Conflict with gateways {','.join(rivals)} (workload selector {place.selector}, port {place.port}, "
                    f"hosts {','.join(own.hosts)})."
                )
                yield finding(Level.ERROR, "IST0145", gateway, f"spec.servers[{i}]", text)


def _meet(one: Any, other: Any) -> bool:
    return any(
        _namespaces_meet(a, b) and hosts.narrower(a.rpartition("/")[2].lower(), b.rpartition("/")[2].lower()) is not None
        for a in one.hosts
        for b in other.hosts
    )


def _namespaces_meet(a: str, b: str) -> bool:
    """Whose VirtualServices may bind: only where both name one namespace, and not the same, do they keep out of each other's way."""
    one, other = a.rpartition("/")[0], b.rpartition("/")[0]
    return one in ("", "*", ".") or other in ("", "*", ".") or one == other
