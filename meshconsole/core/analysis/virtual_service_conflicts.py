"""IST0109 several VirtualServices say where one host's requests go, for the same clients: of sidecars only the oldest is heard."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from meshconsole.core.mesh import hosts
from meshconsole.core.resources.messages import Level, Message

from .base import Scene, finding, full_name

EVERYWHERE = "*"


def analyze(scene: Scene) -> Iterator[Message]:
    by_host: dict[str, list[Any]] = {}
    for service in scene.of("VirtualService"):
        if not service.spec.gateways or "mesh" in service.spec.gateways:
            for host in dict.fromkeys(scene.fqdn(host, service.metadata.namespace) for host in service.spec.hosts):
                by_host.setdefault(host, []).append(service)
    for host, services in by_host.items():
        yield from _conflicts(host, [(service, host) for service in services])
    wild = sorted(host for host in by_host if hosts.is_wildcard(host))
    for one, other in combinations(wild, 2):
        if (narrow := hosts.narrower(one, other)) is not None:
            for a in by_host[one]:
                for b in by_host[other]:
                    if a is not b:
                        yield from _conflicts(narrow, [(a, one), (b, other)])


def _conflicts(host: str, services: list[tuple[Any, str]]) -> Iterator[Message]:
    for service, own in services:
        rivals = [other for other, _ in services if other is not service and _meet(service, other)]
        if rivals:
            names = ",".join(full_name(each) for each, _ in services if each is service or each in rivals)
            path = _path(service, own)
            text = (
                f"The VirtualServices {names} associated with mesh gateway define the same host {host} which can lead to undefined behavior. "
                "This can be fixed by merging the conflicting VirtualServices into a single resource."
            )
            yield finding(Level.ERROR, "IST0109", service, path, text)


def _meet(one: Any, other: Any) -> bool:
    """Is there a namespace that sees both?"""
    a, b = _visible(one), _visible(other)
    return bool(a and b) and (EVERYWHERE in a or EVERYWHERE in b or bool(a & b))


def _visible(service: Any) -> set[str]:
    scopes = service.spec.export_to or [EVERYWHERE]
    return {service.metadata.namespace if scope == "." else scope for scope in scopes if scope != "~"}


def _path(service: Any, host: str) -> str:
    for i, written in enumerate(service.spec.hosts):
        if host == written.lower() or host.startswith(f"{written.lower()}."):
            return f"spec.hosts[{i}]"
    return "spec.hosts"
