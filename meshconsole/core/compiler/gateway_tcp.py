"""What a gateway does with connections that it does not read: TCP, and TLS by server name. Counterpart: gateway.py, for HTTP."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from meshconsole.core.envoy import listeners, loggers, tls
from meshconsole.core.envoy.draft import GatewayDraft, Json, ServerDraft, Serves, TcpDraft
from meshconsole.core.envoy.vocabulary import metadata
from meshconsole.core.mesh import hosts
from meshconsole.core.mesh.model import Location
from meshconsole.core.policies.base import Phase, Policy

from . import reporting
from .chain_matches import Matches
from .client import ClientClass
from .kinds import Kinds
from .memo import Key, Result, Tracer
from .outbound_tcp import Chain, TcpHost, chains_of
from .view import UnitView, exported


class Bound(NamedTuple):
    """A host pattern of one server of one Gateway."""

    gateway: str
    namespaces: str
    """Whose VirtualServices may bind: a namespace, or `*`."""
    pattern: str
    https_redirect: bool

    def admits(self, policy: Policy) -> bool:
        return self.namespaces in ("*", policy.metadata.namespace)


class ServedTcp(NamedTuple):
    """A server of a Gateway whose connections are passed on."""

    gateway: str
    port: int
    serves: Serves
    bound: tuple[Bound, ...]


def bounds(server: ServerDraft) -> Iterator[Bound]:
    own_namespace = server.gateway.partition("/")[0]
    for written in server.hosts:
        namespace, slash, pattern = written.rpartition("/")
        admitted = (own_namespace if namespace == "." else namespace) if slash else "*"
        yield Bound(server.gateway, admitted, pattern.lower(), server.https_redirect)


def served(server: ServerDraft, tracer: Tracer, client: ClientClass) -> TcpHost:
    key = ServedTcp(server.gateway, server.port, server.serves, tuple(bounds(server)))
    found: TcpHost = tracer.unit(("gateway-tcp", client, key)).value
    return found


def compile_server(kinds: Kinds, tracer: Tracer, key: Key) -> Result:
    """Value: TcpHost."""
    _, client, server = key
    assert isinstance(client, ClientClass) and isinstance(server, ServedTcp)
    view = UnitView(tracer, client)
    if server.serves is Serves.MESH:
        return Result(_mesh_services(kinds, tracer, client, view, server))
    by_name = server.serves is Serves.TLS
    draft = TcpDraft(server.gateway, server.port, by_name, gateway=server.gateway, client_labels=view.labels)
    for kind in kinds.of(Phase.ROUTES):
        policies = [p for p in exported(tracer.ask("policies", kind, None), view) if _may_bind(p, server.bound, view)]
        if policies:
            kind.apply(policies, draft, view)
    if by_name:
        for route in draft.routes:
            # What a VirtualService says beyond the server's hosts is not said here.
            route.sni = tuple(dict.fromkeys(name for sni in route.sni for name in _within(sni, server.bound)))
        draft.routes = [route for route in draft.routes if route.sni]
    return Result(chains_of(draft, tracer, client))


def _may_bind(policy: Policy, bound: Iterable[Bound], view: UnitView) -> bool:
    spoken = policy.concerns(view.mesh)
    return any(
        each.admits(policy) and (spoken is None or any(hosts.narrower(each.pattern, name) is not None for name in spoken)) for each in bound
    )


def _within(sni: str, bound: Iterable[Bound]) -> Iterator[str]:
    for each in bound:
        if (both := hosts.narrower(each.pattern, sni.lower())) is not None:
            yield both


def _mesh_services(kinds: Kinds, tracer: Tracer, client: ClientClass, view: UnitView, server: ServedTcp) -> TcpHost:
    """A chain for each port and subset of each service that the server's hosts take in (Istio: builtAutoPassthroughFilterChains). Mesh
    TLS goes through untouched, so that both ends see one another's identity."""
    chains: list[Chain] = []
    side = reporting.of_client(tracer, client)
    for _, host in dict.fromkeys(tracer.ask("hosts")):
        service = view.exactly(host) if any(hosts.matches(bound.pattern, host) for bound in server.bound) else None
        if service is None or service.location is Location.MESH_EXTERNAL or hosts.is_wildcard(host):
            continue
        rules = [p for kind in kinds.of(Phase.CLUSTERS) for p in exported(tracer.ask("concerning", kind, host), view)]
        for subset in ("", *dict.fromkeys(name for rule in rules for name in rule.subsets())):
            for port in service.ports:
                name = tls.sni(port.number, subset, host)
                proxy = listeners.tcp_proxy(name, name, loggers.gateway_tcp(side))
                chains.append(Chain(name, proxy, True, (name,)))
    return TcpHost(tuple(chains), tuple(chain.name for chain in chains))


def rendered(chains: Iterable[Chain], matches: Matches, draft: GatewayDraft, *, tls: bool, server: ServerDraft | None = None) -> list[Json]:
    """Filter chains; of a `server` that ends TLS, by the names of its hosts and not by the routes'."""
    ending = server is not None and server.tls is not None
    names = [host.rpartition("/")[2] for host in server.hosts] if ending and server is not None else []
    found = []
    for chain in chains:
        for match in matches.claim(names if ending else chain.sni, chain.subnets, tls=tls):
            context = server.tls if ending and server is not None else None
            body = listeners.chain(chain.name, {**draft.network_filters, **chain.network}, chain.filter, match=match, tls_context=context)
            found.append({**body, **metadata(origins=chain.origins)})
    return found
