"""
What a class of clients calls by TCP and by TLS of its own: one listener for each port of such services. Counterpart: outbound.py, HTTP.

Where traffic is not captured, an application reaches such a service by connecting to its proxy's outbound address at the *service's*
port (Istio's listener `0.0.0.0_<port>`), or at a virtual address of the service. Three units:

    ("tcp-ports", client)                      which listeners there are, and for which services each
    ("tcp-host", client, host, port)           the filter chains of one service's port
    ("tcp-listener", client, address, TcpPort) the listener, the chains of its services put together
"""

from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from typing import NamedTuple

from meshconsole.core.envoy import listeners, loggers
from meshconsole.core.envoy.draft import Json, NetworkFilter, RouteDestination, TcpDraft, TcpRoute
from meshconsole.core.envoy.resource_set import Origin, XdsType
from meshconsole.core.envoy.vocabulary import metadata
from meshconsole.core.envoy.wire import blob
from meshconsole.core.mesh import hosts
from meshconsole.core.mesh.model import Port, Service, Workload
from meshconsole.core.mesh.snapshot import Snapshot

from . import reporting, resolve
from .chain_matches import Matches
from .client import ClientClass
from .clusters import BY_NAME, by_server_name
from .kinds import Kinds
from .memo import Key, Result, Tracer
from .view import UnitView
from .virtual_hosts import egress_cluster, write


class TcpPort(NamedTuple):
    """A listener that a class of clients is to have."""

    number: int
    hosts: tuple[str, ...]
    """The services that it is for; where they cannot be told apart, the first wins."""
    address: str = ""
    """A virtual address of theirs; '' is the proxy's outbound address."""
    others: str = ""
    """The cluster for TLS to server names that none of them has (ALLOW_ANY); '' where there is no connection for them."""


class Chain(NamedTuple):
    """A filter chain: which connections, and what becomes of them."""

    name: str
    """Of what it is made from, not of its place: a chain that stays the same keeps its connections."""
    filter: Json
    """A TCP proxy; outbound, without access loggers."""
    tls: bool
    sni: tuple[str, ...] = ()
    subnets: tuple[str, ...] = ()
    own: bool = False
    """The service's default: where it has a listener of its own address, no name needs to be asked for."""
    origins: tuple[Origin, ...] = ()
    destinations: tuple[tuple[str, int], ...] = ()
    """(cluster, weight)"""
    by_name: int = 0
    """The port at which the server name itself is connected to; 0 where the cluster knows its endpoints."""

    @property
    def network(self) -> dict[NetworkFilter, list[Json]]:
        return {NetworkFilter.FORWARD: [listeners.forward_by_name(self.by_name)]} if self.by_name else {}


class TcpHost(NamedTuple):
    chains: tuple[Chain, ...] = ()
    clusters: tuple[str, ...] = ()


def compile_ports(tracer: Tracer, key: Key) -> Result:
    """Value: (TcpPort, …)."""
    _, client = key
    assert isinstance(client, ClientClass)
    view = UnitView(tracer, client)
    found: dict[tuple[str, int], list[Service]] = {}
    for host, number in tracer.ask("opaque"):
        service = view.exactly(host)
        port = service.port(number) if service else None
        if service is not None and port is not None and _can_be_meant(service, port):
            for address in ("", *_addresses(service)):
                found.setdefault((address, number), []).append(service)

    def rank(service: Service, address: str) -> tuple[bool, str, str]:
        # A service that has an address of its own leaves the common one to those that have none; then the oldest (Istio).
        return bool(_addresses(service)) and not address, service.created, service.host

    ports = []
    for (address, number), services in sorted(found.items()):
        names = tuple(s.host for s in sorted(services, key=lambda s: rank(s, address)))
        named = not address and all((port := s.port(number)) is not None and port.protocol.is_tls for s in services)
        ports.append(TcpPort(number, names, address, _others(view, client, number) if named else ""))
    return Result(tuple(ports))


def _others(view: UnitView, client: ClientClass, port: int) -> str:
    if client.allow_any and client.egress_proxy is not None:
        return egress_cluster(view, client.egress_proxy, port)
    return BY_NAME if client.allow_any else ""


def _can_be_meant(service: Service, port: Port) -> bool:
    """A wildcard of which the name says all that is known is meant by the server names of TLS, and by nothing else."""
    return port.protocol.is_tls or not by_server_name(service)


def _addresses(service: Service) -> list[str]:
    """Its virtual addresses that a proxy can bind as any process can: single ones of the loopback network."""
    return [address for address in service.addresses if "/" not in address and ip_address(address.strip("[]")).is_loopback]


def listener_keys(snapshot: Snapshot, workload: Workload, client: ClientClass, ports: Iterable[TcpPort]) -> list[Key]:
    """The listeners of one proxy: not where it, or another workload, listens at that address already, nor where it may not."""
    keys: list[Key] = []
    for port in ports:
        address = port.address or workload.outbound_address
        if port.number >= workload.lowest_port and port.number not in snapshot.bound.get(address, ()):
            keys.append(("tcp-listener", client, address, port))
    return keys


def compile_host(kinds: Kinds, tracer: Tracer, key: Key) -> Result:
    """Value: TcpHost."""
    _, client, host, number = key
    assert isinstance(client, ClientClass) and isinstance(host, str) and isinstance(number, int)
    view = UnitView(tracer, client)
    service = view.reached(host)
    port = service.port(number) if service else None
    if service is None or port is None:
        return Result(TcpHost())
    tls = port.protocol.is_tls
    names = tuple(name for name in resolve.spellings(view, service) if not hosts.is_address(name)) if tls else ()
    own = TcpRoute([RouteDestination(f"outbound|{number}||{host}")], names, own=True)
    draft = TcpDraft(host, number, tls, service, client_labels=view.labels, routes=[own])
    write(kinds, tracer, view, draft)
    return Result(chains_of(draft, tracer, client))


def chains_of(draft: TcpDraft, tracer: Tracer, client: ClientClass) -> TcpHost:
    chains = [
        Chain(
            f"{', '.join(route.sni) or draft.host} {route.origin}" if route.origin else draft.host,
            proxy_of(route, draft, tracer, client),
            draft.tls,
            route.sni,
            route.subnets,
            route.own,
            (route.origin,) if route.origin else (),
            tuple((each.cluster, each.weight) for each in route.destinations),
            next((port for each in route.destinations if (port := tracer.unit(("cluster", client, each.cluster)).value.by_name)), 0),
        )
        for route in draft.routes
    ]
    clusters = dict.fromkeys(destination.cluster for route in draft.routes for destination in route.destinations)
    return TcpHost(tuple(chains), tuple(clusters))


def proxy_of(route: TcpRoute, draft: TcpDraft, tracer: Tracer, client: ClientClass) -> Json:
    """The TcpProxy of a route, with what the first destination's policy says of connections (Istio: buildOutboundNetworkFilters)."""
    first = route.destinations[0].cluster
    options = dict(tracer.unit(("cluster", client, first)).value.tcp_proxy)
    logs = loggers.gateway_tcp(reporting.of_client(tracer, client)) if draft.gateway else []
    if len(route.destinations) == 1:
        return listeners.tcp_proxy(first, first, logs, **options)
    name = f"{route.origin.name}.{route.origin.namespace}" if route.origin else draft.host
    return listeners.tcp_proxy(name, [(each.cluster, each.weight) for each in route.destinations], logs, **options)


def compile_listener(tracer: Tracer, key: Key) -> Result:
    _, client, address, port = key
    assert isinstance(client, ClientClass) and isinstance(address, str) and isinstance(port, TcpPort)
    found = [chain for host in port.hosts for chain in tracer.unit(("tcp-host", client, host, port.number)).value.chains]
    name = f"{address}_{port.number}"
    if port.others:
        proxy = listeners.tcp_proxy(port.others, port.others, [])
        found.append(Chain("allow_any", proxy, True, ("*",), by_name=port.number if port.others == BY_NAME else 0))
    chains = render(found, address=address, alone=bool(port.address))
    if not chains:
        return Result(None)
    looking = any("server_names" in match or "transport_protocol" in match for c in chains if (match := c.get("filter_chain_match")))
    inspectors = [listeners.tls_inspector()] if looking else []
    # Logged once, by the listener: its chains are small, and connections that fall into none of them are counted too (NR).
    # Not shared: where another process, or another workload's proxy, has the port, connections must not be dealt to both. Envoy then
    # says that it cannot bind it, and goes without (xds/unbound.py).
    own = {"enable_reuse_port": False, "access_log": loggers.outbound_tcp(reporting.of_client(tracer, client))}
    body = listeners.listener(
        name,
        address,
        port.number,
        chains,
        direction="OUTBOUND",
        inspectors=inspectors,
        patience=tracer.run.snapshot.mesh.detection_timeout,
        extra=own,
    )
    # Origins stand at the chains: a listener of which only chains differ is changed without closing the others' connections.
    origins = tuple(dict.fromkeys(origin for chain in found for origin in chain.origins))
    return Result(None, (blob(XdsType.LDS, name, body, origins),))


def render(chains: Sequence[Chain], *, address: str = "", alone: bool = False, logs: Sequence[Json] = ()) -> list[Json]:
    """Filter chains that no two connections could fall into both: what an earlier one takes, a later one does not. `address`: where the
    listener stands, if that is one address: it is the one that is dialled, and rules about it are decided now. `alone`: it is the
    service's own, where nobody has to ask for its name. `logs`: of each chain, where the listener does not log its connections itself."""
    stands = hosts.network(address)
    if stands is not None and not stands.network_address.is_unspecified:  # no Unix socket, nor all addresses
        chains = [chain._replace(subnets=()) for chain in chains if not chain.subnets or _within(address, chain.subnets)]
    matches = Matches(subnet for chain in chains for subnet in chain.subnets)
    rendered: list[Json] = []
    for chain in chains:
        names = () if chain.own and alone else chain.sni
        # Any TLS is meant by a wildcard; what is not TLS is left to a TCP service of the same port.
        for match in matches.claim(names, chain.subnets, tls="*" in names):
            terminal = listeners.logging(chain.filter, logs) if logs else chain.filter
            rendered.append({**listeners.chain(chain.name, chain.network, terminal, match=match), **metadata(origins=chain.origins)})
    return rendered


def _within(address: str, subnets: Iterable[str]) -> bool:
    here = ip_address(address.strip("[]"))
    return any(here in network for subnet in subnets if (network := hosts.network(subnet)) is not None)
