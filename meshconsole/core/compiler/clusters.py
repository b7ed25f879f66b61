"""The unit of one outbound cluster: `outbound|<port>|<subset>|<fqdn>` with its endpoints."""

import json
import re
from dataclasses import replace
from typing import Any, NamedTuple

from meshconsole.core.envoy import clusters as render
from meshconsole.core.envoy import defaults, tls
from meshconsole.core.envoy.draft import ClusterDraft, Json
from meshconsole.core.envoy.listeners import SPOKEN_HTTP
from meshconsole.core.envoy.places import rank
from meshconsole.core.envoy.resource_set import Blob, XdsType
from meshconsole.core.envoy.vocabulary import merged_metadata, metadata
from meshconsole.core.envoy.wire import blob
from meshconsole.core.mesh import peer
from meshconsole.core.mesh.hosts import is_address, is_wildcard
from meshconsole.core.mesh.model import Endpoint, Location, MeshConfig, Port, Protocol, Resolution, Service
from meshconsole.core.mesh.selection import selects
from meshconsole.core.mesh.services import port_at
from meshconsole.core.mesh.spiffe import spiffe_id
from meshconsole.core.policies.base import Phase

from . import networks
from .client import NETWORK, ClientClass
from .kinds import Kinds
from .memo import Key, Result, Tracer
from .view import UnitView, exported


class ClusterFacts(NamedTuple):
    """What routes must know of a cluster."""

    exists: bool
    hash_policy: tuple[Json, ...] = ()
    grpc_web: bool = False
    sniffed: bool = False
    """Its instances are to be told what the caller speaks."""
    tcp_proxy: tuple[tuple[str, Any], ...] = ()
    """Fields of the TCP proxy in front of it."""
    by_name: int = 0
    """Where it connects to whatever name is called (TLS' server name, a request's Host): at which port."""
    dialled: int = 0
    """The port that it would dial by itself for a Host that names none."""


def parse_name(name: str) -> tuple[int, str, str] | None:
    """(port, subset, host) of an outbound cluster's name."""
    parts = name.split("|")
    if len(parts) != 4 or parts[0] != "outbound" or not parts[1].isdigit():
        return None
    return int(parts[1]), parts[2], parts[3]


_DNAT = re.compile(r"outbound_\.(\d+)_\.([^|]*?)_\.([^|]+)")


def compile_cluster(kinds: Kinds, tracer: Tracer, key: Key) -> Result:
    _, client, name = key
    assert isinstance(client, ClientClass) and isinstance(name, str)
    if name in (BY_NAME, DYNAMIC):
        body = merged_metadata(defaults.cluster(name), metadata(service=f"{name};{name};"))
        return Result(ClusterFacts(True), (blob(XdsType.CDS, name, render.by_server_name(body)),))
    if name.startswith(PASSTHROUGH):
        return Result(ClusterFacts(True), (passthrough(name),))
    through = _DNAT.fullmatch(name)
    parsed = (int(through[1]), through[2], through[3]) if through else parse_name(name)
    view = UnitView(tracer, client)
    if parsed is None or (service := view.reached(parsed[2])) is None or (port := service.port(parsed[0])) is None:
        return Result(ClusterFacts(False))
    subset = parsed[1]
    draft = ClusterDraft(
        name=name,
        service=service,
        port=port,
        subset=subset,
        body=_begun(view.mesh, name),
        auto_mtls=view.mesh.auto_mtls and service.location is Location.MESH_INTERNAL,
        sni=tls.sni(port.number, subset, service.host),
    )
    for kind in kinds.outbound:
        policies = exported(tracer.ask("concerning", kind, service.host), view)
        if policies or (view.mesh.locality_lb is not None and kind.phase is Phase.CLUSTERS):
            kind.apply(policies, draft, view)
    for kind in kinds.of(Phase.CREDENTIALS) if draft.credentials else ():
        kind.apply(tracer.ask("policies", kind, view.namespace), draft, view)
    if subset and not draft.subset_labels and not draft.origins:
        # No DestinationRule defines it: it is no cluster, and a route to it answers 503 NC, as in Istio.
        return Result(ClusterFacts(False))
    if through:
        # An east-west gateway's (Istio: sni-dnat): what comes is mesh TLS already, and goes on as it is to those who take it.
        draft.tls, draft.mtls_forced, draft.auto_mtls, draft.passthrough = None, False, False, False
        service = replace(service, endpoints=tuple(e for e in service.endpoints if e.mtls))
    undeclared = port.protocol is Protocol.UNKNOWN and not {"explicit_http_config", "auto_config"} & draft.http_options.keys()
    if undeclared:
        # Istio: what is spoken to a port that declares nothing is what the caller speaks.
        draft.http_options.setdefault("use_downstream_protocol_config", {"http_protocol_options": {}, "http2_protocol_options": {}})
    grpc_web = port.protocol is Protocol.GRPC_WEB
    facts = ClusterFacts(True, tuple(draft.hash_policy), grpc_web, undeclared and draft.tls is None, tuple(draft.tcp_proxy.items()))
    if by_server_name(service):
        facts = facts._replace(by_name=port.target_port or port.number, dialled=443 if draft.tls else 80)
    return Result(facts, render_cluster(draft, service, port, tracer, view))


def by_server_name(service: Service) -> bool:
    """A wildcard whose names are looked up when they are called; or that leaves the address to its caller: only the name in TLS says where
    that was going (one in Host makes a cluster of its own: UnitView.reached)."""
    return is_wildcard(service.host) and service.resolution in (Resolution.NONE, Resolution.DYNAMIC_DNS)


def _begun(mesh: MeshConfig, name: str) -> Json:
    """A cluster before any policy has looked at it."""
    alive: Json = {"upstream_connection_options": {"tcp_keepalive": json.loads(mesh.tcp_keepalive)}} if mesh.tcp_keepalive else {}
    return {**defaults.cluster(name), "connect_timeout": mesh.connect_timeout, **alive}


def render_cluster(draft: ClusterDraft, service: Service, port: Port, tracer: Tracer, view: UnitView) -> tuple[Blob, ...]:
    mesh = tracer.run.snapshot.mesh
    found = _targets(draft, service, port, tracer)
    if service.resolution is Resolution.STATIC:
        targets = networks.routed(found, view)
    else:
        targets = [target for _, target in found if target.address]
    dns = service.resolution in (Resolution.DNS, Resolution.DNS_ROUND_ROBIN)
    body = merged_metadata(
        draft.body, metadata(service=peer.service_words(service.host, service.name, service.namespace), origins=draft.origins)
    )
    origins = tuple(dict.fromkeys(draft.origins))
    assignment: tuple[Blob, ...] = ()
    if None in draft.credentials.values():
        # What it is to be secured with is not there: better no endpoint than one that is spoken to without.
        return (blob(XdsType.CDS, draft.name, render.static(body, []), origins),)
    if by_server_name(service):
        body = render.by_server_name(body)
    elif dns or draft.passthrough or service.resolution is Resolution.NONE:
        if draft.passthrough or (not targets and not service.endpoints):
            targets = [render.Target(service.host, port.target_port or port.number)]
        # NONE and PASSTHROUGH: without interception the name is all that is known of where the caller was going (an ORIGINAL_DST cluster
        # would send it back to the outbound listener).
        body = render.by_dns(
            body, targets, logical=service.resolution is not Resolution.DNS, localities=draft.localities, refresh=mesh.dns_refresh_rate
        )
    else:
        body = render.by_eds(body)
        assignment = (blob(XdsType.EDS, draft.name, render.load_assignment(draft.name, targets, draft.localities)),)
    http2 = port.protocol.is_http2
    body = render.with_http_options(body, draft.http_options, http2=http2)
    if draft.tls is not None:
        body = {**body, "transport_socket": tls.transport_socket(draft.tls)}
    elif draft.mtls_forced or draft.auto_mtls:
        accounts = {spiffe_id(mesh.trust_domain, e.namespace, e.service_account) for e in service.endpoints if e.service_account}
        identities = accounts | set(service.subject_alt_names)
        alpn = _alpn(port.protocol, draft.http_options)
        if draft.mtls_forced:
            body = render.with_mesh_tls(body, identities, sni=draft.sni, alpn=alpn)
        elif any(e.mtls for e in service.endpoints):
            body = render.with_auto_mtls(body, identities, sni=draft.sni, alpn=alpn)
    if draft.proxy_protocol:
        body = render.with_proxy_protocol(body, draft.proxy_protocol)
    secrets = [blob(XdsType.SDS, name, secret) for name, secret in sorted(draft.credentials.items()) if secret is not None]
    return (*secrets, blob(XdsType.CDS, draft.name, body, origins), *assignment)


def _alpn(protocol: Protocol, options: Json) -> list[str]:
    """What a mesh client offers. The server's codec believes it, so it must be the protocol that is spoken; where that is the caller's
    own (`use_downstream_protocol_config`) nothing is offered, and the server looks at the first bytes; where nothing is declared, routes say
    what is spoken (listeners.spoken), and connections that none leads to are opaque."""
    if protocol is Protocol.UNKNOWN and "explicit_http_config" in options:
        http2 = "http2_protocol_options" in options["explicit_http_config"]
        return [SPOKEN_HTTP[http2], tls.ALPN, "h2" if http2 else "http/1.1"]
    if "use_downstream_protocol_config" in options:
        return [tls.ALPN] if protocol is Protocol.UNKNOWN else []
    if "auto_config" in options:
        return ["h2", "http/1.1"]
    if "http2_protocol_options" in options.get("explicit_http_config", {}) or protocol.is_http2:
        return ["h2"]
    return [tls.ALPN] if protocol in (Protocol.TLS, Protocol.HTTPS, Protocol.TCP) else ["http/1.1"]


def _targets(draft: ClusterDraft, service: Service, port: Port, tracer: Tracer) -> list[tuple[Endpoint, render.Target]]:
    found = []
    words = peer.service_words(service.host, service.name, service.namespace)
    for endpoint in service.endpoints:
        number = port_at(endpoint, port)
        if number is None or not endpoint.healthy or not selects(draft.subset_labels, endpoint.labels):
            continue
        mtls = draft.mtls_forced or (draft.auto_mtls and endpoint.mtls)
        if mtls and endpoint.workload and not draft.mtls_forced:
            mtls = tracer.unit(("mtls", endpoint.namespace, endpoint.workload, number)).value
        target = render.Target(
            address=endpoint.address,
            port=number,
            mtls=mtls,
            peer=peer.reached(peer.describe(endpoint.workload, endpoint.namespace, endpoint.labels), words),
            locality=endpoint.locality,
            weight=endpoint.weight,
            rank=_rank(endpoint, draft),
        )
        found.append((endpoint, target))
    return found


def _rank(endpoint: Endpoint, draft: ClusterDraft) -> int:
    if draft.localities is None or not draft.localities.labels:
        return 0
    labels = {NETWORK: endpoint.network, **endpoint.labels} if endpoint.network else endpoint.labels
    return rank(labels, endpoint.locality, draft.localities.labels)


BY_NAME = "PassthroughCluster"
"""Of TLS to names that nobody knows (ALLOW_ANY)."""
DYNAMIC = "AllowAnyDynamicDNSCluster"
"""Of hosts that nobody knows (ALLOW_ANY_DYNAMIC_DNS)."""
PASSTHROUGH = "PassthroughCluster|"


def passthrough(name: str) -> Blob:
    """A host that nobody knows, reached by DNS (ALLOW_ANY). Istio's PassthroughCluster would need the original destination, which a
    proxy that is addressed explicitly has not."""
    host, _, port = name.removeprefix(PASSTHROUGH).rpartition(":")
    body = merged_metadata(defaults.cluster(name), metadata(service="PassthroughCluster;PassthroughCluster;"))
    target = render.Target(host.strip("[]"), int(port))
    body = render.static(body, [target]) if is_address(host) else render.by_dns(body, [target], logical=True)
    return blob(XdsType.CDS, name, body)
