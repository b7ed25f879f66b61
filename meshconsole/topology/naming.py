"""Which node stands for an end of an edge, in each kind of graph. The counterpart for what is drawn is build.py."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from meshconsole.core.mesh.model import Location, Service, Workload
from meshconsole.core.mesh.peer import describe
from telemetry.edges import Edge, Peer

from .graph import GraphKind, NodeKind

CLUSTERS = ("PassthroughCluster", "BlackHoleCluster", "InboundPassthroughCluster")


class Name(NamedTuple):
    """What makes a node the same node."""

    id: str
    kind: NodeKind
    namespace: str
    name: str
    app: str = ""
    version: str = ""

    @property
    def label(self) -> str:
        if self.kind == "unknown":
            return "unknown"
        return f"{self.name} {self.version}" if self.kind == "version" and self.version else self.name


UNKNOWN = Name("unknown:", "unknown", "", "")


def app_and_version(workload: Workload) -> tuple[str, str]:
    """What metrics call its canonical service, and its version ('' for none)."""
    _, _, _, version, service, revision = describe(workload.name, workload.namespace, workload.labels).split(";")
    return service, version or ("" if revision == "latest" else revision)


@dataclass(frozen=True)
class Registry:
    """What discovery knows, indexed."""

    services: Mapping[str, Service] = field(default_factory=dict)
    """By host."""
    workloads: Mapping[tuple[str, str], Workload] = field(default_factory=dict)
    """By namespace and name."""

    hosts: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """By namespace and short name."""

    @classmethod
    def of(cls, services: Sequence[Service], workloads: Sequence[Workload]) -> "Registry":
        return cls(
            {s.host: s for s in services},
            {(w.namespace, w.name): w for w in workloads},
            {(s.namespace, s.name): s.host for s in services},
        )

    def hosts_of(self, workload: Workload) -> set[str]:
        return {self.hosts[workload.namespace, n] for n in workload.services if (workload.namespace, n) in self.hosts}

    def is_external(self, host: str) -> bool:
        service = self.services.get(host)
        return service is not None and service.location is Location.MESH_EXTERNAL


class Naming:
    """Names for one kind of graph; remembers what it has named."""

    def __init__(self, kind: GraphKind, registry: Registry) -> None:
        self.kind = kind
        self.registry = registry
        self._peers: dict[Peer, Name] = {}
        self._services: dict[tuple[str, str, str], Name] = {}

    def source(self, edge: Edge) -> Name:
        if not edge.source.known:
            return UNKNOWN
        return self.peer(edge.source)

    def target(self, edge: Edge) -> Name:
        if self.kind == "service" or not edge.destination.known:
            return self.service(edge.service, edge.service_name, edge.service_namespace) or (
                self.peer(edge.destination) if edge.destination.known else UNKNOWN
            )
        return self.peer(edge.destination)

    def peer(self, peer: Peer) -> Name:
        name = self._peers.get(peer)
        if name is None:
            registered = self.registry.workloads.get((peer.namespace, peer.workload))
            if registered is not None:
                name = self.known(registered)  # its two ends of an edge may know it by different labels
            else:
                name = self.workload(peer.namespace, peer.workload, peer.canonical_service or peer.app or peer.workload, peer.version)
            self._peers[peer] = name
        return name

    def known(self, workload: Workload) -> Name:
        return self.workload(workload.namespace, workload.name, *app_and_version(workload))

    def workload(self, namespace: str, workload: str, app: str, version: str) -> Name:
        match self.kind:
            case "workload":
                return Name(f"workload:{namespace}/{workload}", "workload", namespace, workload, app, version)
            case "versionedApp":
                suffix = f"/{version}" if version else ""
                return Name(f"version:{namespace}/{app}{suffix}", "version", namespace, app, app, version)
            case "app":
                return Name(f"app:{namespace}/{app}", "app", namespace, app, app)
        there = self.registry.workloads.get((namespace, workload))
        if there is not None and there.services:
            serves = sorted(there.services)
            return service_name("", app if app in serves else serves[0], namespace)
        return Name(f"workload:{namespace}/{workload}", "workload", namespace, workload, app, version)

    def service(self, host: str, name: str, namespace: str) -> Name | None:
        words = (host, name, namespace)
        if words not in self._services:
            if not host and not name:
                return None
            self._services[words] = service_name(host, name, namespace)
        return self._services[words]


def service_name(host: str, name: str, namespace: str) -> Name:
    """Services of the mesh by namespace and short name; what lies outside by its host."""
    if name in CLUSTERS or not namespace or name == host:
        outside = host or name
        return Name(f"service:/{outside}", "service", "" if name in CLUSTERS else namespace, outside)
    return Name(f"service:{namespace}/{name}", "service", namespace, name)
