"""The services that follow from workloads, and how services of one host are told apart. Counterpart: policies that declare services (ServiceEntry)."""

from collections.abc import Iterable
from dataclasses import replace

from .hosts import is_address
from .model import Endpoint, Port, Protocol, ProxyKind, Resolution, Service, Workload, WorkloadPort
from .selection import selects

_TCP_PORTS = frozenset((25, 53, 3306, 27017))
"""Server-first or binary protocols by habit: never sniffed (Istio: wellKnownPorts)."""


_APP_PROTOCOLS = {"h2c": Protocol.HTTP2, "ws": Protocol.HTTP, "wss": Protocol.HTTPS}


def declared_protocol(name: str, number: int = 0) -> Protocol:
    """Istio's port naming, `<protocol>[-suffix]`; and Kubernetes' words for an `appProtocol`."""
    if (said := _APP_PROTOCOLS.get(name.lower().removeprefix("kubernetes.io/"))) is not None:
        return said
    word = name.lower().replace("grpc-web", "grpcweb").partition("-")[0]
    if word == "grpcweb":
        return Protocol.GRPC_WEB
    if word in ("mongo", "mysql", "redis"):
        return Protocol.TCP
    try:
        found = Protocol(word)
    except ValueError:
        found = Protocol.UNKNOWN
    return Protocol.TCP if found is Protocol.UNKNOWN and number in _TCP_PORTS else found


def protocol_of(port: WorkloadPort) -> Protocol:
    """Istio: an appProtocol, even one that nobody knows, is heard instead of the name."""
    return port.protocol or declared_protocol(port.app_protocol or port.name, port.number)


def derive(
    host: str, name: str, namespace: str, workloads: Iterable[Workload], mesh_ready: bool = True, export_to: tuple[str, ...] = ("*",)
) -> Service:
    """One service from the workloads that say they serve it; each is an endpoint at its own ports."""
    ordered = sorted(workloads, key=lambda w: (w.created, w.id))
    ports: dict[int, Port] = {}
    for workload in ordered:
        for port in workload.ports:
            ports.setdefault(port.number, Port(port.number, port.name, protocol_of(port)))
    return Service(
        host=host,
        namespace=namespace,
        name=name,
        ports=tuple(ports[number] for number in sorted(ports)),
        endpoints=tuple(endpoint(w, mtls=mesh_ready) for w in sorted(ordered, key=lambda w: w.id)),
        export_to=export_to,
        created=ordered[0].created if ordered else "",
    )


def endpoint(workload: Workload, *, mtls: bool = True) -> Endpoint:
    """`ports` has a key for each port number that it serves: a service's port that is not among them has no endpoint here."""
    return Endpoint(
        address=workload.address,
        ports=tuple((str(port.number), port.number) for port in workload.ports),
        labels=workload.labels,
        namespace=workload.namespace,
        workload=workload.name,
        service_account=workload.service_account,
        # A gateway's servers say themselves what TLS they speak; its port is no inbound port of a sidecar (Istio: no tlsMode label).
        mtls=mtls and workload.kind is not ProxyKind.GATEWAY,
        healthy=workload.healthy,
        locality=workload.locality,
        weight=workload.weight,
        network=workload.network,
    )


def port_at(endpoint: Endpoint, port: Port) -> int | None:
    """The port to dial at `endpoint` for the service's `port`; None where it does not serve it."""
    serves = dict(endpoint.ports)
    if port.name in serves:
        return serves[port.name]
    if str(port.number) in serves:
        return serves[str(port.number)]
    if any(key.isdigit() for key in serves):
        return None
    return port.target_port or port.number


def merge(services: Iterable[Service]) -> tuple[Service, ...]:
    """Services of one host: those of one namespace become one (as Istio merges ServiceEntries); oldest first."""
    merged: dict[str, Service] = {}
    for service in sorted(services, key=lambda s: (s.created, s.namespace)):
        first = merged.get(service.namespace)
        if first is None:
            merged[service.namespace] = service
            continue
        numbers = {port.number for port in first.ports}
        merged[service.namespace] = replace(
            first,
            ports=first.ports + tuple(port for port in service.ports if port.number not in numbers),
            endpoints=first.endpoints + tuple(e for e in service.endpoints if e not in first.endpoints),
            subject_alt_names=tuple(dict.fromkeys(first.subject_alt_names + service.subject_alt_names)),
        )
    return tuple(merged.values())


def _served(workload: Workload, port: Port) -> int | None:
    """Where the workload serves a service's port: the member of a group at its port of that name (Istio takes a WorkloadEntry's `ports`
    so), else at the number."""
    named = next((each.number for each in workload.ports if workload.group and port.name and each.name == port.name), None)
    number = port.target_port or port.number
    return named if named is not None else number if any(each.number == number for each in workload.ports) else None


def filled(service: Service, workloads: Iterable[Workload], declared: Iterable[Endpoint]) -> Service:
    """A service that selects its endpoints (`selector`), with those of its namespace that bear the labels, in the order of their names."""
    if service.selector is None or service.resolution is Resolution.NONE:
        return service
    chosen = [each for each in declared if selects(service.selector, each.labels)]
    if service.resolution is Resolution.STATIC:
        # A name is DNS's to resolve; without an address it is reached through its network's gateways.
        chosen = [each for each in chosen if is_address(each.address) or each.address.startswith(("/", "@")) or not each.address]
    for workload in sorted(workloads, key=lambda w: w.id):
        if selects(service.selector, workload.labels):
            ports = tuple((str(p.number), number) for p in service.ports if (number := _served(workload, p)) is not None)
            if ports:
                chosen.append(replace(endpoint(workload), ports=ports))
    return replace(service, endpoints=(*service.endpoints, *chosen))


def default_port(service: Service) -> Port | None:
    """Where a request goes whose Host names no port: 80, else the only HTTP port, else the first one."""
    http = [port for port in service.ports if port.protocol.is_http or port.protocol is Protocol.UNKNOWN]
    return service.port(80) or next(iter(http), None)
