"""The units of a gateway proxy: its listeners, and each host that it serves. Counterpart: outbound.py, where hosts come on demand."""

from dataclasses import replace
from typing import NamedTuple

from meshconsole.core.envoy import defaults, hardening, listeners, loggers, routes, tracing
from meshconsole.core.envoy.draft import GatewayDraft, HostDraft, HttpFilter, Json, Route, ServerDraft, Serves
from meshconsole.core.envoy.resource_set import Blob, Failure, Origin, XdsType
from meshconsole.core.envoy.wire import blob
from meshconsole.core.mesh import hosts
from meshconsole.core.mesh.model import Workload
from meshconsole.core.policies.base import Phase, Policy

from . import gateway_tcp, reporting
from .chain_matches import Matches
from .client import ClientClass, labels_of
from .gateway_tcp import Bound, bounds
from .inbound import inbound_metadata
from .kinds import Kinds
from .memo import Key, Result, Run, Tracer, Unit
from .outbound import NEEDED
from .view import UnitView, exported
from .virtual_hosts import HostFacts, render

ANYWHERE = "0.0.0.0"


class GatewayFacts(NamedTuple):
    clusters: tuple[str, ...]


class ServedHost(NamedTuple):
    """A virtual host of a gateway."""

    host: str
    port: int
    bound: tuple[Bound, ...]


class Served(NamedTuple):
    body: Json
    facts: HostFacts
    origins: tuple[Origin, ...]


def units(run: Run, workload: Workload, failures: list[Failure]) -> list[Unit]:
    """Everything that a gateway proxy holds: its listeners with their routes, and the clusters that these lead to."""
    first = run.attempt(("gateway", workload.namespace, workload.name), labels_of(workload), failures)
    if first is None:
        return []
    added = run.attempt(("added", workload.namespace, True), labels_of(workload), failures)
    named = dict.fromkeys((*first.value.clusters, *(added.value if added else ())))
    clusters = [run.attempt(("cluster", _client(workload), name), labels_of(workload), failures) for name in named]
    return [unit for unit in (first, added, *clusters) if unit is not None]


def _client(workload: Workload) -> ClientClass:
    return ClientClass(workload.namespace, None, False, True, gateway=True)


def compile_gateway(kinds: Kinds, tracer: Tracer, key: Key) -> Result:
    _, namespace, name = key
    workload: Workload | None = tracer.ask("workload", namespace, name)
    if workload is None:
        return Result(GatewayFacts(()))
    view = UnitView(tracer, _client(workload))
    draft = GatewayDraft(workload=workload)
    for kind in (*kinds.of(Phase.SERVERS), *kinds.local):
        # A Gateway selects proxies of any namespace; what secures a workload is of its own one, or of the root's.
        everywhere = kind.phase is Phase.SERVERS
        policies = tracer.ask("policies", kind, None) if everywhere else tracer.ask("local", kind, namespace, name)
        if policies:
            kind.apply(policies, draft, view)
    groups: dict[tuple[str, int], list[ServerDraft]] = {}
    # A server whose credential is not there (yet) is left out: it must not keep its listener, and its neighbours, from coming up.
    served = [server for server in draft.servers if all(name in draft.credentials for name in server.credentials)]
    for server in served:
        groups.setdefault((server.bind or ANYWHERE, server.port), []).append(server)
    blobs: list[Blob] = []
    needed = {name for server in served for name in server.credentials}
    blobs += [blob(XdsType.SDS, name, draft.credentials[name], tuple(draft.origins)) for name in sorted(needed)]
    clusters: dict[str, None] = dict.fromkeys(draft.clusters)
    for (bind, port), servers in sorted(groups.items()):
        listener, configs, used = _listener(kinds, tracer, workload, draft, bind, port, servers)
        blobs += [*([listener] if listener else []), *configs]
        clusters.update(dict.fromkeys(used))
    return Result(GatewayFacts(tuple(clusters)), tuple(blobs))


def _listener(
    kinds: Kinds, tracer: Tracer, workload: Workload, draft: GatewayDraft, bind: str, port: int, servers: list[ServerDraft]
) -> tuple[Blob | None, list[Blob], list[str]]:
    mesh = tracer.run.snapshot.mesh
    side = reporting.of(tracer, workload.namespace, workload.name).client  # a gateway reports as a client does, as in Istio
    secure = [server for server in servers if server.tls is not None or server.serves in (Serves.TLS, Serves.MESH)]
    plain = [server for server in servers if server not in secure]
    # Nothing tells HTTP from other TCP before it has been read: the first server says what the port is (Istio: MergeGateways).
    plain = [server for server in plain if server.serves is plain[0].serves]
    chains: list[Json] = []
    configs: list[Blob] = []
    used: list[str] = []

    def serve(name: str, these: list[ServerDraft], match: Json | None, tls_context: Json | None) -> None:
        config, facts = _route_config(kinds, tracer, workload, name, port, these)
        configs.append(config)
        used.extend(facts.clusters)
        filters = {**draft.http_filters}
        if any(server.protocol == "GRPC-WEB" for server in these):
            filters[HttpFilter.GRPC_WEB] = [listeners.grpc_web()]
        for place in facts.filters:
            if place in NEEDED:
                filters.setdefault(place, [NEEDED[place]])
        manager = listeners.http_manager(
            f"gateway_{bind}_{port}",
            filters=listeners.ordered(filters),
            access_log=loggers.gateway_http(side, draft.told),
            rds=name,
            # The edge of the mesh (Istio): the peer's address is the client's, and what it claims in x-forwarded-client-cert is dropped.
            use_remote_address=True,
            forward_client_cert_details=mesh.gateway_client_cert,
            set_current_client_cert_details={"subject": True, "cert": True, "dns": True, "uri": True},
            # A client that brings a request id finds it again behind the gateway.
            preserve_external_request_id=True,
            **hardening.paths(mesh.path_normalization),
            **hardening.edge(mesh.trusted_proxies),
            **tracing.outbound(side.tracing),
        )
        network = {place: found for place, found in draft.network_filters.items() if not draft.http_filters}
        chains.append(listeners.chain(name, network, manager, match=match, tls_context=tls_context))

    client = _client(workload) if side == reporting.default(mesh) else replace(_client(workload), told=side)
    passed = {id(server): gateway_tcp.served(server, tracer, client) for server in (*plain, *secure) if server.serves is not Serves.HTTP}
    matches = Matches(subnet for found in passed.values() for chain in found.chains for subnet in chain.subnets)
    if plain and plain[0].serves is Serves.HTTP:
        suffix = "" if bind == ANYWHERE else f".{bind}"
        serve(f"http.{port}{suffix}", plain, {"transport_protocol": "raw_buffer"} if secure else None, None)
    elif plain:
        for server in plain:
            found = passed[id(server)]
            chains += gateway_tcp.rendered(found.chains, matches, draft, tls=False)
            used += found.clusters
    for server in secure:
        if server.serves is not Serves.HTTP:
            found = passed[id(server)]
            chains += gateway_tcp.rendered(found.chains, matches, draft, tls=True, server=server)
            used += found.clusters
            continue
        namespace, _, gateway = server.gateway.partition("/")
        # None where an older server has all its names: IST0145 says so to the user.
        for match in matches.claim(_server_names(server), tls=True)[:1]:
            serve(f"https.{port}.{server.name}.{gateway}.{namespace}", [server], match, server.tls)
    if not chains:
        return None, configs, used  # TCP that no VirtualService sends anywhere: nothing listens, as in Istio
    inspectors = [listeners.tls_inspector()] if secure else []
    name = f"gateway_{bind}_{port}"
    body = listeners.listener(name, bind, port, chains, direction="OUTBOUND", inspectors=inspectors, patience=mesh.detection_timeout)
    origins = tuple(dict.fromkeys([s.origin for s in servers if s.origin] + draft.origins))
    body.update(inbound_metadata(draft, origins, bool(draft.http_filters)))
    return blob(XdsType.LDS, name, body, origins), configs, used


def _server_names(server: ServerDraft) -> list[str]:
    """SNI names of a server, `*` for any."""
    written = server.sni or tuple(host.rpartition("/")[2] for host in server.hosts) or ("*",)
    return ["*"] if "*" in written else sorted(dict.fromkeys(written))


def _route_config(
    kinds: Kinds, tracer: Tracer, workload: Workload, name: str, port: int, servers: list[ServerDraft]
) -> tuple[Blob, HostFacts]:
    bodies: list[Json] = []
    clusters: dict[str, None] = {}
    filters: set[HttpFilter] = set()
    origins: dict[Origin, None] = {}
    for served in _served_hosts(kinds, tracer, port, servers):
        found: Served | None = tracer.unit(("gateway-host", _client(workload), served)).value
        if found is not None:
            bodies.append(found.body)
            clusters.update(dict.fromkeys(found.facts.clusters))
            filters |= found.facts.filters
            origins.update(dict.fromkeys(found.origins))
    if not bodies:
        # Nothing is bound: every request is answered 404, as in Istio.
        bodies.append({"name": f"blackhole:{port}", "domains": ["*"]})
    config = routes.route_config(name, bodies, defaults.MAX_DIRECT_RESPONSE_BYTES)
    config["ignore_port_in_host_matching"] = True
    return blob(XdsType.RDS, name, config, tuple(origins)), HostFacts(tuple(clusters), frozenset(filters))


def _served_hosts(kinds: Kinds, tracer: Tracer, port: int, servers: list[ServerDraft]) -> list[ServedHost]:
    """Every host that a server takes and a VirtualService speaks of: the narrower one of the two patterns."""
    found: dict[str, dict[Bound, None]] = {}
    spoken = [host for kind in kinds.of(Phase.ROUTES) for host in tracer.ask("concerned", kind)]
    for server in servers:
        for bound in bounds(server):
            for host in spoken:
                both = hosts.narrower(bound.pattern, host)
                if both is not None:
                    found.setdefault(both, {})[bound] = None
            if server.https_redirect:
                found.setdefault(bound.pattern, {})[bound] = None
    return [ServedHost(host, port, tuple(found[host])) for host in sorted(found)]


def compile_host(kinds: Kinds, tracer: Tracer, key: Key) -> Result:
    """Value: Served, or None where no VirtualService is bound."""
    _, client, served = key
    assert isinstance(client, ClientClass) and isinstance(served, ServedHost)
    view = UnitView(tracer, client)
    all_routes: list[Route] = []
    origins: dict[Origin, None] = {}
    service = view.exactly(served.host)
    for gateway in dict.fromkeys(bound.gateway for bound in served.bound):
        draft = HostDraft(
            host=served.host, port=served.port, domains=(served.host,), service=service, gateway=gateway, client_labels=view.labels
        )
        mine = [bound for bound in served.bound if bound.gateway == gateway]
        for kind in kinds.outbound:
            policies = exported(tracer.ask("concerning", kind, served.host), view)
            if kind.phase is Phase.ROUTES:
                policies = [p for p in policies if _may_bind(p, served.host, mine, view)]
            if policies:
                kind.apply(policies, draft, view)
        all_routes += [route for route in draft.routes if route not in all_routes]
        origins.update(dict.fromkeys(draft.origins))
    redirect = any(bound.https_redirect for bound in served.bound)
    if not all_routes and not redirect:
        return Result(None)
    whole = HostDraft(host=served.host, port=served.port, domains=(served.host,), service=service, routes=all_routes, origins=list(origins))
    facts, body = render(whole, service, tracer, client, f"{served.host}:{served.port}", require_tls=redirect)
    return Result(Served(body, facts, tuple(origins)))


def _may_bind(policy: Policy, host: str, bound: list[Bound], view: UnitView) -> bool:
    """Does the policy speak of just this host under one of these servers, from a namespace that the server admits? A wildcard's
    routes are its own virtual host's, not those of each host that has one."""
    spoken = policy.concerns(view.mesh)
    for each in bound:
        if not each.admits(policy):
            continue
        if spoken is None or any(hosts.narrower(each.pattern, name) == host for name in spoken):
            return True
    return False
