"""IST0138 two Gateways show one certificate: a client that re-uses its HTTP/2 connection gets 404 for the other's hosts."""

from collections.abc import Iterator
from typing import Any

from meshconsole.core.resources.messages import Level, Message
from meshconsole.core.resources.server_tls import credentials

from .base import Scene, finding, full_name, listed


def analyze(scene: Scene) -> Iterator[Message]:
    holders: dict[tuple[str, str], list[tuple[Any, int]]] = {}
    for gateway in scene.of("Gateway"):
        for i, server in enumerate(gateway.spec.servers):
            for certificate in _certificates(server.tls):
                holders.setdefault(certificate, []).append((gateway, i))
    for shared in holders.values():
        for gateway, i in shared:
            others = {full_name(g): None for g, _ in shared if g is not gateway and _meet(g, gateway)}
            if others:
                names = listed(sorted([full_name(gateway), *others]))
                text = f"Duplicate certificate in multiple gateways {names} may cause 404s if clients re-use HTTP2 connections."
                yield finding(Level.WARNING, "IST0138", gateway, f"spec.servers[{i}].tls", text)


def _certificates(tls: Any) -> list[tuple[str, str]]:
    """(certificate, key) by their paths, or ('', name) of a credential."""
    if tls is None:
        return []
    if named := credentials(tls):
        return [("", name) for name in named]
    pairs = [(tls.server_certificate, tls.private_key), *((each.server_certificate, each.private_key) for each in tls.tls_certificates)]
    return list(dict.fromkeys(pair for pair in pairs if all(pair)))


def _meet(one: Any, other: Any) -> bool:
    """Istio tells the wider one: the other serves proxies among those that `one` selects."""
    return other.spec.selector.items() <= one.spec.selector.items()  # type: ignore[no-any-return]
