"""ServiceEntry: a service that no workload of ours declares: another company's API, a database, a host behind DNS."""

from collections.abc import Iterator
from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from meshconsole.core.mesh import hosts as host_names
from meshconsole.core.mesh.endpoints import declared
from meshconsole.core.mesh.model import Location, MeshConfig, Port, Protocol, Resolution, Service
from meshconsole.core.resources.common import NetworkingSelector, Whole
from meshconsole.core.resources.endpoints import FQDN, PORT_NAME, UNIX, WorkloadEndpoint, is_ip, is_range
from meshconsole.core.resources.envelope import Model
from meshconsole.core.resources.messages import Message
from meshconsole.core.resources.selectors import problems

from .base import Policy

_PROTOCOLS = {
    "": Protocol.UNKNOWN,
    **{each.value: each for each in Protocol if each.value},
    "grpc-web": Protocol.GRPC_WEB,
    "mongo": Protocol.TCP,
    "mysql": Protocol.TCP,
    "redis": Protocol.TCP,
}


class EntryResolution(StrEnum):
    NONE = "NONE"
    STATIC = "STATIC"
    DNS = "DNS"
    DNS_ROUND_ROBIN = "DNS_ROUND_ROBIN"
    DYNAMIC_DNS = "DYNAMIC_DNS"


class ServicePort(Model):
    number: Whole
    """The port that clients use, 1 to 65535."""
    name: str = ""
    """Unique among the ports; endpoints refer to it."""
    protocol: str = ""
    """`HTTP`, `HTTP2`, `GRPC`, `GRPC-WEB`, `HTTPS`, `TLS`, `TCP`, `MONGO`, `MYSQL`, `REDIS`. Default: sniffed, so declare it for protocols
    in which the server speaks first."""
    target_port: Whole | None = None
    """The port at the endpoints. Default: `number`."""


class ServiceEntrySpec(Model):
    hosts: list[str] = Field(max_length=256)
    """Host names of the service. A wildcard in front (`*.example.com`) goes with NONE, STATIC or DYNAMIC_DNS, or with endpoints."""
    addresses: list[str] = Field(default_factory=list, max_length=256)
    """Virtual IP addresses, or CIDR ranges with resolution NONE or STATIC, by which clients mean this service too."""
    ports: list[ServicePort] = Field(default_factory=list, max_length=256)
    """The service's ports."""
    location: Location = Location.MESH_EXTERNAL
    """`MESH_EXTERNAL` (default): no mutual TLS is tried. `MESH_INTERNAL`: endpoints may have proxies of the mesh."""
    resolution: EntryResolution = EntryResolution.NONE
    """How addresses are found. `NONE` (default): the proxy forwards to where the caller was going, by the name that it said. `STATIC`: the
    endpoints. `DNS`: all addresses that DNS gives for the endpoints, else for the hosts. `DNS_ROUND_ROBIN`: the first of them, taken anew
    for each new connection; one endpoint at most. `DYNAMIC_DNS`: of wildcard hosts, each name when it is called, by a request's Host or TLS'
    server name."""
    endpoints: list[WorkloadEndpoint] = Field(default_factory=list, max_length=4096)
    """Where the service runs. Not with workloadSelector."""
    workload_selector: NetworkingSelector | None = None
    """Labels of the endpoints: workloads and WorkloadEntries of the same namespace. Not with endpoints, nor with resolution NONE."""
    export_to: list[str] = Field(default_factory=list)
    """Namespaces that see it: names, `.` (its own), `*` (all, the default)."""
    subject_alt_names: list[str] = Field(default_factory=list)
    """Names of which the server's certificate must bear one, where the proxy makes the TLS connection."""


class ServiceEntry(Policy):
    group: ClassVar[str] = "networking.istio.io"
    versions: ClassVar[tuple[str, ...]] = ("v1", "v1beta1", "v1alpha3")
    plural: ClassVar[str] = "serviceentries"
    short_names: ClassVar[tuple[str, ...]] = ("se",)

    spec: ServiceEntrySpec
    """The service."""

    def services(self, mesh: MeshConfig) -> Iterator[Service]:
        spec = self.spec
        ports = tuple(
            Port(port.number, port.name, _PROTOCOLS.get(port.protocol.lower(), Protocol.UNKNOWN), port.target_port or 0)
            for port in spec.ports
        )
        endpoints = tuple(declared(each, self.metadata.namespace) for each in spec.endpoints)
        for host in dict.fromkeys(host.lower() for host in spec.hosts):
            yield Service(
                host=host_names.fqdn(host, self.metadata.namespace, mesh.domain),
                namespace=self.metadata.namespace,
                name=host,
                ports=ports,
                endpoints=endpoints,
                resolution=Resolution(spec.resolution.value),
                location=spec.location,
                export_to=tuple(spec.export_to) or mesh.service_export,
                addresses=tuple(spec.addresses),
                subject_alt_names=tuple(spec.subject_alt_names),
                created=self.metadata.creation_timestamp or "",
                selector=spec.workload_selector.labels if spec.workload_selector else None,
            )

    def check(self) -> Iterator[Message]:
        for problem in (self._hosts, self._ports, self._addresses, self._endpoints, self._dynamic, self._selection):
            yield from (self.error(path, text) for path, text in problem())

    def _hosts(self) -> Iterator[tuple[str, str]]:
        if not self.spec.hosts:
            yield "spec.hosts", "service entry must have at least one host"
        for i, host in enumerate(self.spec.hosts):
            path = f"spec.hosts[{i}]"
            bare = host.removeprefix("*.")
            if host == "*":
                yield path, "hostname cannot be wildcard"
            elif not FQDN.fullmatch(bare):
                yield path, f"{host!r} is neither a domain name nor a wildcard (`*.example.com`)"
            elif (
                bare != host and not self.spec.endpoints and self.spec.resolution in (EntryResolution.DNS, EntryResolution.DNS_ROUND_ROBIN)
            ):
                yield (
                    path,
                    f"hosts must be FQDN if no endpoints are provided for resolution mode {self.spec.resolution}: nobody can resolve {host!r}",
                )

    def _ports(self) -> Iterator[tuple[str, str]]:
        numbers: set[int] = set()
        names: set[str] = set()
        for i, port in enumerate(self.spec.ports):
            path = f"spec.ports[{i}]"
            if not 0 < port.number < 65536:
                yield f"{path}.number", "port must be between 1-65535"
            if port.target_port is not None and not 0 < port.target_port < 65536:
                yield f"{path}.targetPort", "port must be between 1-65535"
            if port.number in numbers:
                yield f"{path}.number", f"port number cannot be duplicated: {port.number}"
            if port.name and port.name in names:
                yield f"{path}.name", f"Duplicate value: {port.name!r}"
            if port.name and not PORT_NAME.fullmatch(port.name):
                yield f"{path}.name", f"port name {port.name!r} must be letters, digits and `-`, 62 at most"
            if port.protocol.lower() == "udp":
                yield f"{path}.protocol", "not supported yet: UDP"
            elif port.protocol.lower() not in _PROTOCOLS:
                yield (
                    f"{path}.protocol",
                    f"unknown protocol {port.protocol!r}: one of {', '.join(sorted(p.upper() for p in _PROTOCOLS if p))}",
                )
            numbers.add(port.number)
            names.add(port.name)

    def _addresses(self) -> Iterator[tuple[str, str]]:
        for i, address in enumerate(self.spec.addresses):
            path = f"spec.addresses[{i}]"
            if not is_range(address):
                yield path, f"{address!r} is neither an IP address nor a CIDR range"
            elif "/" in address and self.spec.resolution not in (EntryResolution.NONE, EntryResolution.STATIC):
                yield path, "CIDR addresses are allowed only for NONE/STATIC resolution types"

    def _endpoints(self) -> Iterator[tuple[str, str]]:
        spec, mode = self.spec, self.spec.resolution
        if spec.endpoints and mode is EntryResolution.NONE:
            yield "spec.endpoints", "NONE mode cannot set endpoints"
        if len(spec.endpoints) > 1 and mode is EntryResolution.DNS_ROUND_ROBIN:
            yield "spec.endpoints", "DNS_ROUND_ROBIN mode cannot have multiple endpoints"
        names = {port.name for port in spec.ports}
        for i, endpoint in enumerate(spec.endpoints):
            path = f"spec.endpoints[{i}]"
            yield from ((f"{path}.{field}", text) for field, text in endpoint.problems())
            unix = endpoint.address.startswith(UNIX)
            if not endpoint.address and endpoint.network and mode is not EntryResolution.STATIC:
                yield f"{path}.address", "address is required: only resolution STATIC reaches networks through their gateways"
            if unix and len(spec.ports) > 1:
                yield f"{path}.address", "a Unix socket serves exactly one service port"
            if unix and mode is not EntryResolution.STATIC:
                yield f"{path}.address", "a Unix socket goes with resolution STATIC"
            if mode is EntryResolution.STATIC and endpoint.address and not unix and not is_ip(endpoint.address):
                yield (
                    f"{path}.address",
                    f"must be an IP address for resolution STATIC: {endpoint.address!r} (for a host name: resolution DNS)",
                )
            for name in endpoint.ports:
                if name not in names:
                    yield f"{path}.ports.{name}", f"endpoint port {name!r} is not defined by the service entry"

    def _dynamic(self) -> Iterator[tuple[str, str]]:
        """What is looked up when it is called has a name that callers say, and no addresses that others know."""
        spec = self.spec
        if spec.resolution is not EntryResolution.DYNAMIC_DNS:
            return
        for i, host in enumerate(spec.hosts):
            if not host.startswith("*"):
                yield f"spec.hosts[{i}]", f"resolution DYNAMIC_DNS is for wildcard hosts: for {host!r}, use DNS"
        if spec.endpoints:
            yield "spec.endpoints", "no endpoints go with resolution DYNAMIC_DNS: names are looked up when they are called"
        if spec.workload_selector is not None:
            yield "spec.workloadSelector", "no workloads go with resolution DYNAMIC_DNS: names are looked up when they are called"
        if spec.location is Location.MESH_INTERNAL:
            yield "spec.location", "resolution DYNAMIC_DNS is for services outside of the mesh: MESH_EXTERNAL"
        for i, port in enumerate(spec.ports):
            found = _PROTOCOLS.get(port.protocol.lower(), Protocol.UNKNOWN)
            if found is Protocol.TCP:
                yield f"spec.ports[{i}].protocol", "with resolution DYNAMIC_DNS callers must say a name: HTTP, HTTP2, GRPC, TLS or HTTPS"

    def _selection(self) -> Iterator[tuple[str, str]]:
        spec = self.spec
        if spec.workload_selector is not None:
            yield from problems(spec.workload_selector.labels, "spec.workloadSelector.labels")
            if spec.endpoints:
                yield "spec.workloadSelector", "only one of workloadSelector or endpoints can be set"
        for i, scope in enumerate(spec.export_to):
            if scope not in ("*", ".", "~") and not PORT_NAME.fullmatch(scope):
                yield f"spec.exportTo[{i}]", f"{scope!r} is neither a namespace nor one of `.`, `*`, `~`"
