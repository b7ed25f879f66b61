"""DestinationRule: how requests get there. schema.py says what it may hold, clusters.py and tls.py what it means to a cluster."""

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, Self

from meshconsole.core.envoy.draft import ClusterDraft, Draft
from meshconsole.core.mesh import hosts
from meshconsole.core.mesh.model import MeshConfig, Port, Service
from meshconsole.core.mesh.selection import selects
from meshconsole.core.resources.catalogue import DEPRECATED
from meshconsole.core.resources.messages import Message

from ..base import Phase, Policy, View
from . import checks, locality
from .clusters import write
from .levels import effective
from .schema import DestinationRuleSpec


class DestinationRule(Policy):
    group: ClassVar[str] = "networking.istio.io"
    versions: ClassVar[tuple[str, ...]] = ("v1", "v1beta1", "v1alpha3")
    plural: ClassVar[str] = "destinationrules"
    short_names: ClassVar[tuple[str, ...]] = ("dr",)
    phase: ClassVar[Phase | None] = Phase.CLUSTERS

    spec: DestinationRuleSpec
    """A host, how to reach it, and its subsets."""

    def check(self) -> Iterator[Message]:
        yield from (self.error(path, text) for path, text in checks.faults(self.spec, self.metadata.namespace))
        yield from (self.warning(path, text) for path, text in checks.warnings(self.spec))
        yield from (self.warning(path, text, DEPRECATED) for path, text in checks.deprecations(self.spec))

    def concerns(self, mesh: MeshConfig) -> tuple[str, ...]:
        return (hosts.fqdn(self.spec.host, self.metadata.namespace, mesh.domain),)

    @classmethod
    def exported_by_default(cls, mesh: MeshConfig) -> tuple[str, ...]:
        return mesh.destination_rule_export

    def subsets(self) -> Iterator[str]:
        return (subset.name for subset in self.spec.subsets)

    @property
    def selector(self) -> dict[str, str]:
        """Labels of the clients that it is for; {} all."""
        return self.spec.workload_selector.match_labels if self.spec.workload_selector else {}

    @classmethod
    def apply(cls, policies: Iterable[Self], draft: Draft, view: View) -> None:
        """Writes clusters; a route has its hash policy from the clusters that it leads to."""
        if not isinstance(draft, ClusterDraft):
            return
        assert isinstance(draft.service, Service) and isinstance(draft.port, Port)
        chosen = _chosen(list(policies), draft.service, view)
        # The same host several times in a namespace: the first policy holds, subsets are added up (Istio: mergeDestinationRule).
        top = next((rule for rule in chosen if rule.spec.traffic_policy), None)
        named = [(rule, subset) for rule in chosen for subset in rule.spec.subsets if subset.name == draft.subset] if draft.subset else []
        if draft.subset and not named:
            return  # nobody defines it: there is no such cluster, and requests to it are answered 503
        above = top.spec.traffic_policy if top else None
        own = None
        if named:
            definer, subset = named[0]
            own = subset.traffic_policy
            draft.subset_labels = dict(subset.labels)
            draft.origins.append(definer.origin(f"spec.subsets[{definer.spec.subsets.index(subset)}]"))
        if top and not (named and named[0][0] is top):
            draft.origins.append(top.origin("spec.trafficPolicy"))
        policy = effective(above, own, draft.port.number)
        # Istio: a gateway fetches credentials; a sidecar only where a rule selects it, or a Secret would be read by a whole namespace.
        write(policy, draft, credentials=view.gateway or bool(chosen and chosen[0].selector))
        locality.write(policy, draft, view)


def _chosen(policies: Sequence[DestinationRule], service: Service, view: View) -> list[DestinationRule]:
    """
    The rules of the first namespace that has any for this host, there those of the most specific host, oldest first but those that select
    their clients before those for all: the client's namespace, the service's, the root's (Istio: PushContext.destinationRule).
    """
    root = view.mesh.root_namespace
    own = [p for p in policies if p.metadata.namespace == view.namespace and selects(p.selector, view.labels)]
    if view.namespace == root:
        # What the root says to everybody comes last, for its own clients too.
        own = [p for p in own if set(p.spec.export_to or view.mesh.destination_rule_export) & {".", root}]
    elsewhere = [p for p in policies if not p.selector]
    for candidates in (own, *([p for p in elsewhere if p.metadata.namespace == n] for n in dict.fromkeys((service.namespace, root)))):
        if candidates:
            best = max(hosts.specificity(p.concerns(view.mesh)[0]) for p in candidates)
            return sorted((p for p in candidates if hosts.specificity(p.concerns(view.mesh)[0]) == best), key=lambda p: not p.selector)
    return []
