"""VirtualService: where requests go. schema.py says what it may hold, checks.py what contradicts itself, routes.py what it means."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import ClassVar, Self

from meshconsole.core.envoy.draft import Draft, HostDraft, Route, TcpDraft
from meshconsole.core.envoy.resource_set import Origin
from meshconsole.core.mesh import hosts
from meshconsole.core.mesh.model import MeshConfig
from meshconsole.core.resources.catalogue import DEPRECATED
from meshconsole.core.resources.messages import Message

from ..base import Phase, Policy, View
from . import checks, connections
from .delegates import resolved
from .matching import MESH, claim_path, is_catch_all, qualified
from .routes import Place, routes
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
        yield from (self.error(path, text) for path, text in checks.faults(self.spec, self.metadata.namespace))
        yield from (self.warning(path, text) for path, text in checks.warnings(self.spec))
        yield from (self.warning(path, text, DEPRECATED) for path, text in checks.deprecations(self.spec))

    def concerns(self, mesh: MeshConfig) -> tuple[str, ...]:
        """Short names are of its own namespace; under a gateway they are meant as they stand."""
        names = [hosts.fqdn(host, self.metadata.namespace, mesh.domain) for host in self.spec.hosts]
        return tuple(dict.fromkeys(names))

    @classmethod
    def exported_by_default(cls, mesh: MeshConfig) -> tuple[str, ...]:
        return mesh.virtual_service_export

    @property
    def gateways(self) -> tuple[str, ...]:
        """`<namespace>/<name>` of each gateway that it is bound to, and `mesh`."""
        return tuple(qualified(gateway, self.metadata.namespace) for gateway in self.spec.gateways) or (MESH,)

    def claims(self) -> Iterator[str]:
        """The JWT claims that it routes by, as written."""
        for rule in self.spec.http:
            for match in rule.match:
                yield from (name for name in (*match.headers, *match.without_headers) if claim_path(name))

    def speaks_of(self, host: str, mesh: MeshConfig) -> str | None:
        """Its host pattern that takes in `host`, the most specific one."""
        fitting = [pattern for pattern in self.concerns(mesh) if hosts.matches(pattern, host)]
        return max(fitting, key=hosts.specificity, default=None)

    @classmethod
    def apply(cls, policies: Iterable[Self], draft: Draft, view: View) -> None:
        if not isinstance(draft, HostDraft | TcpDraft):
            return
        bound = [policy for policy in policies if (draft.gateway or MESH) in policy.gateways]
        if isinstance(draft, TcpDraft):
            connections.write([(p.spec, p.origin()) for p in (bound if draft.gateway else _ranked(bound, draft.host, view))], draft, view)
            return
        if draft.gateway:
            _merge(bound, draft, view)
        else:
            _choose(bound, draft, view)

    def _routes(self, draft: HostDraft, view: View) -> list[Route]:
        return list(routes(resolved(self, Place(draft, view, self.metadata.namespace, self.origin()))))


def _choose(policies: Sequence[VirtualService], draft: HostDraft, view: View) -> None:
    """Sidecars merge nothing: the most specific host wins, among equals the oldest (IST0109 tells the others). One that says nothing for
    this client and port leaves the next, and at last the service's own default route, as they are."""
    for policy in _ranked(policies, draft.host, view):
        if made := policy._routes(draft, view):
            draft.routes = made
            draft.origins += _origins(policy, made)
            return


def _ranked(policies: Sequence[VirtualService], host: str, view: View) -> list[VirtualService]:
    """Those that speak of the host, the most specific pattern first, then the oldest."""
    ranked = [(hosts.specificity(pattern), policy) for policy in policies if (pattern := policy.speaks_of(host, view.mesh))]
    return [policy for _, policy in sorted(ranked, key=lambda each: each[0], reverse=True)]


def _merge(policies: Sequence[VirtualService], draft: HostDraft, view: View) -> None:
    """Several VirtualServices of one host at a gateway: all of them, by age, catch-all routes last (Istio: SortVHostRoutes)."""
    made: list[Route] = []
    for policy in policies:
        if own := policy._routes(draft, view):
            made += own
            draft.origins += _origins(policy, own)
    if made:
        draft.routes = [r for r in made if not is_catch_all(r)] + [r for r in made if is_catch_all(r)]


def _origins(policy: VirtualService, made: Sequence[Route]) -> list[Origin]:
    """The policy, and its delegates that had something to say."""
    delegates = (replace(route.origin, path="") for route in made if route.origin)
    return list(dict.fromkeys((policy.origin(), *delegates)))
