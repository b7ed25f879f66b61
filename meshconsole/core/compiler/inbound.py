"""The unit of one port of a workload, as its callers see it: a listener before the application, and the cluster behind it."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from meshconsole.core.envoy import clusters as render
from meshconsole.core.envoy import defaults, explained, hardening, listeners, loggers, tls, tracing
from meshconsole.core.envoy.draft import GatewayDraft, HttpFilter, InboundDraft, Json, MtlsMode
from meshconsole.core.envoy.filling import Once
from meshconsole.core.envoy.reporting import Tracing
from meshconsole.core.envoy.resource_set import Blob, Origin, XdsType
from meshconsole.core.envoy.vocabulary import metadata, named
from meshconsole.core.envoy.wire import blob
from meshconsole.core.mesh import hosts, peer
from meshconsole.core.mesh.model import MeshConfig, Protocol, Workload, WorkloadPort
from meshconsole.core.mesh.scope import Ingress, Scope
from meshconsole.core.mesh.services import protocol_of
from meshconsole.core.policies.base import Phase

from . import reporting
from .client import ClientClass
from .kinds import Kinds
from .memo import Key, Result, Tracer
from .view import UnitView


def _draft(kinds: Kinds, tracer: Tracer, workload: Workload, port: WorkloadPort, *phases: Phase) -> InboundDraft:
    view = UnitView(tracer, ClientClass(workload.namespace, None, False, True))
    draft = InboundDraft(workload=workload, port=port)
    for kind in kinds.of(*phases) if phases else kinds.local:
        policies = tracer.ask("local", kind, workload.namespace, workload.name)
        if policies:
            kind.apply(policies, draft, view)
    return draft


def compile_mtls(kinds: Kinds, tracer: Tracer, key: Key) -> Result:
    """Value: does that port of that workload take mutual TLS? Its clients' endpoints say so (auto mTLS)."""
    _, namespace, name, number = key
    workload: Workload | None = tracer.ask("workload", namespace, name)
    port = next((p for p in workload.ports if p.number == number), None) if workload else None
    if workload is None or port is None:
        return Result(True)
    return Result(_draft(kinds, tracer, workload, port, Phase.IDENTITY).mtls is not MtlsMode.DISABLE)


def compile_inbound(kinds: Kinds, tracer: Tracer, key: Key) -> Result:
    """Value: the outbound clusters that its filters call."""
    _, namespace, name, number, *said = key
    workload: Workload | None = tracer.ask("workload", namespace, name)
    ingress = said[0] if said else None
    assert ingress is None or isinstance(ingress, Ingress)
    port = _port(workload, ingress, number) if workload else None
    if workload is None or port is None:
        return Result(())
    if ingress is not None and ingress.tls:
        # What comes out of TLS is what policies and filters see.
        port = replace(port, protocol=Protocol.HTTP if protocol_of(port) is Protocol.HTTPS else Protocol.TCP)
    draft = _draft(kinds, tracer, workload, port)
    bind = (ingress.bind if ingress else "") or workload.address
    cluster = _cluster(draft, workload, port, tracer, ingress.pool if ingress else "")
    return Result(tuple(draft.clusters), (_listener(draft, workload, port, tracer, bind, ingress.tls if ingress else ""), cluster))


def keys(scope: Scope, workload: Workload) -> list[Key]:
    """The inbound units of a proxy: of the ports that its workload declares, or of those that a Sidecar says."""
    ports = scope.ingress
    if ports is None:
        limits = scope.inbound_pool
        ports = tuple(Ingress(p.number, pool=limits) for p in workload.ports) if limits else ()
        if not limits:
            return [("inbound", workload.namespace, workload.name, port.number) for port in workload.ports]
    own = [each if each.pool else replace(each, pool=scope.inbound_pool) for each in ports]
    return [("inbound", workload.namespace, workload.name, each.number, each) for each in own]


def _port(workload: Workload, ingress: Ingress | None, number: object) -> WorkloadPort | None:
    """None where there is nothing to listen for; nor where the listener would call itself."""
    declared = next((p for p in workload.ports if p.number == number), None)
    if ingress is None:
        return declared
    address, app_port = ingress.app_address, ingress.app_port
    if not address:
        address, app_port = (declared.app_address, declared.app_port) if declared else ("127.0.0.1", ingress.number)
    elif address in ("0.0.0.0", "::"):
        address = workload.address
    if address == (ingress.bind or workload.address) and (app_port or ingress.number) == ingress.number:
        return None
    name = ingress.name or (declared.name if declared else "")
    protocol = ingress.protocol or (declared.protocol if declared else Protocol.UNKNOWN)
    return WorkloadPort(ingress.number, name, protocol, address, app_port, declared.app_protocol if declared else "")


def cluster_name(number: int) -> str:
    return f"inbound|{number}||"


def _cluster(draft: InboundDraft, workload: Workload, port: WorkloadPort, tracer: Tracer, limits: str) -> Blob:
    name, protocol = cluster_name(port.number), protocol_of(port)
    pool: Json = json.loads(limits)[protocol.is_http2] if limits else {}
    body: Json = {
        "name": name,
        "connect_timeout": tracer.run.snapshot.mesh.connect_timeout,
        "circuit_breakers": {"thresholds": [{**defaults.thresholds(), **pool.get("thresholds", {})}]},
        **pool.get("body", {}),
        **metadata(service=_service_words(workload, tracer)),
    }
    body = render.static(body, [render.Target(port.app_address, port.app_port or port.number)])
    # Where nothing is declared, the application is spoken to as its client spoke to us.
    as_spoken: Json = {"use_downstream_protocol_config": {"http_protocol_options": {}, "http2_protocol_options": {}}}
    said: Json = pool.get("http_options", {})
    spoken = protocol is Protocol.UNKNOWN and "explicit_http_config" not in said and "use_downstream_protocol_config" not in said
    body = render.with_http_options(body, {**said, **(as_spoken if spoken else {})}, http2=protocol.is_http2)
    return blob(XdsType.CDS, name, body)


def _service_words(workload: Workload, tracer: Tracer) -> str:
    if not workload.services:
        return ""
    name = workload.services[0]
    domain = tracer.run.snapshot.mesh.domain
    return peer.service_words(hosts.service_host(name, workload.namespace, domain), name, workload.namespace)


def _listener(draft: InboundDraft, workload: Workload, port: WorkloadPort, tracer: Tracer, bind: str, ended: str) -> Blob:
    """`ended`: what TLS of callers outside the mesh is ended with, as JSON."""
    mesh, protocol = tracer.run.snapshot.mesh, protocol_of(port)
    words = _service_words(workload, tracer)
    side = reporting.of(tracer, workload.namespace, workload.name).server
    http = _http(draft, port, protocol, loggers.inbound_http(side, words, draft.told), mesh, side.tracing)
    tcp = listeners.tcp_proxy(cluster_name(port.number), cluster_name(port.number), loggers.inbound_tcp(side, words, draft.told_tcp))
    http_network = {place: found for place, found in draft.network_filters.items() if not draft.http_filters}
    sniffed = protocol is Protocol.UNKNOWN
    as_http = protocol.is_http
    chains: list[Json] = []
    if draft.mtls is not MtlsMode.DISABLE:
        context = _server_context(mesh.trust_domain, protocol.is_opaque)
        match: Json = {"transport_protocol": "tls"}
        if (sniffed or protocol.is_opaque or ended) and draft.mtls is MtlsMode.PERMISSIVE:
            # The application's own TLS must pass: only what a mesh client offers is ours to terminate.
            match["application_protocols"] = [tls.ALPN]
        if sniffed:
            http_match = {**match, "application_protocols": [*listeners.SPOKEN_HTTP]}
            chains.append(listeners.chain("mtls-http", http_network, http, match=http_match, tls_context=context))
        chains.append(
            listeners.chain(
                "mtls", http_network if as_http else draft.network_filters, http if as_http else tcp, match=match, tls_context=context
            )
        )
    if ended and draft.mtls is not MtlsMode.STRICT:
        outside: Json = {} if draft.mtls is MtlsMode.DISABLE else {"transport_protocol": "tls"}
        network, terminal = (http_network, http) if as_http else (draft.network_filters, tcp)
        if as_http:
            terminal = _http(draft, port, protocol, loggers.inbound_http(side, words, draft.told), mesh, side.tracing, outside=True)
        chains.append(listeners.chain("tls", network, terminal, match=outside, tls_context=json.loads(ended)))
    elif draft.mtls is not MtlsMode.STRICT:
        plain: Json = {} if draft.mtls is MtlsMode.DISABLE else {"transport_protocol": "raw_buffer"}
        if sniffed:
            http_plain = {**plain, "application_protocols": ["http/1.1", "http/1.0", "h2c"]}
            chains.append(listeners.chain("plaintext-http", http_network, http, match=http_plain))
        if (sniffed or protocol.is_opaque) and plain:
            # The application's own TLS; Envoy looks for no other chain once the transport's kind has chosen.
            chains.append(listeners.chain("plaintext-tls", draft.network_filters, tcp, match={"transport_protocol": "tls"}))
        chains.append(
            listeners.chain("plaintext", http_network if as_http else draft.network_filters, http if as_http else tcp, match=plain)
        )
    inspectors = [] if draft.mtls is MtlsMode.DISABLE else [listeners.tls_inspector()]
    if sniffed:
        inspectors.append(listeners.http_inspector())
    body = listeners.listener(
        f"inbound|{port.number}", bind, port.number, chains, direction="INBOUND", inspectors=inspectors, patience=mesh.detection_timeout
    )
    body.update(inbound_metadata(draft, draft.origins, as_http))
    return blob(XdsType.LDS, f"inbound|{port.number}", body, tuple(dict.fromkeys(draft.origins)))


def inbound_metadata(draft: InboundDraft | GatewayDraft, origins: Sequence[Origin], http: bool) -> Json:
    """Of a listener where requests are let in: who shaped it, who must allow, and whose filters stand there."""
    found = explained.filters(draft.http_filters, draft.origins) if http else explained.filters(draft.network_filters, draft.origins)
    return metadata(origins=origins, allowing=named(draft.allowing), would_allow=named(draft.would_allow), filters=found)


@cache
def _server_context(trust_domain: str, opaque: bool) -> Json:
    return Once(tls.mesh_server(trust_domain, [tls.ALPN]) if opaque else tls.mesh_server(trust_domain))


def _http(
    draft: InboundDraft,
    port: WorkloadPort,
    protocol: Protocol,
    access_log: list[Json],
    mesh: MeshConfig,
    traced: Tracing,
    *,
    outside: bool = False,
) -> Json:
    name = cluster_name(port.number)
    action: Json = {"cluster": name, **defaults.timeouts("0s")}
    if protocol not in (Protocol.GRPC, Protocol.GRPC_WEB):
        # Istio: a request that the application's closed connection never took is tried again, not on gRPC ports.
        action["retry_policy"] = {"retry_on": "reset-before-request", "num_retries": 2}
    route: Json = {"name": "default", "match": {"prefix": "/"}, "route": action}
    config: Json = {
        "name": name,
        "virtual_hosts": [{"name": f"inbound|http|{port.number}", "domains": ["*"], "routes": [route]}],
        "validate_clusters": False,
    }
    filters = {**draft.http_filters}
    if protocol is Protocol.GRPC_WEB:
        filters[HttpFilter.GRPC_WEB] = [listeners.grpc_web()]
    if protocol.is_grpc:
        filters[HttpFilter.GRPC_STATS] = [listeners.grpc_stats()]
    return listeners.http_manager(
        f"inbound_0.0.0.0_{port.number}",
        filters=listeners.ordered(filters),
        access_log=access_log,
        route_config=config,
        # Istio: the peer's identity is appended for the application; what a plaintext caller claims is dropped, and what one claims whose
        # certificate is not the mesh's.
        forward_client_cert_details="SANITIZE_SET" if outside else "APPEND_FORWARD",
        set_current_client_cert_details={"subject": True, "dns": True, "uri": True},
        **hardening.paths(mesh.path_normalization),
        **tracing.inbound(traced),
    )
