"""What analyzers look at: all resources by kind, and the services and workloads that they speak of."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from meshconsole.core.mesh import hosts
from meshconsole.core.mesh.model import MeshConfig, Service, Workload
from meshconsole.core.mesh.selection import oldest_first, selects
from meshconsole.core.mesh.snapshot import Snapshot
from meshconsole.core.policies.base import Policy
from meshconsole.core.resources.messages import Level, Message

_last: Snapshot | None = None
"""What the last scene looked at; only ever a start for the next one, whose answers do not depend on it."""


class Scene:
    def __init__(self, policies: Iterable[Policy], workloads: Sequence[Workload] | None, mesh: MeshConfig):
        self.mesh = mesh
        self.policies = oldest_first(policies)
        self.knows_workloads = workloads is not None
        """False: what runs is not known, only the files are."""
        self.workloads = tuple(workloads or ())
        self._kinds: dict[str, list[Any]] = {}
        for policy in self.policies:
            self._kinds.setdefault(policy.kind, []).append(policy)

    def of(self, kind: str) -> list[Any]:
        """The resources of a kind, oldest first."""
        return self._kinds.get(kind, [])

    @cached_property
    def _snapshot(self) -> Snapshot:
        global _last
        # It follows the one before: to derive again what a thousand workloads serve was 30 of the 40 ms of an apply.
        _last = Snapshot.following(_last, self.mesh, self.policies, self.workloads, 0)
        return _last

    @property
    def services(self) -> list[Service]:
        return self._snapshot.services

    @property
    def bound(self) -> Mapping[str, frozenset[int]]:
        """Address -> the ports at which workloads and their proxies listen there."""
        return self._snapshot.bound

    def service(self, host: str, namespace: str) -> Service | None:
        """What `host`, written in a rule of `namespace`, names: a service by its full or short name, or one whose wildcard takes it in."""
        exact: Sequence[Service] = self._snapshot.ask(("service", self.fqdn(host, namespace)))
        if not exact and "." not in host:
            named: Sequence[str] = self._snapshot.ask(("named", host.lower()))
            exact = self._snapshot.ask(("service", named[0])) if len(named) == 1 else ()
        own = next((service for service in exact if service.namespace == namespace), None)
        if own or exact:
            return own or exact[0]
        wild: Sequence[Service] = self._snapshot.ask(("wildcards", host.lower())) if not hosts.is_wildcard(host) else ()
        return next(iter(wild), None)

    def fqdn(self, host: str, namespace: str) -> str:
        return hosts.fqdn(host, namespace, self.mesh.domain)

    def selected(self, labels: Mapping[str, str], namespace: str | None) -> list[Workload]:
        """The workloads (of a namespace) that bear the labels."""
        candidates = min((self._bearing.get(item, []) for item in labels.items()), key=len, default=self.workloads)
        return [w for w in candidates if namespace in (None, w.namespace) and selects(labels, w.labels)]

    @cached_property
    def _bearing(self) -> dict[tuple[str, str], list[Workload]]:
        """Label -> who bears it: a thousand policies must not look at a thousand workloads each."""
        found: dict[tuple[str, str], list[Workload]] = {}
        for workload in self.workloads:
            for item in workload.labels.items():
                found.setdefault(item, []).append(workload)
        return found

    @cached_property
    def namespaces(self) -> frozenset[str]:
        """Those that something is known of."""
        return frozenset([w.namespace for w in self.workloads] + [p.metadata.namespace for p in self.policies] + [self.mesh.root_namespace])


def finding(level: Level, code: str, policy: Policy, path: str, text: str) -> Message:
    return Message(level, code, text, policy.key, path)


def not_found(policy: Policy, path: str, what: str, value: str) -> Message:
    return finding(Level.ERROR, "IST0101", policy, path, f'Referenced {what} not found: "{value}"')


def written(labels: Mapping[str, str]) -> str:
    """As Kubernetes prints a selector: `app=web,version=v1`."""
    return ",".join(f"{key}={labels[key]}" for key in sorted(labels))


def full_name(policy: Policy) -> str:
    return f"{policy.metadata.namespace}/{policy.metadata.name}"


def listed(items: Iterable[Any]) -> str:
    """As Go prints a list, which Istio's texts show: `[a b]`."""
    return "[" + " ".join(map(str, items)) + "]"
