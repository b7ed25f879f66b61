"""The index of services and workloads: by host, by short name. Changed by copying what changes."""

from collections.abc import Hashable, Iterable, Sequence

from . import hosts
from .model import MeshConfig, Service, Workload
from .services import derive, merge

Declared = dict[int, tuple[Service, ...]]


class Registry:
    def __init__(
        self,
        workloads: dict[tuple[str, str], Workload],
        serving: dict[tuple[str, str], tuple[Workload, ...]],
        by_host: dict[str, tuple[Service, ...]],
        by_name: dict[str, tuple[str, ...]],
        declared: dict[str, tuple[Service, ...]],
        source: Declared,
    ):
        self.workloads = workloads
        self._serving = serving
        """(namespace, short name) -> the workloads that serve it."""
        self.by_host = by_host
        self.by_name = by_name
        self._declared = declared
        """host -> services that policies declare."""
        self._source = source
        self._patterns = frozenset(host for host in by_host if hosts.is_wildcard(host))
        self._hosts: tuple[tuple[str, str], ...] | None = None

    @classmethod
    def of(cls, workloads: Iterable[Workload], declared: Declared, mesh: MeshConfig) -> "Registry":
        return cls({}, {}, {}, {}, {}, {}).changed((), tuple(workloads), declared, mesh, set())[0]

    @property
    def hosts(self) -> tuple[tuple[str, str], ...]:
        if self._hosts is None:
            self._hosts = tuple((s.namespace, host) for host in sorted(self.by_host) for s in self.by_host[host])
        return self._hosts

    def wildcards(self, host: str) -> tuple[Service, ...]:
        if not self._patterns:
            return ()
        return tuple(s for pattern in hosts.suffixes(host) if pattern in self._patterns for s in self.by_host[pattern])

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
            del workloads[workload.namespace, workload.name]
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

        by_declaration = self._declared if declared is self._source else _by_host(declared)
        revised = {hosts.service_host(name, namespace, mesh.domain): (namespace, name) for namespace, name in touched}
        if by_declaration is not self._declared:
            for host in by_declaration.keys() | self._declared.keys():
                if by_declaration.get(host) != self._declared.get(host):
                    revised.setdefault(host, _mesh_name(host, mesh, serving))
        return self._revised(revised, workloads, serving, by_declaration, declared, dirty)

    def _revised(
        self,
        revised: dict[str, tuple[str, str]],
        workloads: dict[tuple[str, str], Workload],
        serving: dict[tuple[str, str], tuple[Workload, ...]],
        declared: dict[str, tuple[Service, ...]],
        source: Declared,
        dirty: set[tuple[Hashable, ...]],
    ) -> tuple["Registry", bool]:
        by_host, names = dict(self.by_host), self.by_name
        renamed: dict[str, list[str]] = {}
        exact = True
        for host, (namespace, name) in revised.items():
            members = serving.get((namespace, name), ())
            own = (derive(host, name, namespace, members),) if members else ()
            now, before = merge((*own, *declared.get(host, ()))), by_host.get(host, ())
            if now == before:
                continue
            exact = exact and not hosts.is_wildcard(host)
            dirty.add(("service", host))
            if now:
                by_host[host] = now
            else:
                del by_host[host]
            for short in {s.name for s in now} ^ {s.name for s in before}:
                renamed.setdefault(short, []).append(host)
        if renamed:
            names = dict(names)
            for short, changed in renamed.items():
                dirty.add(("named", short))
                kept = {host for host in (*names.get(short, ()), *changed) if any(s.name == short for s in by_host.get(host, ()))}
                names[short] = tuple(sorted(kept))
        following = Registry(workloads, serving, by_host, names, declared, source)
        if renamed or any([s.namespace for s in by_host.get(h, ())] != [s.namespace for s in self.by_host.get(h, ())] for h in revised):
            dirty.add(("hosts",))
        else:
            following._hosts = self._hosts
        return following, exact


def _by_host(declared: Declared) -> dict[str, tuple[Service, ...]]:
    index: dict[str, tuple[Service, ...]] = {}
    for services in declared.values():
        for service in services:
            index[service.host] = (*index.get(service.host, ()), service)
    return index


def _mesh_name(host: str, mesh: MeshConfig, serving: dict[tuple[str, str], tuple[Workload, ...]]) -> tuple[str, str]:
    """(namespace, name) of the derived service of that host; ('', '') where workloads serve none."""
    suffix = f".svc.{mesh.domain}"
    name, _, namespace = host.removesuffix(suffix).partition(".")
    return (namespace, name) if host.endswith(suffix) and (namespace, name) in serving else ("", "")
