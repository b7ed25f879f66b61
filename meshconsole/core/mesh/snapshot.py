"""
The mesh at one revision: immutable, with the indexes that the compiler asks.

`Snapshot.following(previous, …)` shares with `previous` every answer that did not change, by identity, and notes in `dirty`
which questions may have new answers; so that a change costs what it touches, not what the mesh holds.

A *question* is a tuple, and `ask` answers it:

    ("service", host)                 services named exactly so, oldest first, of any namespace
    ("wildcards", host)               wildcard services that match `host`, the longest pattern first
    ("named", short name)             hosts of the services with this short name
    ("hosts",)                        (namespace, host) of every service
    ("opaque",)                       (host, port) of every service's ports that are TCP or TLS
    ("policies", kind, namespace)     policies of a kind, oldest first; namespace None is all
    ("concerning", kind, host)        policies of a kind that can write into this host's drafts, oldest first
    ("concerned", kind)               all hosts that policies of a kind speak of
    ("at", address)                   hosts of the services with this virtual address, those of the smallest range first
    ("workload", namespace, name)     the workload, or None
    ("local", kind, namespace, name)  policies of a kind that can hold for that workload: of its namespace or the root one, and
                                      selecting it by labels; oldest first
"""

import operator
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import compress, count
from typing import Any

from .model import MeshConfig, ProxyKind, Workload
from .policies import PolicyIndex, Rule
from .registry import Registry
from .selection import selects

Question = tuple[Any, ...]


class Snapshot:
    def __init__(
        self,
        mesh: MeshConfig,
        policies: Sequence[Rule],
        workloads: Sequence[Workload],
        revision: int = 0,
        *,
        previous: "Snapshot | None" = None,
    ):
        self.mesh = mesh
        self.policies = tuple(policies)
        self.workloads = tuple(workloads)
        self.revision = revision
        self.token = object()
        """Its identity, without keeping it alive."""
        self.parent: object | None = None
        """The token of the snapshot that it follows, where `dirty` says the difference."""
        self.dirty: frozenset[Question] | None = None
        """Questions that may be answered otherwise than in the parent; None where that is not known: then all are asked again."""
        if previous is not None and previous.mesh == mesh:
            self._follow(previous)
        else:
            self._policies = PolicyIndex.of(self.policies, mesh)
            self._registry = Registry.of(self.workloads, self._policies.declared, mesh)

    @classmethod
    def following(
        cls, previous: "Snapshot | None", mesh: MeshConfig, policies: Sequence[Rule], workloads: Sequence[Workload], revision: int
    ) -> "Snapshot":
        return cls(mesh, policies, workloads, revision, previous=previous)

    def _follow(self, previous: "Snapshot") -> None:
        dirty: set[Question] = set()
        known = True
        self._policies = previous._policies
        if len(self.policies) != len(previous.policies) or any(map(operator.is_not, self.policies, previous.policies)):
            gone, new = _difference(previous.policies, self.policies)
            self._policies, known = previous._policies.changed(gone, new, self.mesh, dirty)
            dirty |= self._touched(gone + new)
        self._registry = previous._registry
        declared = self._policies.declared is not previous._policies.declared
        if declared or len(self.workloads) != len(previous.workloads) or any(map(operator.is_not, self.workloads, previous.workloads)):
            gone_w, new_w = _difference(previous.workloads, self.workloads)
            self._registry, known_too = previous._registry.changed(gone_w, new_w, self._policies.declared, self.mesh, dirty)
            known = known and known_too
        self.parent = previous.token
        self.dirty = frozenset(dirty) if known else None

    def ask(self, question: Question) -> Any:
        """The answer; the same object as in earlier snapshots where nothing changed."""
        match question:
            case ("concerning", kind, host):
                return self._policies.concerning(kind, host)
            case ("policies", kind, namespace):
                return self._policies.of_kind(kind, namespace)
            case ("service", host):
                return self._registry.by_host.get(host, ())
            case ("wildcards", host):
                return self._registry.wildcards(host)
            case ("named", name):
                return self._registry.by_name.get(name, ())
            case ("at", address):
                return self._registry.at(address)
            case ("hosts",):
                return self._registry.hosts
            case ("opaque",):
                return self._registry.opaque
            case ("concerned", kind):
                return self._policies.concerned(kind)
            case ("workload", namespace, name):
                return self._registry.workloads.get((namespace, name))
            case ("local", kind, namespace, name):
                workload = self._registry.workloads.get((namespace, name))
                return self._policies.local(kind, namespace, self.mesh.root_namespace, workload.labels) if workload else ()
        raise LookupError(question)

    def _touched(self, policies: Sequence[Rule]) -> set[Question]:
        """The workloads that a changed policy held for, or holds for now."""
        touched: set[Question] = set()
        for policy in policies:
            if type(policy) not in self._policies.asked.by_workload:
                continue
            wanted, namespace = policy.workload_labels(), policy.metadata.namespace
            everywhere = namespace == self.mesh.root_namespace
            for workload in self.workloads:
                if (everywhere or workload.namespace == namespace) and selects(wanted, workload.labels):
                    touched.add(("local", type(policy), workload.namespace, workload.name))
        return touched

    @cached_property
    def bound(self) -> Mapping[str, frozenset[int]]:
        """Address -> the ports at which workloads and their proxies listen there anyway."""
        found: dict[str, set[int]] = {}
        for workload in self.workloads:
            found.setdefault(workload.address, set()).update(port.number for port in workload.ports)
            if workload.kind is ProxyKind.SIDECAR:
                found.setdefault(workload.outbound_address, set()).add(workload.outbound_port)
        return {address: frozenset(ports) for address, ports in found.items()}

    @property
    def services(self) -> list[Any]:
        """Every service, sorted by host and namespace."""
        return [service for host in sorted(self._registry.by_host) for service in self._registry.by_host[host]]


def _difference(old: Sequence[Any], new: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """(only in old, only in new), by identity."""
    if len(old) == len(new):  # mostly one was replaced in its place
        places = list(compress(count(), map(operator.is_not, old, new)))
        old, new = [old[i] for i in places], [new[i] for i in places]
    old_ids, new_ids = set(map(id, old)), set(map(id, new))
    return [x for x in old if id(x) not in new_ids], [x for x in new if id(x) not in old_ids]
