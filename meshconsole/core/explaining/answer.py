"""The explanation itself: from a proxy's resources and those of the proxies that it would reach, to sentences with policies and lines."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from meshconsole.core.envoy import wire
from meshconsole.core.envoy.resource_set import ResourceSet, XdsType
from meshconsole.core.envoy.vocabulary import NAMESPACE

from . import effects, rbac, routes, unevaluated
from .logic import Known
from .request import Request

Json = dict[str, Any]
Inbound = Callable[[str], ResourceSet | None]
"""Of a workload's id (`namespace/name`)."""
MOST_ENDPOINTS = 50


@dataclass(frozen=True)
class Effect:
    """Something that the mesh does to the request."""

    words: str
    line: str = ""
    """`Kind namespace/name path`, or without a path; '' for the mesh's defaults."""


@dataclass(frozen=True)
class Reached:
    """One instance that may get the request, and what its proxy says to it."""

    workload: str
    """`namespace/name`; '' for what is no workload of the mesh."""
    address: str
    mtls: bool
    allowed: Known
    words: str
    line: str = ""
    policies: tuple[str, ...] = ()
    """Policies in force there: `Kind namespace/name`."""


@dataclass(frozen=True)
class Destination:
    cluster: str
    weight: int
    """Percent of the route's requests."""
    lines: tuple[str, ...]
    """DestinationRules that shape it."""
    effects: tuple[Effect, ...]
    instances: tuple[Reached, ...]
    exists: bool = True


@dataclass(frozen=True)
class Explanation:
    sentence: str
    virtual_host: str = ""
    route: str = ""
    line: str = ""
    sure: bool = True
    passed: tuple[Effect, ...] = ()
    """Routes before it, and why they did not take the request."""
    effects: tuple[Effect, ...] = ()
    destinations: tuple[Destination, ...] = ()
    notes: tuple[str, ...] = field(default=())


def explain(resources: ResourceSet, request: Request, inbound: Inbound, *, gateway: bool = False) -> Explanation:
    """`resources`: of the caller's proxy, compiled with the request's authority asked for."""
    host = _virtual_host(resources, request, gateway)
    if host is None:
        return Explanation(f"404: nothing that this proxy knows is called {request.authority}.")
    chosen, passed = routes.choose(host, request)
    skipped = tuple(Effect(each.why, where(each.route)) for each in passed)
    if chosen is None:
        words = f"404: no route of {host['name']} takes {request.method} {request.path}."
        return Explanation(words, host["name"], passed=skipped, notes=_https(host))
    route = chosen.route
    found = Explanation(
        "",
        host["name"],
        route.get("name", ""),
        where(route),
        chosen.sure,
        skipped,
        tuple(Effect(words, where(route)) for words in effects.of_route(route)),
        tuple(_destinations(resources, route, request, inbound)),
        (*_https(host), *unevaluated.at_caller(resources, gateway=gateway)),
    )
    return replace(found, sentence=_sentence(found, route, request))


def where(body: Json) -> str:
    """`Kind namespace/name path` of a route or cluster."""
    ours = body.get("metadata", {}).get("filter_metadata", {}).get(NAMESPACE, {})
    return ours.get("line") or ours.get("origin", "")


def _https(host: Json) -> tuple[str, ...]:
    return ("Plain HTTP is redirected to HTTPS here.",) if host.get("require_tls") == "ALL" else ()


def _virtual_host(resources: ResourceSet, request: Request, gateway: bool) -> Json | None:
    if not gateway:
        name = resources.aliases.get(request.authority, "")
        blob = resources.blobs.get((XdsType.VHDS, name)) if name else None
        return wire.parse(blob.type, blob.body) if blob else None
    hosts = [h for blob in resources if blob.type is XdsType.RDS for h in wire.parse(blob.type, blob.body).get("virtual_hosts", ())]
    return routes.virtual_host(hosts, request.authority)


def _destinations(resources: ResourceSet, route: Json, request: Request, inbound: Inbound) -> Iterator[Destination]:
    for cluster, weight in effects.clusters(route):
        blob = resources.blobs.get((XdsType.CDS, cluster))
        if blob is None:
            yield Destination(cluster, weight, (), (), (), exists=False)
            continue
        body = wire.parse(blob.type, blob.body)
        lines = tuple(line for line in where(body).split(", ") if line)
        made = tuple(Effect(words, lines[0] if lines else "") for words in effects.of_cluster(body))
        port = int(cluster.split("|")[1]) if cluster.count("|") == 3 else 0
        yield Destination(cluster, weight, lines, made, tuple(_instances(resources, body, port, request, inbound)))


def _instances(resources: ResourceSet, cluster: Json, port: int, request: Request, inbound: Inbound) -> Iterator[Reached]:
    blob = resources.blobs.get((XdsType.EDS, cluster["name"]))
    assignment = wire.parse(blob.type, blob.body) if blob else cluster.get("load_assignment", {})
    ends = [end for group in assignment.get("endpoints", ()) for end in group.get("lb_endpoints", ())]
    for end in ends[:MOST_ENDPOINTS]:
        said = end.get("metadata", {}).get("filter_metadata", {})
        socket = end.get("endpoint", {}).get("address", {}).get("socket_address", {})
        address, number = socket.get("address", ""), int(socket.get("port_value", port) or port)
        workload, _, rest = said.get(NAMESPACE, {}).get("peer", "").partition(";")
        mtls = "tlsMode" in said.get("envoy.transport_socket_match", {}) or _always_mtls(cluster)
        id_ = f"{rest.partition(';')[0]}/{workload}" if workload else ""
        reached = Reached(id_, f"{address}:{number}", mtls, True, "no proxy of the mesh stands there: nothing is checked")
        yield _decided(reached, inbound(id_), number, request) if id_ else reached


def _always_mtls(cluster: Json) -> bool:
    """DestinationRule ISTIO_MUTUAL: the transport socket shows the mesh's certificate to everybody."""
    socket = cluster.get("transport_socket", {})
    return "default" in str(socket) and "tls_certificate_sds_secret_configs" in str(socket)


def _decided(reached: Reached, resources: ResourceSet | None, port: int, request: Request) -> Reached:
    blob = resources.blobs.get((XdsType.LDS, f"inbound|{port}")) if resources else None
    if blob is None:
        return replace(reached, words="nothing is checked there")
    listener = wire.parse(blob.type, blob.body)
    ours = listener.get("metadata", {}).get("filter_metadata", {}).get(NAMESPACE, {})
    in_force = tuple(filter(None, ours.get("origin", "").split(", ")))
    chains = [c for c in listener.get("filter_chains", ()) if c["name"].startswith("mtls" if reached.mtls else "plaintext")]
    if not chains:
        who = next((p for p in in_force if p.startswith("PeerAuthentication")), "")
        words = "refused: the port takes mutual TLS only" if not reached.mtls else "refused: the port takes no mutual TLS"
        return replace(reached, allowed=False, words=words, line=who, policies=in_force)
    asked = request if reached.mtls else replace(request, principal="")
    manager: Json = next((f["typed_config"] for f in chains[0]["filters"] if "http_filters" in f.get("typed_config", {})), {})
    chain = list(manager.get("http_filters", ())) or chains[0]["filters"]
    configs = [f["typed_config"] for f in chain if f["name"].endswith(".rbac")]
    address = reached.address.rpartition(":")[0]
    found = rbac.verdict(configs, asked, port, address=address)
    words, line = _words(found, ours)
    more = ["a token that comes with it must be valid"] if any(f["name"] == "envoy.filters.http.jwt_authn" for f in chain) else []
    unknown = []
    if (concerned := unevaluated.authorizer(chain, asked, port, address)) is not False:
        unknown.append(f"an external authorizer {'is' if concerned else 'may be'} asked, and its answer is not known here")
    if patches := unevaluated.patches(blob):
        unknown.append(f"{', '.join(patches)} changes the listener there: what its filters do is not evaluated")
    # What is refused stays refused; what nothing else speaks against hangs on those.
    allowed = None if found.allowed and unknown else found.allowed
    return replace(reached, allowed=allowed, words="; ".join([words, *more, *unknown]), line=line, policies=in_force)


def _words(found: rbac.Verdict, ours: Mapping[str, str]) -> tuple[str, str]:
    """(sentence, line)"""
    who, line = _rule(found.rule)
    if found.allowed is None:
        return f"hangs on {', '.join(_rule(name)[0] for name in found.hangs_on)}, of which not everything is known", line
    if found.allowed:
        return (f"allowed by {who}", line) if who else ("allowed: no AuthorizationPolicy speaks against it", "")
    if who:
        return f"denied by {who}", line
    return f"denied: no ALLOW rule matches (of {ours.get('allowing', '').replace('AuthorizationPolicy ', '')})", ""


def _rule(name: str) -> tuple[str, str]:
    """`ns[a]-policy[b]-rule[0]` -> `a/b, rule 0` and its line."""
    parts = name.removesuffix("]").replace("]-policy[", "|").replace("]-rule[", "|").removeprefix("ns[").split("|")
    if len(parts) != 3:
        return name, ""
    return f"{parts[0]}/{parts[1]}, rule {parts[2]}", f"AuthorizationPolicy {parts[0]}/{parts[1]} spec.rules[{parts[2]}]"


def _sentence(found: Explanation, route: Json, request: Request) -> str:
    what = f"{request.method} {request.path}"
    by = f"by {found.line}" if found.line else "by the mesh's default route"
    if "redirect" in route:
        return f"{what} is redirected {by}."
    if "direct_response" in route:
        return f"{what} is answered {route['direct_response'].get('status')} by the proxy itself, {by}."
    if not found.destinations:
        return f"{what} is routed {by}."
    shares = ", ".join(f"{d.cluster}{f' ({d.weight} %)' if len(found.destinations) > 1 else ''}" for d in found.destinations)
    instances = [i for d in found.destinations for i in d.instances]
    gone = [d.cluster for d in found.destinations if not d.exists]
    if gone:
        return f"{what} goes {by} to {shares}; {', '.join(gone)} does not exist: 503."
    if not instances:
        return f"{what} goes {by} to {shares}, where no instance is: 503."
    verdicts = {i.allowed for i in instances}
    if verdicts == {True}:
        return f"{what} goes {by} to {shares}, and is let in."
    if verdicts == {False}:
        return f"{what} goes {by} to {shares}, and is {instances[0].words}."
    return f"{what} goes {by} to {shares}; not every instance lets it in, or not everything is known."
