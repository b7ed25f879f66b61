"""The unit of one virtual host: one host and port as one class of clients sees it, or as one gateway serves it."""

from typing import NamedTuple

from meshconsole.core.envoy import defaults, forwarding, listeners, routes
from meshconsole.core.envoy.draft import HostDraft, HttpFilter, Json, Route, RouteDestination, TcpDraft
from meshconsole.core.envoy.resource_set import XdsType
from meshconsole.core.envoy.wire import blob
from meshconsole.core.mesh import hosts, peer
from meshconsole.core.mesh.model import Service
from meshconsole.core.mesh.scope import EgressProxy
from meshconsole.core.policies.base import Phase

from . import resolve, tunnels
from .client import ClientClass
from .clusters import DYNAMIC, PASSTHROUGH
from .kinds import Kinds
from .memo import Key, Result, Tracer
from .view import UnitView, exported


class HostFacts(NamedTuple):
    """What the rest of the configuration must know of a virtual host."""

    clusters: tuple[str, ...]
    filters: frozenset[HttpFilter] = frozenset()
    """HTTP filters that its routes configure: the listener must have them."""


def compile_virtual_host(kinds: Kinds, tracer: Tracer, key: Key) -> Result:
    _, client, canonical = key
    assert isinstance(client, ClientClass) and isinstance(canonical, resolve.Canonical)
    view = UnitView(tracer, client)
    if not canonical.known:
        return _unknown(tracer, client, canonical)
    service = view.reached(canonical.host)
    draft = HostDraft(
        host=canonical.host,
        port=canonical.port,
        domains=resolve.domains(view, service, canonical.host, canonical.port),
        service=service,
        client_labels=view.labels,
    )
    if service is not None:
        draft.routes = [default_route(view, service, canonical.port)]
    write(kinds, tracer, view, draft)
    if not draft.routes:
        return _unknown(tracer, client, canonical)
    if service is not None and (port := service.port(canonical.port)) is not None and port.protocol.is_opaque:
        tunnel = tunnels.route(tracer, client, canonical.host, canonical.port)
        draft.routes = [*([tunnel] if tunnel else []), *draft.routes]
        draft.origins += [tunnel.origin] if tunnel and tunnel.origin and tunnel.origin not in draft.origins else []
    _do_not_wait(draft, tracer, client)
    facts, body = render(draft, service, tracer, client, canonical.name)
    return Result(facts, (blob(XdsType.VHDS, canonical.name, body, tuple(draft.origins)),))


def write(kinds: Kinds, tracer: Tracer, view: UnitView, draft: HostDraft | TcpDraft) -> None:
    for kind in kinds.outbound:
        policies = exported(tracer.ask("concerning", kind, draft.host), view)
        if kind.phase is Phase.ROUTES and not draft.gateway:
            policies = [policy for policy in policies if view.imports(policy)]
        if policies:
            kind.apply(policies, draft, view)


def default_route(view: UnitView, service: Service, port: int) -> Route:
    return Route(
        name="default",
        match={"prefix": "/"},
        destinations=[RouteDestination(f"outbound|{port}||{service.host}")],
        action=defaults.route_action(view.mesh.retry_policy),
    )


def _do_not_wait(draft: HostDraft, tracer: Tracer, client: ClientClass) -> None:
    """A route to a cluster that nobody defines is answered 503 at once, as in Istio; else each of its requests would wait for the cluster
    to be discovered on demand, 5 s long."""
    for each in draft.routes:
        if any(not tracer.unit(("cluster", client, destination.cluster)).value.exists for destination in each.destinations):
            each.filters[HttpFilter.ON_DEMAND] = listeners.not_on_demand()


def render(
    draft: HostDraft, service: Service | None, tracer: Tracer, client: ClientClass, name: str, *, require_tls: bool = False
) -> tuple[HostFacts, Json]:
    def hash_policy(cluster: str) -> tuple[Json, ...]:
        return tracer.unit(("cluster", client, cluster)).value.hash_policy

    for each in draft.routes:
        _tell(each, tracer, client)
    words = peer.service_words(service.host, service.name, service.namespace) if service else peer.service_words(draft.host, draft.host, "")
    rendered = [routes.route(each, hash_policy) for each in draft.routes]
    origins = tuple(dict.fromkeys(draft.origins))
    body = routes.virtual_host(name, draft.domains, rendered, service=words, origins=origins, require_tls=require_tls)
    filters = {place for each in draft.routes for place in each.filters if place is not HttpFilter.ON_DEMAND}
    if service is not None and any(port.number == draft.port and port.protocol.is_grpc for port in service.ports):
        filters.add(HttpFilter.GRPC_STATS)
    clusters = tuple(routes.clusters_of(draft.routes))
    if any(tracer.unit(("cluster", client, cluster)).value.by_name for cluster in clusters):
        filters.add(HttpFilter.DYNAMIC_FORWARD_PROXY)
    return HostFacts(clusters, frozenset(filters)), body


def _tell(route: Route, tracer: Tracer, client: ClientClass) -> None:
    """What its destinations' ports need: the caller's protocol where they declare none, gRPC where it is wrapped for browsers."""
    if not route.destinations or route.redirect is not None or route.direct_response is not None:
        return
    facts = [tracer.unit(("cluster", client, destination.cluster)).value for destination in route.destinations]
    if all(each.sniffed for each in facts):
        route.filters[HttpFilter.SPOKEN] = listeners.speaks()
    if any(each.grpc_web for each in facts):
        route.filters[HttpFilter.GRPC_WEB] = listeners.enabled()
    if (first := facts[0]).by_name and first.by_name != first.dialled:
        route.filters[HttpFilter.DYNAMIC_PORT] = forwarding.port_of(first.by_name)


def _unknown(tracer: Tracer, client: ClientClass, canonical: resolve.Canonical) -> Result:
    """A host that nobody declared: reached through DNS (ALLOW_ANY), or refused (REGISTRY_ONLY)."""
    authority = f"{canonical.host}:{canonical.port}"
    domains = [authority]
    if canonical.port == 80 and tracer.unit(("resolve", client, canonical.host)).value == canonical:
        # Without a port the name may mean a service's default port: no two virtual hosts may share a domain.
        domains.append(canonical.host)
    if canonical.port == client.outbound_port and (hosts.is_address(canonical.host) or canonical.host == "localhost"):
        advice = "This is the mesh's outbound port: name a service of the mesh as Host, or use it as an HTTP proxy.\n"
        route: Json = {"match": {"prefix": "/"}, "name": "loop", "direct_response": {"status": 502, "body": {"inline_string": advice}}}
        facts = HostFacts(())
        words = "BlackHoleCluster;BlackHoleCluster;"
    elif client.allow_any and client.egress_proxy is not None:
        cluster = egress_cluster(UnitView(tracer, client), client.egress_proxy, canonical.port)
        route = {
            "match": {"prefix": "/"},
            "name": "allow_any",
            "route": {"cluster": cluster, **defaults.route_action(tracer.run.snapshot.mesh.retry_policy)},
        }
        facts = HostFacts((cluster,))
        words = "PassthroughCluster;PassthroughCluster;"
    elif client.allow_any and not hosts.is_wildcard(canonical.host):
        dynamic = tracer.run.snapshot.mesh.allow_any_dynamic
        cluster = DYNAMIC if dynamic else PASSTHROUGH + authority
        route = {"match": {"prefix": "/"}, "name": "allow_any", "route": {"cluster": cluster, **defaults.timeouts("0s")}}
        facts = HostFacts((cluster,), frozenset((HttpFilter.DYNAMIC_FORWARD_PROXY,)) if dynamic else frozenset())
        words = f"{DYNAMIC};{DYNAMIC};" if dynamic else "PassthroughCluster;PassthroughCluster;"
    else:
        route = {"match": {"prefix": "/"}, "name": "block_all", "direct_response": {"status": 502}}
        facts = HostFacts(())
        words = "BlackHoleCluster;BlackHoleCluster;"
    tunnel = {**route, "match": tunnels.MATCH, "name": f"{route['name']} tunnel"}
    if "route" in route:
        tunnel["route"] = {"cluster": route["route"]["cluster"], **tunnels.ENDED}
    body = routes.virtual_host(canonical.name, domains, [route, tunnel], service=words)
    return Result(facts, (blob(XdsType.VHDS, canonical.name, body),))


def egress_cluster(view: UnitView, proxy: EgressProxy, port: int) -> str:
    return view.cluster(proxy.host, proxy.namespace, port=proxy.port or None, subset=proxy.subset, default_port=port)


def placeholder() -> Result:
    """VHDS's first response must hold a virtual host, or the listener never warms."""
    name = "outbound/init.invalid"
    return Result(HostFacts(()), (blob(XdsType.VHDS, name, {"name": name, "domains": ["init.invalid"]}),))
