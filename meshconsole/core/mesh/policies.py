"""The index of policies: by kind, by namespace, by the hosts that they speak of. Changed by copying what changes."""

from bisect import bisect_left
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from . import hosts
from .model import Endpoint, MeshConfig, Service
from .selection import oldest_first, selects


class Rule(Protocol):
    """What the mesh needs to know of a policy (core.policies.base.Policy is one)."""

    metadata: Any

    @property
    def age(self) -> tuple[str, str, str]: ...
    def services(self, mesh: MeshConfig) -> Iterator[Service]: ...
    def endpoints(self) -> Iterator[Endpoint]: ...
    def concerns(self, mesh: MeshConfig) -> tuple[str, ...] | None: ...
    def workload_labels(self) -> Mapping[str, str]: ...


Rules = tuple[Rule, ...]
ANY = "*"
T = TypeVar("T")


class Asked:
    """Kinds that anybody ever asked for by workload, or by host: of the others nothing can depend on an answer. One for an index and all that follow it."""

    def __init__(self) -> None:
        self.by_workload: set[type] = set()
        self.by_host: set[type] = set()


class Declared(NamedTuple):
    """What policies add to the mesh, by the id of the policy."""

    services: dict[int, tuple[Service, ...]]
    endpoints: dict[int, tuple[Endpoint, ...]]

    def changed(self, gone: Sequence[Rule], new: Sequence[Rule], mesh: MeshConfig) -> "Declared":
        services = {id(p): found for p in new if (found := tuple(p.services(mesh)))}
        endpoints = {id(p): offered for p in new if (offered := tuple(p.endpoints()))}
        left = {id(p) for p in gone if id(p) in self.services or id(p) in self.endpoints}
        if not (services or endpoints or left):
            return self
        return Declared(_without(self.services, left) | services, _without(self.endpoints, left) | endpoints)


def _without(known: dict[int, T], left: set[int]) -> dict[int, T]:
    return {key: value for key, value in known.items() if key not in left}


class PolicyIndex:
    def __init__(
        self,
        by_place: dict[tuple[type, str | None], Rules],
        by_host: dict[tuple[type, str], Rules],
        wild: dict[type, frozenset[str]],
        declared: Declared,
        asked: Asked,
    ):
        self._by_place = by_place
        self._by_host = by_host
        self._wild = wild
        """Per kind, the wildcard patterns in `by_host`: what an exact host must be matched with besides itself."""
        self.declared = declared
        """What policies declare; the same object while none changed."""
        self.asked = asked
        self._concerning: dict[tuple[type, str], Rules] = {}
        self._concerned: dict[type, tuple[str, ...]] = {}

    @classmethod
    def of(cls, policies: Iterable[Rule], mesh: MeshConfig) -> "PolicyIndex":
        empty = cls({}, {}, {}, Declared({}, {}), Asked())
        return empty.changed((), tuple(policies), mesh, set())[0]

    def changed(
        self, gone: Sequence[Rule], new: Sequence[Rule], mesh: MeshConfig, dirty: set[tuple[Hashable, ...]]
    ) -> tuple["PolicyIndex", bool]:
        """The next index; adds to `dirty` what may be answered otherwise. False where that cannot be said by exact questions."""
        by_place, by_host = dict(self._by_place), dict(self._by_host)
        exact = True
        places: dict[tuple[type, str | None], list[tuple[bool, Rule]]] = {}
        named: dict[tuple[type, str], list[tuple[bool, Rule]]] = {}
        for stays, policies in ((False, gone), (True, new)):
            for policy in policies:
                kind = type(policy)
                for namespace in (None, policy.metadata.namespace):
                    places.setdefault((kind, namespace), []).append((stays, policy))
                for host in _concerns(policy, mesh):
                    exact = exact and (kind not in self.asked.by_host or not hosts.is_wildcard(host))
                    named.setdefault((kind, host), []).append((stays, policy))
        _revise(by_place, places)
        _revise(by_host, named)
        dirty.update(("policies", *place) for place in places)
        dirty.update(("concerning", *name) for name in named)
        dirty.update(("concerned", kind) for kind, _ in named)
        wild = self._wild
        if any(hosts.is_wildcard(host) for _, host in named):
            kinds = {kind for kind, _ in by_host}
            wild = {k: frozenset(h for kind, h in by_host if kind is k and hosts.is_wildcard(h)) for k in kinds}
        return PolicyIndex(by_place, by_host, wild, self.declared.changed(gone, new, mesh), self.asked), exact

    def of_kind(self, kind: type, namespace: str | None) -> Rules:
        return self._by_place.get((kind, namespace), ())

    def local(self, kind: type, namespace: str, root: str, labels: Mapping[str, str]) -> Rules:
        """Of the namespace and the root namespace, those whose selector takes `labels`."""
        self.asked.by_workload.add(kind)
        own = self.of_kind(kind, namespace)
        both = own if root == namespace else tuple(oldest_first([*own, *self.of_kind(kind, root)]))
        return tuple(policy for policy in both if selects(policy.workload_labels(), labels))

    def concerning(self, kind: type, host: str) -> Rules:
        self.asked.by_host.add(kind)
        patterns = self._wild.get(kind)
        if not patterns:
            return self._by_host.get((kind, host), ())
        found = self._concerning.get((kind, host))
        if found is None:
            names = [host, *(p for p in hosts.suffixes(host) if p in patterns and p != host)]
            unique = {id(policy): policy for name in names for policy in self._by_host.get((kind, name), ())}
            found = self._concerning[kind, host] = tuple(oldest_first(unique.values()))
        return found

    def concerned(self, kind: type) -> tuple[str, ...]:
        self.asked.by_host.add(kind)
        found = self._concerned.get(kind)
        if found is None:
            found = self._concerned[kind] = tuple(sorted(h for k, h in self._by_host if k is kind))
        return found


def _concerns(policy: Rule, mesh: MeshConfig) -> tuple[str, ...]:
    found = policy.concerns(mesh)
    return (ANY,) if found is None else tuple(dict.fromkeys(found))


def _revise(index: dict[Any, Rules], changes: dict[Any, list[tuple[bool, Rule]]]) -> None:
    for key, entries in changes.items():
        members = list(index.get(key, ()))
        if len(entries) > 16:
            left = {id(policy) for stays, policy in entries if not stays}
            kept = [policy for policy in members if id(policy) not in left]
            members = oldest_first([*kept, *(policy for stays, policy in entries if stays)])
        else:
            for stays, policy in entries:
                place = bisect_left(members, policy.age, key=_age)
                if stays:
                    members.insert(place, policy)
                else:
                    del members[next(i for i in range(place, len(members)) if members[i] is policy)]
        if members:
            index[key] = tuple(members)
        else:
            index.pop(key, None)


def _age(policy: Rule) -> tuple[str, str, str]:
    return policy.age
