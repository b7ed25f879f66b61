"""Which policies act on what is drawn: from policies and names to badges, per service host and per workload. Pure."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from meshconsole.core.mesh.hosts import fqdn, is_wildcard, matches
from meshconsole.core.mesh.model import MeshConfig, ProxyKind, Service, Workload
from meshconsole.core.mesh.selection import oldest_first, selects
from meshconsole.core.policies.base import Policy

from .graph import Badge, PolicyName

DEFAULT = MeshConfig()
Found = dict[tuple[str, str], list[PolicyName]]
"""(place, badge) -> policies, oldest first."""


def of(
    policies: Iterable[Policy], services: Sequence[Service], workloads: Sequence[Workload], mesh: MeshConfig = DEFAULT
) -> dict[str, tuple[Badge, ...]]:
    """`service:<host>` and `workload:<ns>/<name>` -> badges, sorted by kind."""
    hosts = {s.host for s in services}
    found: Found = {}
    for policy in oldest_first(policies):
        name = PolicyName(policy.kind, policy.metadata.namespace, policy.metadata.name)
        for place, badge in set(_acts(policy, hosts, workloads, mesh)):
            names = found.setdefault((place, badge), [])
            if name not in names:
                names.append(name)
    places: dict[str, list[Badge]] = {}
    for (place, badge), names in sorted(found.items()):
        places.setdefault(place, []).append(Badge(badge, tuple(names)))
    return {place: tuple(badges) for place, badges in places.items()}


def _acts(policy: Policy, hosts: Collection[str], workloads: Sequence[Workload], mesh: MeshConfig) -> Iterable[tuple[str, str]]:
    match policy.kind:
        case "VirtualService":
            kinds = set(_of_routes(policy.spec))
            for host in _hosts(_targets(policy.spec), policy, hosts, mesh):
                yield from ((f"service:{host}", kind) for kind in kinds)
        case "DestinationRule":
            kinds = set(_of_traffic(policy.spec))
            for host in _hosts([policy.spec.host], policy, hosts, mesh):
                yield from ((f"service:{host}", kind) for kind in kinds)
        case "ServiceEntry":
            yield from ((f"service:{host}", "serviceEntry") for host in _hosts(policy.spec.hosts, policy, hosts, mesh))
        case "AuthorizationPolicy" | "RequestAuthentication":
            yield from ((f"workload:{w.id}", "authorization") for w in _selected(policy, workloads, mesh))
        case "PeerAuthentication":
            if policy.metadata.namespace != mesh.root_namespace or not _labels(_get(policy.spec, "selector")):  # else it counts nowhere
                yield from ((f"workload:{w.id}", "mtls") for w in _selected(policy, workloads, mesh))
        case "Gateway":
            chosen = _labels(policy.spec.selector)
            gateways = (w for w in workloads if w.kind is ProxyKind.GATEWAY and selects(chosen, w.labels))
            yield from ((f"workload:{w.id}", "gateway") for w in gateways)


def _targets(spec: Any) -> list[str]:
    """The hosts whose callers a VirtualService steers; for one on a gateway (hosts like `*`) those that it steers them to."""
    own = [h for h in spec.hosts if h != "*"]
    if own:
        return own
    routes = [r for part in ("http", "tcp", "tls") for r in _list(spec, part)]
    return sorted({d.destination.host for r in routes for d in _list(r, "route") if _get(d, "destination") is not None})


def _of_routes(spec: Any) -> Iterable[str]:
    yield "routing"
    for route in _list(spec, "http"):
        if _get(route, "fault") is not None:
            yield "fault"
        if _get(route, "mirror") is not None or _list(route, "mirrors"):
            yield "mirror"
        if _get(route, "timeout"):
            yield "timeout"
        if _get(route, "retries") is not None:
            yield "retry"
    for part in ("http", "tcp", "tls"):
        if any(len(_list(route, "route")) > 1 for route in _list(spec, part)):
            yield "shifting"


def _of_traffic(spec: Any) -> Iterable[str]:
    policies = [spec.traffic_policy, *(s.traffic_policy for s in _list(spec, "subsets"))]
    for policy in policies:
        if policy is None:
            continue
        for each in (policy, *_list(policy, "port_level_settings")):
            if _get(each, "outlier_detection") is not None or _get(each, "connection_pool") is not None:
                yield "circuitBreaker"
            if _get(each, "load_balancer") is not None:
                yield "loadBalancing"
            if _get(each, "tls") is not None:
                yield "mtls"


def _hosts(patterns: Iterable[str], policy: Policy, hosts: Collection[str], mesh: MeshConfig) -> list[str]:
    wanted = {fqdn(p, policy.metadata.namespace, mesh.domain) for p in patterns}
    found = [pattern for pattern in wanted if pattern in hosts]
    for wildcard in filter(is_wildcard, wanted):
        found += [host for host in hosts if host not in found and matches(wildcard, host)]
    return found


def _selected(policy: Policy, workloads: Sequence[Workload], mesh: MeshConfig) -> list[Workload]:
    everywhere = policy.metadata.namespace == mesh.root_namespace
    if attached := [*([ref] if (ref := _get(policy.spec, "target_ref")) else []), *_list(policy.spec, "target_refs")]:
        named = {each.name for each in attached}
        return [w for w in workloads if w.namespace == policy.metadata.namespace and named.intersection(w.services)]
    labels = _labels(_get(policy.spec, "selector"))
    return [w for w in workloads if (everywhere or w.namespace == policy.metadata.namespace) and selects(labels, w.labels)]


def _labels(selector: Any) -> dict[str, str]:
    if selector is None:
        return {}
    return dict(selector if isinstance(selector, dict) else selector.match_labels)


def _get(thing: Any, name: str) -> Any:
    return getattr(thing, name, None)


def _list(thing: Any, name: str) -> Sequence[Any]:
    return getattr(thing, name, None) or ()
