"""
The listeners that a Sidecar's egress asks for by port or Unix socket, each with hosts of its own. Counterpart: outbound.py, the one for all.

Their routes are complete and not on demand: a Sidecar names what is to be reached. Three units, and those of outbound_tcp.py for TCP and TLS:

    ("egress", client, Egress)               the listener with its route configuration; value: the clusters that they lead to
    ("egress-tcp", client, port)             which services are meant by connections to that port
    ("egress-host", client, Canonical, each) one of its virtual hosts; value: (facts, body, origins), None where nothing is routed
"""

from dataclasses import replace
from typing import NamedTuple

from meshconsole.core.envoy import defaults, hardening, listeners, loggers, routes, tracing
from meshconsole.core.envoy.draft import HostDraft, HttpFilter, Json
from meshconsole.core.envoy.resource_set import Failure, Origin, XdsType
from meshconsole.core.envoy.wire import blob
from meshconsole.core.mesh import hosts
from meshconsole.core.mesh.model import Protocol, Resolution, Service, Workload
from meshconsole.core.mesh.scope import Egress, Scope
from meshconsole.core.policies.base import Phase

from . import outbound_tcp, reporting, resolve
from .client import ClientClass, labels_of
from .kinds import Kinds
from .memo import Key, Result, Run, Tracer, Unit
from .outbound import NEEDED, http_ports
from .outbound_tcp import TcpPort
from .resolve import Canonical
from .view import UnitView
from .virtual_hosts import HostFacts, default_route, egress_cluster, render, write


class Served(NamedTuple):
    facts: HostFacts
    body: Json
    origins: tuple[Origin, ...]


def addresses(scope: Scope, workload: Workload) -> set[tuple[str, int]]:
    """Where a proxy's egress listeners stand, and its own application: no other listener may."""
    return {(each.bind or workload.outbound_address, each.port) for each in scope.listeners} | applications(workload)


def applications(workload: Workload) -> set[tuple[str, int]]:
    return {(port.app_address, port.app_port or port.number) for port in workload.ports}


def place(key: Key) -> tuple[object, int]:
    """Where a `tcp-listener` stands."""
    _, _, address, port = key
    assert isinstance(port, TcpPort)
    return address, port.number


def units(run: Run, scope: Scope, workload: Workload, failures: list[Failure]) -> list[Unit]:
    """Every egress listener of a proxy, and the clusters that they lead to."""
    labels, found, clusters = labels_of(workload), [], {}
    for each in scope.listeners:
        where = (each.bind or workload.outbound_address, each.port)
        if each.port in run.snapshot.bound.get(where[0], ()) or where in applications(workload):
            failures.append(_taken(*where, scope.origin))
            continue
        client = ClientClass(scope.namespace, each.hosts, True, scope.allow_any, egress_proxy=scope.egress_proxy, told=scope.told)
        own = each if each.bind else replace(each, bind=workload.outbound_address)
        if own.protocol.is_opaque:
            keys = _opaque(run, client, own, labels, failures)
        else:
            keys = [("egress", client, own)]
        for key in keys:
            unit = run.attempt(key, labels, failures)
            if unit is None:
                continue
            if key[0] != "tcp-host":
                found.append(unit)
            if key[0] != "tcp-listener":
                clusters.update(dict.fromkeys(("cluster", client, name) for name in unit.value.clusters))
    asked = [run.attempt(key, labels, failures) for key in clusters]
    return found + [unit for unit in asked if unit is not None]


def _taken(address: str, port: int, origin: str) -> Failure:
    """Envoy would refuse a second listener there; the proxy's other ones are not to suffer."""
    kind, _, name = origin.partition(" ")
    namespace, _, name = name.partition("/")
    reason = "a workload or its proxy listens there already: give the egress listener another bind or port"
    return Failure(f"egress {address}:{port}", (Origin(kind, namespace, name, "spec.egress"),), reason)


def _opaque(run: Run, client: ClientClass, egress: Egress, labels: dict[str, str], failures: list[Failure]) -> list[Key]:
    """The units of a listener for connections."""
    unit = run.attempt(("egress-tcp", client, egress.port), labels, failures)
    port: TcpPort | None = unit.value if unit else None
    if port is None:
        return []
    return [*(("tcp-host", client, host, port.number) for host in port.hosts), ("tcp-listener", client, egress.bind, port)]


def compile_opaque(tracer: Tracer, key: Key) -> Result:
    """Value: TcpPort, the services with that port whose connections can be carried as they are; None where there is none. Port 0: the
    first port that any has."""
    _, client, number = key
    assert isinstance(client, ClientClass)
    view = UnitView(tracer, client)
    found = []
    for host in dict.fromkeys(host for _, host in tracer.ask("hosts")):
        service = view.exactly(host)
        for port in service.ports if service is not None and not _anywhere(service) else ():
            if number in (0, port.number) and (port.protocol.is_opaque or port.protocol is Protocol.UNKNOWN):
                found.append((service.created, service.host, port.number))  # type: ignore[union-attr]
    if not found:
        return Result(None)
    first = min(found)[2]
    return Result(TcpPort(first, tuple(host for _, host, port in sorted(found) if port == first)))


def compile_listener(kinds: Kinds, tracer: Tracer, key: Key) -> Result:
    """Value: HostFacts, of all its virtual hosts."""
    _, client, egress = key
    assert isinstance(client, ClientClass) and isinstance(egress, Egress)
    view = UnitView(tracer, client)
    bodies: list[Json] = []
    clusters: dict[str, None] = {}
    filters: dict[HttpFilter, list[Json]] = {}
    origins: dict[Origin, None] = {}
    for canonical in _hosts(kinds, tracer, view, egress):
        served: Served | None = tracer.unit(("egress-host", client, canonical, bool(egress.port))).value
        if served is not None:
            bodies.append(served.body)
            clusters.update(dict.fromkeys(served.facts.clusters))
            filters.update({place: [NEEDED[place]] for place in served.facts.filters if place in NEEDED})
            origins.update(dict.fromkeys(served.origins))
    if not any("*" in body["domains"] for body in bodies):
        bodies.append(_others(view, client, egress, clusters))
    side = reporting.of_client(tracer, client)
    unix = not egress.port
    name = egress.bind if unix else f"{egress.bind}_{egress.port}"
    manager = listeners.http_manager(
        f"outbound_{name}",
        filters=listeners.ordered(filters),
        access_log=loggers.outbound_http(side),
        rds=egress.name,
        **hardening.paths(tracer.run.snapshot.mesh.path_normalization),
        **tracing.outbound(side.tracing),
    )
    chains, inspectors = [listeners.chain(name, {}, manager)], []
    if egress.protocol is Protocol.UNKNOWN:
        opaque = _carried(tracer, client, egress, clusters)
        if opaque:
            match = {**_RAW, "application_protocols": ["http/1.1", "http/1.0", "h2c"]}
            chains = [listeners.chain(name, {}, manager, match=match), *opaque]
            inspectors = [listeners.tls_inspector(), listeners.http_inspector()]
    body = listeners.listener(
        name,
        egress.bind,
        egress.port,
        chains,
        direction="OUTBOUND",
        inspectors=inspectors,
        patience=tracer.run.snapshot.mesh.detection_timeout,
    )
    config = routes.route_config(egress.name, bodies, defaults.MAX_DIRECT_RESPONSE_BYTES)
    blobs = (blob(XdsType.LDS, name, body), blob(XdsType.RDS, egress.name, config, tuple(origins)))
    return Result(HostFacts(tuple(clusters), frozenset(filters)), blobs)


def _carried(tracer: Tracer, client: ClientClass, egress: Egress, clusters: dict[str, None]) -> list[Json]:
    """What is no HTTP, where nothing says what it is: filter chains for the port's services that declare no HTTP either."""
    port: TcpPort | None = tracer.unit(("egress-tcp", client, egress.port)).value
    hosts_there = [tracer.unit(("tcp-host", client, host, port.number)).value for host in port.hosts] if port else []
    clusters.update(dict.fromkeys(name for found in hosts_there for name in found.clusters))
    logs = loggers.outbound_tcp(reporting.of_client(tracer, client))
    carried = [chain for found in hosts_there for chain in found.chains]
    chains = outbound_tcp.render(carried, address=egress.bind if egress.port else "", logs=logs)
    plain = [chain for chain in chains if not chain.get("filter_chain_match", {}).keys() - {"prefix_ranges"}]
    # Once the transport's kind has chosen, Envoy looks for no chain that leaves it open: what is neither HTTP nor TLS needs its own.
    raw = [{**c, "name": f"{c['name']} raw", "filter_chain_match": {**c.get("filter_chain_match", {}), **_RAW}} for c in plain]
    return [*chains, *raw]


_RAW = {"transport_protocol": "raw_buffer"}


def _hosts(kinds: Kinds, tracer: Tracer, view: UnitView, egress: Egress) -> list[Canonical]:
    """The visible services that have the port, and the hosts that only a VirtualService speaks of."""
    found: dict[Canonical, None] = {}
    services = [view.exactly(host) for host in dict.fromkeys(host for _, host in tracer.ask("hosts"))]
    for service in services:
        if service is not None and not _anywhere(service):
            numbers = [number for number in http_ports(service) if egress.port in (0, number)]
            found.update(dict.fromkeys(Canonical(service.host, number) for number in numbers))
    known = {service.host for service in services if service is not None}
    for kind in kinds.of(Phase.ROUTES) if egress.port else ():
        for host in tracer.ask("concerned", kind):
            if host not in known and not tracer.ask("service", host):
                found[Canonical(host, egress.port)] = None
    return sorted(found, key=lambda each: (each.host, each.port))


def _anywhere(service: Service) -> bool:
    """A wildcard whose hosts are known only from requests."""
    return hosts.is_wildcard(service.host) and service.resolution is Resolution.NONE


def compile_host(kinds: Kinds, tracer: Tracer, key: Key) -> Result:
    _, client, canonical, own_port = key
    assert isinstance(client, ClientClass) and isinstance(canonical, Canonical)
    view = UnitView(tracer, client)
    service = view.exactly(canonical.host)
    if own_port:
        # Whoever calls here has chosen the port already.
        names = resolve.spellings(view, service) if service else [canonical.host]
        domains = tuple([f"{name}:{canonical.port}" for name in names] + names)
    else:
        domains = resolve.domains(view, service, canonical.host, canonical.port)
    draft = HostDraft(host=canonical.host, port=canonical.port, domains=domains, service=service, client_labels=view.labels)
    if service is not None:
        draft.routes = [default_route(view, service, canonical.port)]
    write(kinds, tracer, view, draft)
    if not draft.routes:
        return Result(None)
    facts, body = render(draft, service, tracer, client, f"{canonical.host}:{canonical.port}")
    return Result(Served(facts, body, tuple(dict.fromkeys(draft.origins))))


def _others(view: UnitView, client: ClientClass, egress: Egress, clusters: dict[str, None]) -> Json:
    """Hosts that it is not for. With ALLOW_ANY they would go where the caller was going, which is this very listener: only an egress
    proxy can take them."""
    if client.allow_any and client.egress_proxy is not None:
        cluster = egress_cluster(view, client.egress_proxy, egress.port or 80)
        clusters[cluster] = None
        route: Json = {
            "match": {"prefix": "/"},
            "name": "allow_any",
            "route": {"cluster": cluster, **defaults.route_action(view.mesh.retry_policy)},
        }
        words = "PassthroughCluster;PassthroughCluster;"
    else:
        route = {"match": {"prefix": "/"}, "name": "block_all", "direct_response": {"status": 502}}
        words = "BlackHoleCluster;BlackHoleCluster;"
    return routes.virtual_host("others", ["*"], [route], service=words)
