"""DestinationRule: how requests get there. schema.py says what it may hold, clusters.py what it means to a cluster."""

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, Self

from meshconsole.core.envoy.draft import ClusterDraft, Draft
from meshconsole.core.mesh import hosts
from meshconsole.core.mesh.model import MeshConfig, Port, Service
from meshconsole.core.mesh.selection import selects
from meshconsole.core.resources.messages import Message
from meshconsole.core.resources.names import host_fault, label_faults, namespace_fault

from ..base import Phase, Policy, View
from .clusters import effective, write
from .schema import ClientTls, DestinationRuleSpec, LoadBalancer, Simple, TlsMode, TrafficPolicy

Fault = tuple[str, str]


class DestinationRule(Policy):
    group: ClassVar[str] = "networking.istio.io"
    versions: ClassVar[tuple[str, ...]] = ("v1", "v1beta1", "v1alpha3")
    plural: ClassVar[str] = "destinationrules"
    short_names: ClassVar[tuple[str, ...]] = ("dr",)
    phase: ClassVar[Phase | None] = Phase.CLUSTERS

    spec: DestinationRuleSpec
    """A host, how to reach it, and its subsets."""

    def check(self) -> Iterator[Message]:
        for path, text in _faults(self.spec):
            yield self.error(path, text)
        if not self.spec.traffic_policy and not self.spec.subsets:
            yield self.warning("spec", "says nothing: add trafficPolicy or subsets")

    def concerns(self, mesh: MeshConfig) -> tuple[str, ...]:
        return (hosts.fqdn(self.spec.host, self.metadata.namespace, mesh.domain),)

    @classmethod
    def apply(cls, policies: Iterable[Self], draft: Draft, view: View) -> None:
        if not isinstance(draft, ClusterDraft):
            return
        assert isinstance(draft.service, Service) and isinstance(draft.port, Port)
        chosen = _chosen(list(policies), draft.service, view)
        if not chosen:
            return
        # The same host twice in a namespace: subsets are merged, the oldest one's policy holds.
        subset = next(((rule, s) for rule in chosen for s in rule.spec.subsets if s.name == draft.subset), None) if draft.subset else None
        if draft.subset and subset is None:
            return  # nobody defines it: there is no such cluster
        policy = effective(chosen[0].spec.traffic_policy, subset[1].traffic_policy if subset else None, draft.port.number)
        write(policy, draft)
        draft.origins.append(chosen[0].origin())
        if subset:
            draft.subset_labels = dict(subset[1].labels)
            if subset[0] is not chosen[0]:
                draft.origins.append(subset[0].origin())


def _chosen(policies: Sequence[DestinationRule], service: Service, view: View) -> list[DestinationRule]:
    """The rules of the first namespace that has any: the client's, the service's, the root (Istio: destinationRule()). There, the most specific host."""
    for namespace in dict.fromkeys((view.namespace, service.namespace, view.mesh.root_namespace)):
        fitting = [p for p in policies if p.metadata.namespace == namespace and _holds_for(p, view)]
        if fitting:
            best = max(hosts.specificity(p.concerns(view.mesh)[0]) for p in fitting)
            same = [p for p in fitting if hosts.specificity(p.concerns(view.mesh)[0]) == best]
            # One that selects its callers goes before those for all (Istio: mergeDestinationRule with workloadSelector).
            return sorted(same, key=lambda p: not _labels(p))
    return []


def _labels(policy: DestinationRule) -> dict[str, str]:
    return policy.spec.workload_selector.match_labels if policy.spec.workload_selector else {}


def _holds_for(policy: DestinationRule, view: View) -> bool:
    labels = _labels(policy)
    if not labels:
        return True
    return policy.metadata.namespace == view.namespace and selects(labels, getattr(view, "labels", {}))


def _faults(spec: DestinationRuleSpec) -> Iterator[Fault]:
    if fault := host_fault(spec.host):
        yield "spec.host", fault
    for n, target in enumerate(spec.export_to):
        if target not in (".", "*", "~") and namespace_fault(target):
            yield f"spec.exportTo[{n}]", f"{target!r} must be '.', '*', '~' or a namespace"
    if spec.traffic_policy:
        yield from _policy(spec.traffic_policy, "spec.trafficPolicy")
    seen: set[str] = set()
    for n, subset in enumerate(spec.subsets):
        path = f"spec.subsets[{n}]"
        if not subset.name:
            yield f"{path}.name", "is required"
        elif not subset.name.replace("-", "").replace("_", "").replace(".", "").isalnum() or len(subset.name) > 63:
            yield f"{path}.name", f"{subset.name!r} must be letters, digits, '-', '_' or '.', at most 63"
        if subset.name in seen:
            yield f"{path}.name", f"the subset {subset.name!r} stands twice; keep one"
        seen.add(subset.name)
        for key, fault in label_faults(subset.labels, selecting=True):
            yield f"{path}.labels.{key}", fault
        if subset.traffic_policy:
            yield from _policy(subset.traffic_policy, f"{path}.trafficPolicy")


def _policy(policy: TrafficPolicy, path: str) -> Iterator[Fault]:
    yield from _parts(policy.load_balancer, policy.tls, path)
    seen: set[int] = set()
    for n, port in enumerate(policy.port_level_settings):
        if port.port.number in seen:
            yield f"{path}.portLevelSettings[{n}].port", f"port {port.port.number} stands twice; keep one"
        seen.add(port.port.number)
        yield from _parts(port.load_balancer, port.tls, f"{path}.portLevelSettings[{n}]")


def _parts(balancer: LoadBalancer | None, tls: ClientTls | None, path: str) -> Iterator[Fault]:
    if balancer:
        given = balancer.consistent_hash
        if balancer.simple and given:
            yield f"{path}.loadBalancer", "simple and consistentHash exclude one another; keep one"
        if balancer.simple is Simple.PASSTHROUGH:
            yield (
                f"{path}.loadBalancer.simple",
                "PASSTHROUGH is not supported yet: it needs the address that the caller meant (transparent interception)",
            )
        if given:
            keys = [k for k in ("http_header_name", "http_cookie", "use_source_ip", "http_query_parameter_name") if getattr(given, k)]
            if len(keys) != 1:
                yield (
                    f"{path}.loadBalancer.consistentHash",
                    "needs one of httpHeaderName, httpCookie, useSourceIp and httpQueryParameterName",
                )
            if given.ring_hash and given.maglev:
                yield f"{path}.loadBalancer.consistentHash", "ringHash and maglev exclude one another; keep one"
            if given.maglev and given.maglev.table_size and not _is_prime(given.maglev.table_size):
                yield f"{path}.loadBalancer.consistentHash.maglev.tableSize", f"{given.maglev.table_size} is no prime"
        if (balancer.warmup or balancer.warmup_duration_secs) and (given or balancer.simple is Simple.RANDOM):
            yield f"{path}.loadBalancer.warmup", "acts only with ROUND_ROBIN and LEAST_REQUEST"
    if tls and tls.mode is TlsMode.MUTUAL:
        for name in ("clientCertificate", "privateKey"):
            if not getattr(tls, {"clientCertificate": "client_certificate", "privateKey": "private_key"}[name]):
                yield f"{path}.tls.{name}", "is required for mode MUTUAL"
    if tls and tls.mode is TlsMode.ISTIO_MUTUAL and (tls.client_certificate or tls.private_key or tls.ca_certificates):
        yield f"{path}.tls", "mode ISTIO_MUTUAL uses the mesh's own certificates; remove the files, or use MUTUAL"


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % d for d in range(2, int(number**0.5) + 1))
