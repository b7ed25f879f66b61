"""Edges, services, workloads and proxies in; the graph out. Pure: the same input gives the same graph."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from meshconsole.core.mesh.model import ProxyKind, Service, Workload
from telemetry.edges import Edge as Traffic

from .graph import Badge, Box, Edge, Graph, GraphKind, Health, Instance, Node, Proxies, Rates, Totals
from .health import DEFAULTS, Tolerances, of_instances, of_requests, worst
from .naming import CLUSTERS, UNKNOWN, Name, Naming, Registry
from .sums import Flow, Sums, rounded

Badges = Mapping[str, Sequence[Badge]]
"""`workload:<ns>/<name>` or `service:<host>` -> what policies make of it."""


@dataclass(frozen=True)
class Period:
    """The window that the edges were counted in, as it is told to the browser."""

    window: int
    start: str
    end: str


@dataclass(frozen=True)
class Known:
    """All that is known without traffic."""

    services: Sequence[Service] = ()
    workloads: Sequence[Workload] = ()
    instances: Mapping[str, Instance] = field(default_factory=dict)
    """By proxy id."""
    badges: Badges = field(default_factory=dict)


@dataclass
class _Node:
    name: Name
    inbound: Flow = field(default_factory=Flow)
    outbound: Flow = field(default_factory=Flow)
    workloads: set[str] = field(default_factory=set)
    hosts: set[str] = field(default_factory=set)


def build(
    traffic: Sequence[Traffic],
    known: Known,
    period: Period,
    kind: GraphKind = "versionedApp",
    namespaces: Collection[str] | None = None,
    *,
    idle: bool = True,
    tolerances: Tolerances = DEFAULTS,
) -> Graph:
    """`traffic` may hold edges of other namespaces at their far ends; `namespaces` bounds what is shown without traffic."""
    registry = Registry.of(known.services, known.workloads)
    naming = Naming(kind, registry)
    nodes: dict[str, _Node] = {}
    drawn: dict[tuple[str, str, str], Sums] = {}
    for edge in traffic:
        source, target = naming.source(edge), naming.target(edge)
        a, b = _node(nodes, source), _node(nodes, target)
        if edge.source.known:
            a.workloads.add(edge.source.workload)
        if edge.destination.known:
            b.workloads.add(edge.destination.workload)
        if edge.service:
            b.hosts.add(edge.service)
        sums = drawn.get((source.id, target.id, edge.protocol))
        if sums is None:
            sums = drawn[source.id, target.id, edge.protocol] = Sums()
        sums.add(edge)
    for (from_, to, _), sums in drawn.items():
        nodes[from_].outbound.merge(sums)
        nodes[to].inbound.merge(sums)
    every = Flow()
    for node in nodes.values():
        every.merge(node.inbound)
    _add_known(nodes, naming, registry, known, namespaces, idle)

    edges = tuple(_edge(ids, sums, nodes, tolerances) for ids, sums in sorted(drawn.items()))
    boxes = _boxes(kind, nodes)
    finished = tuple(_finish(nodes[id_], boxes, registry, known, namespaces, tolerances) for id_ in sorted(nodes))
    return Graph(
        kind=kind,
        window=period.window,
        start=period.start,
        end=period.end,
        namespaces=None if namespaces is None else tuple(sorted(namespaces)),
        nodes=finished,
        edges=edges,
        boxes=_healthy(boxes, finished),
        totals=Totals(rounded(every.rate), rounded(every.error_share), every.mtls_share, rounded(every.tcp_rate)),
        proxies=_proxies(finished),
    )


def _node(nodes: dict[str, _Node], name: Name) -> _Node:
    node = nodes.get(name.id)
    if node is None:
        node = nodes[name.id] = _Node(name)
    return node


def _add_known(
    nodes: dict[str, _Node], naming: Naming, registry: Registry, known: Known, namespaces: Collection[str] | None, idle: bool
) -> None:
    """Every workload to its node (those without traffic only when `idle`), then the services that no workload serves."""
    served: set[str] = set()
    for workload in known.workloads:
        hosts = registry.hosts_of(workload)
        served |= hosts
        name = naming.known(workload)
        shown = namespaces is None or workload.namespace in namespaces
        if name.id not in nodes and not (idle and shown):
            continue
        node = _node(nodes, name)
        node.workloads.add(workload.name)
        node.hosts |= hosts if name.kind != "service" else {h for h in hosts if naming.service(*_words(registry.services[h])) == name}
    for service in known.services:
        if service.host in served or not idle or (namespaces is not None and service.namespace not in namespaces):
            continue
        named = naming.service(*_words(service))
        if named is not None:
            _node(nodes, named).hosts.add(service.host)


def _words(service: Service) -> tuple[str, str, str]:
    return service.host, service.name, service.namespace


def _edge(ids: tuple[str, str, str], sums: Sums, nodes: Mapping[str, _Node], tolerances: Tolerances) -> Edge:
    source, target, protocol = ids
    responses = sums.responses
    health = of_requests(responses, "inbound", tolerances)
    if tolerances.directed or health.status not in ("healthy", "none"):
        health = worst([health, of_requests(responses, "outbound", tolerances)])
    out = nodes[source].outbound
    p50, p95, p99 = sums.quantiles()
    return Edge(
        id=f"{source}→{target}→{protocol}",
        source=source,
        target=target,
        protocol=protocol,
        services=tuple(sorted(sums.services)),
        rate=rounded(sums.connection_rate if protocol == "tcp" else sums.rate),
        requests=sums.connections if protocol == "tcp" else sums.requests,
        share=rounded(sums.tcp_bytes / out.tcp_bytes if protocol == "tcp" and out.tcp_bytes else sums.requests / max(out.requests, 1)),
        error_share=rounded(sums.error_share),
        errors4xx=rounded(sums.share(sums.errors_4xx)),
        errors5xx=rounded(sums.share(sums.errors_5xx)),
        codes=sums.codes(),
        flags=sums.flags(),
        grpc=sums.statuses(),
        p50=p50,
        p95=p95,
        p99=p99,
        mean=rounded(sums.duration / sums.requests) if sums.requests and sums.duration else None,
        request_bytes=rounded(sums.request_rate),
        response_bytes=rounded(sums.response_rate),
        mtls_share=sums.mtls_share,
        source_principals=tuple(sorted(sums.source_principals)),
        target_principals=tuple(sorted(sums.target_principals)),
        reporter=sums.reporter,
        health=health,
    )


def _finish(
    node: _Node,
    boxes: Mapping[str, Box],
    registry: Registry,
    known: Known,
    namespaces: Collection[str] | None,
    tolerances: Tolerances,
) -> Node:
    name = node.name
    inside = namespaces is None or not name.namespace or name.namespace in namespaces
    workloads = [w for n in sorted(node.workloads) if (w := registry.workloads.get((name.namespace, n))) is not None] if inside else []
    instances = () if name.kind == "service" else tuple(_instance(w, known.instances) for w in workloads)
    health = worst(
        [
            of_requests(node.inbound.responses, "inbound", tolerances),
            of_requests(node.outbound.responses, "outbound", tolerances),
            of_instances(instances),
        ]
    )
    return Node(
        id=name.id,
        kind=name.kind,
        label=name.label,
        parent=_parent(name, boxes),
        namespace=name.namespace,
        name=name.name,
        app=name.app,
        version=name.version,
        workloads=tuple(sorted(node.workloads)),
        services=tuple(sorted(node.hosts)),
        flags=_flags(node, workloads, instances, registry, inside),
        badges=_badges(node, known.badges) if inside else (),
        health=health,
        inbound=_rates(node.inbound),
        outbound=_rates(node.outbound),
        instances=instances,
    )


def _instance(workload: Workload, instances: Mapping[str, Instance]) -> Instance:
    there = instances.get(workload.id)
    if there is None:
        return Instance(workload.id, "NEVER_CONNECTED", False, workload.healthy)
    return Instance(there.id, there.sync, there.connected, workload.healthy, there.error)


def _flags(node: _Node, workloads: Sequence[Workload], instances: Sequence[Instance], registry: Registry, inside: bool) -> tuple[str, ...]:
    name, inbound = node.name, node.inbound
    traffic = bool(inbound.weight or node.outbound.weight)
    is_workload = name.kind in ("workload", "version", "app")
    passthrough = name.kind == "service" and bool(inbound.clusters & set(CLUSTERS))
    external = passthrough or (name.kind == "service" and (name.id.startswith("service:/") or any(map(registry.is_external, node.hosts))))
    flags = {
        "gateway": any(w.kind is ProxyKind.GATEWAY for w in workloads),
        "external": external,
        "passthrough": passthrough,
        "unknown": name is UNKNOWN or name.kind == "unknown",
        "outside": not inside,
        "idle": not traffic,
        "noSidecar": inside and is_workload and not workloads and bool(inbound.weight) and not inbound.mtls,
        "outOfSync": any(i.sync in ("STALE", "NACKED") for i in instances),
        "disconnected": any(not i.connected for i in instances),
        "unhealthy": any(not i.healthy for i in instances),
        "mtls": bool(inbound.secured) and inbound.mtls == inbound.secured,
        "plaintext": bool(inbound.secured) and inbound.mtls < inbound.secured,
        "root": bool(node.outbound.weight) and not inbound.weight,
    }
    return tuple(sorted(f for f, holds in flags.items() if holds))


def _badges(node: _Node, badges: Badges) -> tuple[Badge, ...]:
    policies: dict[str, dict] = {}
    places = [f"workload:{node.name.namespace}/{w}" for w in sorted(node.workloads)] + [f"service:{h}" for h in sorted(node.hosts)]
    for place in places:
        for badge in badges.get(place, ()):
            policies.setdefault(badge.kind, {}).update(dict.fromkeys(badge.policies))
    return tuple(Badge(kind, tuple(names)) for kind, names in sorted(policies.items()))


def _rates(sums: Flow) -> Rates:
    return Rates(
        rate=rounded(sums.rate),
        error_share=rounded(sums.error_share),
        errors4xx=rounded(sums.share(sums.errors_4xx)),
        errors5xx=rounded(sums.share(sums.errors_5xx)),
        received=rounded(sums.request_rate),
        sent=rounded(sums.response_rate),
    )


def _boxes(kind: GraphKind, nodes: Mapping[str, _Node]) -> dict[str, Box]:
    boxes: dict[str, Box] = {}
    versions: dict[tuple[str, str], int] = {}
    for node in nodes.values():
        name = node.name
        if not name.namespace or name.id.startswith("service:/"):
            continue
        boxes[f"namespace:{name.namespace}"] = Box(f"namespace:{name.namespace}", "namespace", name.namespace)
        if name.kind == "version":
            versions[name.namespace, name.app] = versions.get((name.namespace, name.app), 0) + 1
    for (namespace, app), n in versions.items():
        if n > 1 and kind == "versionedApp":
            boxes[f"box:{namespace}/{app}"] = Box(f"box:{namespace}/{app}", "app", app, f"namespace:{namespace}")
    return boxes


def _parent(name: Name, boxes: Mapping[str, Box]) -> str | None:
    if name.id.startswith("service:/") or not name.namespace:
        return None
    inner = f"box:{name.namespace}/{name.app}"
    return inner if name.kind == "version" and inner in boxes else f"namespace:{name.namespace}"


def _healthy(boxes: Mapping[str, Box], nodes: Sequence[Node]) -> tuple[Box, ...]:
    """The boxes with the worst health of what is in them; reasons stay with the nodes."""
    inside: dict[str, list[Health]] = {}
    for node in nodes:
        parent = node.parent
        while parent is not None:
            inside.setdefault(parent, []).append(Health(node.health.status))
            parent = boxes[parent].parent
    return tuple(Box(b.id, b.kind, b.name, b.parent, worst(inside.get(b.id, ()))) for _, b in sorted(boxes.items()))


def _proxies(nodes: Sequence[Node]) -> Proxies:
    instances = {i.id: i for n in nodes for i in n.instances}.values()
    sync = [i.sync for i in instances]
    return Proxies(len(sync), sync.count("SYNCED"), sync.count("STALE"), sync.count("NACKED"), sum(1 for i in instances if not i.connected))
