"""The index of services and workloads: by host, by short name. Changed by copying what changes."""

from collections.abc import Hashable, Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple, TypeVar

from . import hosts
from .model import Endpoint, MeshConfig, Service, Workload
from .policies import Declared
from .selection import selects
from .services import derive, filled, merge

T = TypeVar("T")


class Outside(NamedTuple):
    """What policies declare, as the registry asks for it."""

    source: Declared
    by_host: dict[str, tuple[Service, ...]]
    selecting: dict[str, tuple[Service, ...]]
    """namespace -> services that select their endpoints."""
    endpoints: dict[str, tuple[Endpoint, ...]]
    """namespace -> endpoints to be selected, in the order of their addresses."""

    @classmethod
    def of(cls, source: Declared) -> "Outside":
        services = [service for found in source.services.values() for service in found]
        endpoints = sorted((each for found in source.endpoints.values() for each in found), key=lambda e: (e.address, e.ports))
        return cls(
            source,
            _grouped((service.host, service) for service in services),
            _grouped((service.namespace, service) for service in services if service.selector is not None),
            _grouped((each.namespace, each) for each in endpoints),
        )


class Registry:
    def __init__(
        self,
        workloads: dict[tuple[str, str], Workload],
        serving: dict[tuple[str, str], tuple[Workload, ...]],
        by_host: dict[str, tuple[Service, ...]],
        by_name: dict[str, tuple[str, ...]],
        outside: Outside,
        addressed: dict[str, tuple[str, ...]],
    ):
        self.workloads = workloads
        self._serving = serving
        """(namespace, short name) -> the workloads that serve it."""
        self.by_host = by_host
        self.by_name = by_name
        self._outside = outside
        self._addressed = addressed
        """host -> virtual addresses and ranges of its services."""
        self._at: list[tuple[IPv4Network | IPv6Network, str]] | None = None
        self._patterns = frozenset(host for host in by_host if hosts.is_wildcard(host))
        self._hosts: tuple[tuple[str, str], ...] | None = None
        self.opaque: tuple[tuple[str, int], ...] = ()
        """(host, port) of what is TCP or TLS; kept from one registry to the next where it is the same."""

    @classmethod
    def of(cls, workloads: Iterable[Workload], declared: Declared, mesh: MeshConfig) -> "Registry":
        return cls({}, {}, {}, {}, Outside.of(Declared({}, {})), {}).changed((), tuple(workloads), declared, mesh, set())[0]

    @property
    def hosts(self) -> tuple[tuple[str, str], ...]:
        if self._hosts is None:
            self._hosts = tuple((s.namespace, host) for host in sorted(self.by_host) for s in self.by_host[host])
        return self._hosts

    def wildcards(self, host: str) -> tuple[Service, ...]:
        if not self._patterns:
            return ()
        return tuple(s for pattern in hosts.suffixes(host) if pattern in self._patterns for s in self.by_host[pattern])

    def at(self, address: str) -> tuple[str, ...]:
        """The hosts whose services have the virtual address, those of the smallest range first."""
        wanted = hosts.network(address)
        if wanted is None or not self._addressed:
            return ()
        if self._at is None:
            ranges = [(found, host) for host, written in self._addressed.items() for each in written if (found := hosts.network(each))]
            self._at = sorted(ranges, key=lambda item: (-item[0].prefixlen, item[1]))
        fitting = [host for known, host in self._at if known.version == wanted.version and wanted.network_address in known]
        return tuple(dict.fromkeys(fitting))

    def changed(
        self,
        gone: Sequence[Workload],
        new: Sequence[Workload],
        declared: Declared,
        mesh: MeshConfig,
        dirty: set[tuple[Hashable, ...]],
    ) -> tuple["Registry", bool]:
        workloads, serving = dict(self.workloads), dict(self._serving)
        touched: dict[tuple[str, str], list[Workload]] = {}
        for workload in gone:
            workloads.pop((workload.namespace, workload.name), None)  # the same one may have been listed twice
        for workload in new:
            workloads[workload.namespace, workload.name] = workload
        for workload in (*gone, *new):
            dirty.add(("workload", workload.namespace, workload.name))
            for name in workload.services:
                touched.setdefault((workload.namespace, name), [])
        left = set(map(id, gone))
        for key in touched:
            touched[key] = [w for w in serving.get(key, ()) if id(w) not in left]
        for workload in new:
            for name in dict.fromkeys(workload.services):
                touched[workload.namespace, name].append(workload)
        for key, members in touched.items():
            if members:
                serving[key] = tuple(members)
            else:
                serving.pop(key, None)

        before = self._outside
        outside = before if declared is before.source else Outside.of(declared)
        revised = {hosts.service_host(name, namespace, mesh.domain): (namespace, name) for namespace, name in touched}
        moved: list[Workload | Endpoint] = [*gone, *new]
        if outside is not before:
            for host in outside.by_host.keys() | before.by_host.keys():
                if outside.by_host.get(host) != before.by_host.get(host):
                    revised.setdefault(host, _mesh_name(host, mesh, serving))
            for namespace in outside.endpoints.keys() | before.endpoints.keys():
                now, then = outside.endpoints.get(namespace, ()), before.endpoints.get(namespace, ())
                moved += [each for each in now if each not in then] + [each for each in then if each not in now]
        for each in moved if outside.selecting else ():
            for service in outside.selecting.get(each.namespace, ()):
                if selects(service.selector or {}, each.labels):
                    revised.setdefault(service.host, _mesh_name(service.host, mesh, serving))
        return self._revised(revised, workloads, serving, outside, dirty, mesh)

    def _revised(
        self,
        revised: dict[str, tuple[str, str]],
        workloads: dict[tuple[str, str], Workload],
        serving: dict[tuple[str, str], tuple[Workload, ...]],
        outside: Outside,
        dirty: set[tuple[Hashable, ...]],
        mesh: MeshConfig,
    ) -> tuple["Registry", bool]:
        by_host, names, addressed = dict(self.by_host), self.by_name, self._addressed
        renamed: dict[str, list[str]] = {}
        opaque = set(self.opaque)
        exact = True
        for host, (namespace, name) in revised.items():
            members = serving.get((namespace, name), ())
            own = (derive(host, name, namespace, members, export_to=mesh.service_export),) if members else ()
            declared = [_filled(service, workloads, outside) for service in outside.by_host.get(host, ())]
            now, before = merge((*own, *declared)), by_host.get(host, ())
            if now == before:
                continue
            exact = exact and not hosts.is_wildcard(host)
            dirty.add(("service", host))
            if now:
                by_host[host] = now
            else:
                del by_host[host]
            opaque -= {(host, port) for port in _opaque(before)}
            opaque |= {(host, port) for port in _opaque(now)}
            addresses = tuple(dict.fromkeys(address for s in now for address in s.addresses))
            if addresses != addressed.get(host, ()):
                exact = False  # which of all addresses is now another's cannot be listed
                addressed = {key: value for key, value in addressed.items() if key != host} | ({host: addresses} if addresses else {})
            for short in {s.name for s in now} ^ {s.name for s in before}:
                renamed.setdefault(short, []).append(host)
        if renamed:
            names = dict(names)
            for short, changed in renamed.items():
                dirty.add(("named", short))
                kept = {host for host in (*names.get(short, ()), *changed) if any(s.name == short for s in by_host.get(host, ()))}
                names[short] = tuple(sorted(kept))
        following = Registry(workloads, serving, by_host, names, outside, addressed)
        following.opaque = self.opaque
        if opaque != set(self.opaque):
            following.opaque = tuple(sorted(opaque))
            dirty.add(("opaque",))
        if renamed or any([s.namespace for s in by_host.get(h, ())] != [s.namespace for s in self.by_host.get(h, ())] for h in revised):
            dirty.add(("hosts",))
        else:
            following._hosts = self._hosts
        if addressed is self._addressed:
            following._at = self._at
        return following, exact


def _grouped(items: Iterable[tuple[str, T]]) -> dict[str, tuple[T, ...]]:
    groups: dict[str, list[T]] = {}
    for key, item in items:
        groups.setdefault(key, []).append(item)
    return {key: tuple(found) for key, found in groups.items()}


def _opaque(services: Iterable[Service]) -> set[int]:
    return {port.number for service in services for port in service.ports if port.protocol.is_opaque}


def _filled(service: Service, workloads: dict[tuple[str, str], Workload], outside: Outside) -> Service:
    if service.selector is None:
        return service
    own = [workload for workload in workloads.values() if workload.namespace == service.namespace]
    return filled(service, own, outside.endpoints.get(service.namespace, ()))


def _mesh_name(host: str, mesh: MeshConfig, serving: dict[tuple[str, str], tuple[Workload, ...]]) -> tuple[str, str]:
    """(namespace, name) of the derived service of that host; ('', '') where workloads serve none."""
    suffix = f".svc.{mesh.domain}"
    name, _, namespace = host.removesuffix(suffix).partition(".")
    return (namespace, name) if host.endswith(suffix) and (namespace, name) in serving else ("", "")
