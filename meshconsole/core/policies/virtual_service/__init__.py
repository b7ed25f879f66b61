"""VirtualService: where requests go. schema.py says what it may hold, checks.py what contradicts itself, routes.py what it means."""

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, Self

from meshconsole.core.envoy.draft import Draft, HostDraft, Route
from meshconsole.core.mesh import hosts
from meshconsole.core.mesh.model import MeshConfig
from meshconsole.core.resources.messages import Message

from ..base import Phase, Policy, View
from . import checks
from .delegates import resolved
from .routes import MESH, Place, is_catch_all, qualified, routes
from .schema import VirtualServiceSpec


class VirtualService(Policy):
    group: ClassVar[str] = "networking.istio.io"
    versions: ClassVar[tuple[str, ...]] = ("v1", "v1beta1", "v1alpha3")
    plural: ClassVar[str] = "virtualservices"
    short_names: ClassVar[tuple[str, ...]] = ("vs",)
    phase: ClassVar[Phase | None] = Phase.ROUTES

    spec: VirtualServiceSpec
    """Hosts, and the rules by which their requests are routed."""

    def check(self) -> Iterator[Message]:
        yield from (self.error(path, text) for path, text in checks.faults(self.spec))
        yield from (self.warning(path, text) for path, text in checks.warnings(self.spec))

    def concerns(self, mesh: MeshConfig) -> tuple[str, ...]:
        """Short names are of its own namespace; under a gateway they are meant as they stand."""
        names = [hosts.fqdn(host, self.metadata.namespace, mesh.domain) for host in self.spec.hosts]
        return tuple(dict.fromkeys(names))

    @property
    def gateways(self) -> tuple[str, ...]:
        return qualified(self.spec.gateways, self.metadata.namespace) or (MESH,)

    def speaks_of(self, host: str, mesh: MeshConfig) -> str | None:
        """Its host pattern that takes in `host`, the most specific one."""
        fitting = [pattern for pattern in self.concerns(mesh) if hosts.matches(pattern, host)]
        return max(fitting, key=hosts.specificity, default=None)

    @classmethod
    def apply(cls, policies: Iterable[Self], draft: Draft, view: View) -> None:
        if not isinstance(draft, HostDraft):
            return
        bound = [p for p in policies if (draft.gateway or MESH) in p.gateways]
        chosen = bound if draft.gateway else _winner(bound, draft.host, view.mesh)
        made: list[Route] = []
        for policy in chosen:
            place = Place(draft, view, policy.metadata.namespace, policy.gateways, policy.origin())
            made += routes(policy.spec.http, place) if not _delegates(policy) else resolved(policy, place)
            draft.origins.append(policy.origin())
        if chosen:
            draft.routes = _ordered(made) if len(chosen) > 1 else made


def _winner(policies: Sequence[VirtualService], host: str, mesh: MeshConfig) -> list[VirtualService]:
    """Sidecars merge nothing: the most specific host wins, among equals the oldest (Istio; IST0109 tells the others)."""
    fitting = [(hosts.specificity(pattern), policy) for policy in policies if (pattern := policy.speaks_of(host, mesh))]
    if not fitting:
        return []
    best = max(rank for rank, _ in fitting)
    return [next(policy for rank, policy in fitting if rank == best)]


def _ordered(made: list[Route]) -> list[Route]:
    """Several VirtualServices of one host on a gateway: in order of age, catch-all routes last (Istio: SortVHostRoutes)."""
    return [r for r in made if not is_catch_all(r)] + [r for r in made if is_catch_all(r)]


def _delegates(policy: VirtualService) -> bool:
    return any(rule.delegate for rule in policy.spec.http)
