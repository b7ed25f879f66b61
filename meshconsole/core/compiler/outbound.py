"""Everything that one class of clients calls: virtual hosts that were asked for (or are eager), their clusters and endpoints."""

from collections.abc import Iterable

from meshconsole.core.envoy import defaults, forwarding, hardening, listeners, loggers, routes, tracing
from meshconsole.core.envoy.draft import HttpFilter, Json
from meshconsole.core.envoy.reporting import Side
from meshconsole.core.envoy.resource_set import Blob, Failure, Name, XdsType
from meshconsole.core.envoy.wire import blob
from meshconsole.core.mesh import hosts
from meshconsole.core.mesh.model import Labels, Protocol, Service
from meshconsole.core.mesh.snapshot import Question

from . import reporting
from .client import ClientClass, label
from .clusters import PASSTHROUGH, parse_name
from .demand import Demand
from .memo import Key, Result, Run, Tracer, Unit
from .outbound_tcp import TcpPort
from .resolve import Canonical
from .view import UnitView

ROUTES = "outbound"
_LARGE = 256
"""Units."""

NEEDED: dict[HttpFilter, Json] = {
    HttpFilter.DYNAMIC_PORT: forwarding.port_filter(),
    HttpFilter.DYNAMIC_FORWARD_PROXY: forwarding.http_filter(),
    HttpFilter.LOCAL_RATE_LIMIT: listeners.local_rate_limit(),
    HttpFilter.GRPC_WEB: listeners.grpc_web(off=True),
    HttpFilter.SPOKEN: listeners.spoken(),
    HttpFilter.GRPC_STATS: listeners.grpc_stats(),
    HttpFilter.FAULT: listeners.fault(),
    HttpFilter.CORS: listeners.cors(),
}
"""What a route can configure, or a host's protocol asks for, and the listener then must have."""


def compile_listener(tracer: Tracer, key: Key) -> Result:
    """The one outbound listener and its route configuration."""
    _, address, port, needed, told, _ = key
    assert isinstance(address, str) and isinstance(port, int) and isinstance(needed, frozenset)
    filters = {HttpFilter.ON_DEMAND: [listeners.on_demand()], **{place: [NEEDED[place]] for place in needed if place in NEEDED}}
    mesh = tracer.run.snapshot.mesh
    assert told is None or isinstance(told, Side)
    side = told or reporting.default(mesh)
    manager = listeners.http_manager(
        f"outbound_{address}_{port}",
        filters=listeners.ordered(filters),
        access_log=loggers.outbound_http(side, tunnels=True),
        rds=ROUTES,
        upgrade_configs=[{"upgrade_type": "websocket"}, {"upgrade_type": "CONNECT"}],
        **hardening.paths(mesh.path_normalization),
        **tracing.outbound(side.tracing),
    )
    body = listeners.listener(ROUTES, address, port, [listeners.chain(ROUTES, {}, manager)], direction="OUTBOUND")
    config = routes.on_demand_config(ROUTES, defaults.MAX_DIRECT_RESPONSE_BYTES)
    return Result(None, (blob(XdsType.LDS, ROUTES, body), blob(XdsType.RDS, ROUTES, config)))


def compile_eager(tracer: Tracer, key: Key) -> Result:
    """Value: the virtual hosts that a class of clients gets unasked."""
    _, client = key
    assert isinstance(client, ClientClass)
    view = UnitView(tracer, client)
    found = []
    for _, host in dict.fromkeys(tracer.ask("hosts")):
        service = None if hosts.is_wildcard(host) else view.exactly(host)
        if service is not None:
            found += [Canonical(host, number) for number in http_ports(service)]
    return Result(tuple(dict.fromkeys(found)))


def http_ports(service: Service) -> list[int]:
    return [port.number for port in service.ports if port.protocol.is_http or port.protocol is Protocol.UNKNOWN]


class OutboundSet:
    """One class's outbound resources under one demand, put together from units; shared by every proxy of the class."""

    def __init__(self, client: ClientClass, demand: Demand, token: object):
        self.client = client
        self.demand = demand
        self.token = token
        """The snapshot for which it holds."""
        self.version = object()
        """Another one whenever something in it changed."""
        self.units: dict[Key, Unit] = {}
        self.aliases: dict[str, str] = {}
        self.blobs: dict[Name, Blob] = {}
        self.filters: frozenset[HttpFilter] = frozenset()
        self.tcp: tuple[TcpPort, ...] = ()
        """Where the class's proxies listen for connections to TCP and TLS services."""
        self.failures: tuple[Failure, ...] = ()
        self.labels: dict[str, str | None] = {}
        """Labels of the client that some unit read: it holds for clients that answer the same."""
        self.seen = 0
        self._readers: dict[Question, set[Key]] | None = None
        """Question -> the units that read it, or used one that did; only in sets so large that looking at each unit would be felt."""

    def holds_for(self, labels: Labels) -> bool:
        return all(label(labels, key) == value for key, value in self.labels.items())

    def index(self) -> None:
        if len(self.units) > _LARGE:
            self._readers = {}
            for unit in self.units.values():
                self._note(unit)

    def _note(self, unit: Unit) -> None:
        if self._readers is not None:
            for question in unit.questions:
                self._readers.setdefault(question, set()).add(unit.key)

    def _affected(self, dirty: frozenset[Question]) -> Iterable[Key]:
        if self._readers is None:
            return [key for key, unit in self.units.items() if not dirty.isdisjoint(unit.questions)]
        return {key for question in dirty for key in self._readers.get(question, ())}

    def revise(self, run: Run, labels: Labels) -> bool:
        """Bring it to the snapshot that follows its own; only units that read what changed are looked at. False where it must be
        assembled anew, since what belongs to it changed."""
        assert run.snapshot.dirty is not None
        changed = [unit for key in self._affected(run.snapshot.dirty) if (unit := run.unit(key, labels)) is not self.units[key]]
        if any(unit.value != self.units[unit.key].value or unit.failures != self.units[unit.key].failures for unit in changed):
            return False
        for unit in changed:
            for each in self.units[unit.key].blobs:
                self.blobs.pop((each.type, each.name), None)
            self.blobs.update(((each.type, each.name), each) for each in unit.blobs)
            self.units[unit.key] = unit
            self.labels.update(unit.labels)
            self._note(unit)  # a reader too many costs one look
        if changed:
            self.version = object()
        self.token = run.snapshot.token
        return True


def assemble(run: Run, client: ClientClass, labels: Labels, demand: Demand) -> OutboundSet:
    result = OutboundSet(client, demand, run.snapshot.token)

    failures: list[Failure] = []

    def take(key: Key) -> Unit | None:
        unit = result.units.get(key)
        if unit is None:
            unit = run.attempt(key, labels, failures)
            if unit is None:
                return None
            result.units[key] = unit
            for each in unit.blobs:
                result.blobs[each.type, each.name] = each
            result.labels.update(unit.labels)
        return unit

    eager = take(("eager", client)) if client.eager else None
    wanted: dict[Canonical, None] = dict.fromkeys(eager.value) if eager else {}
    apart = take(("apart", client))
    wanted.update(dict.fromkeys(apart.value) if apart else {})
    for authority in sorted(demand.hosts):
        resolved = take(("resolve", client, authority))
        if resolved is None:
            continue
        canonical = resolved.value
        result.aliases[authority] = canonical.name if canonical is not None else ""
        if canonical is not None:
            wanted[canonical] = None
    take(("placeholder",))
    clusters: dict[str, None] = {}
    filters: set[HttpFilter] = set()
    for canonical in wanted:
        host = take(("host", client, canonical))
        if host is not None:
            clusters.update(dict.fromkeys(host.value.clusters))
            filters |= host.value.filters
    ports = take(("tcp-ports", client))
    result.tcp = ports.value if ports else ()
    for host, number in dict.fromkeys((host, port.number) for port in result.tcp for host in port.hosts):
        found = take(("tcp-host", client, host, number))
        if found is not None:
            clusters.update(dict.fromkeys(found.value.clusters))
    clusters.update(dict.fromkeys(port.others for port in result.tcp if port.others))
    clusters.update(dict.fromkeys(sorted(filter(_is_cluster, demand.clusters))))
    for name in clusters:
        take(("cluster", client, name))
    result.filters = frozenset(filters)
    result.failures = tuple(dict.fromkeys(failures))
    result.index()
    return result


def _is_cluster(name: str) -> bool:
    return parse_name(name) is not None or (name.startswith(PASSTHROUGH) and name.rpartition(":")[2].isdigit())
