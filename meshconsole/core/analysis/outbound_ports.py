"""MSH0152 a proxy does not listen at a TCP service's port: another workload has it at that address, or it is one for privileged processes
(core.compiler.outbound_tcp). What a host turns out to have no place for besides is told by xds.unbound."""

from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Any

from meshconsole.core.mesh.model import ProxyKind, Workload
from meshconsole.core.mesh.selection import visible
from meshconsole.core.resources.catalogue import UNBOUND
from meshconsole.core.resources.messages import Level, Message

from .base import Scene, finding

_OPAQUE = frozenset(("TCP", "TLS", "HTTPS", "MONGO", "MYSQL", "REDIS"))
_SHOWN = 3


def analyze(scene: Scene) -> Iterator[Message]:
    proxies = _Proxies(scene)
    for entry in scene.of("ServiceEntry") if scene.workloads else ():
        own = [address for address in entry.spec.addresses if "/" not in address and ip_address(address.strip("[]")).is_loopback]
        for i, port in enumerate(entry.spec.ports):
            if port.protocol.upper() not in _OPAQUE:
                continue
            path, number = f"spec.ports[{i}].number", port.number
            if privileged := proxies.below(number, entry):
                text = f"{_named(privileged)} may not listen at port {number}, below {max(w.lowest_port for w in privileged)}"
                yield finding(Level.INFO, UNBOUND, entry, path, f"{text}: applications reach it by CONNECT at the proxy's outbound port.")
            if taken := [w for w in proxies.without(number, own) if _sees(w, entry)]:
                text = f"{_named(taken)} cannot listen at port {number}: a workload of the mesh has it at that address"
                yield finding(
                    Level.WARNING,
                    UNBOUND,
                    entry,
                    path,
                    f"{text}. Give the entry an address of the loopback network (addresses: [127.9.9.9]).",
                )


class _Proxies:
    """The sidecars, by what keeps them from listening: a thousand entries must not look at a thousand proxies each."""

    def __init__(self, scene: Scene) -> None:
        self.lowest: dict[tuple[int, str], list[Workload]] = {}
        """By their lowest port and namespace."""
        self.at: dict[str, list[Workload]] = {}
        for each in scene.workloads:
            if each.kind is ProxyKind.SIDECAR:
                self.lowest.setdefault((each.lowest_port, each.namespace), []).append(each)
                self.at.setdefault(each.outbound_address, []).append(each)
        self.bound: dict[int, set[str]] = {}
        for address, numbers in scene.bound.items() if self.at else ():
            for number in numbers:
                self.bound.setdefault(number, set()).add(address)

    def below(self, number: int, entry: Any) -> list[Workload]:
        groups = [proxies for (lowest, _), proxies in self.lowest.items() if number < lowest and _sees(proxies[0], entry)]
        return [each for proxies in groups for each in proxies]

    def without(self, number: int, own: Sequence[str]) -> Iterator[Workload]:
        """Those that have no address left to listen at: of the service's `own`, or their outbound one."""
        taken = self.bound.get(number, set())
        if own:
            proxies = list(self.at.values()) if taken.issuperset(own) else []
        else:
            proxies = [self.at[address] for address in sorted(taken & self.at.keys())]
        for each in proxies:
            yield from each


def _sees(proxy: Workload, entry: Any) -> bool:
    return visible(entry.spec.export_to, entry.metadata.namespace, proxy.namespace)


def _named(proxies: Sequence[Workload]) -> str:
    names = [each.id for each in proxies[:_SHOWN]]
    more = f" and {len(proxies) - _SHOWN} more" if len(proxies) > _SHOWN else ""
    return f"The prox{'y' if len(proxies) == 1 else 'ies'} of {', '.join(names)}{more}"
