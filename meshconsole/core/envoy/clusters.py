"""Clusters and endpoints: from ClusterDraft's fields to v3 Cluster and ClusterLoadAssignment."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from . import tls
from .defaults import UNLIMITED
from .draft import Json, Localities
from .places import spread
from .vocabulary import HTTP_OPTIONS, HTTP_OPTIONS_KEY, NAMES, NAMESPACE, RETRY, ads, socket_address, typed

MOST_BY_NAME = 4096
"""Connections of a cluster that connects to whatever name is asked for. One may lead back to the proxy itself, and round again: not for ever."""


@dataclass(frozen=True, slots=True)
class Target:
    """One endpoint at the port of one cluster, ready to render."""

    address: str
    port: int
    mtls: bool = False
    peer: str = ""
    """`workload;namespace;app;version;canonical service;canonical revision`."""
    locality: str = ""
    weight: int = 1
    rank: int = 0
    """Those of a lower one come first (Localities.labels)."""


def load_assignment(name: str, targets: Iterable[Target], localities: Localities | None = None) -> Json:
    """Grouped by locality, in a fixed order: the same endpoints in another order are the same bytes."""
    ordered = sorted(targets, key=lambda t: (t.locality, t.rank, t.address, t.port, t.peer))
    placed: list[tuple[str, Json]] = []
    ranks: list[int] = []
    for (locality, rank), members in groupby(ordered, key=lambda t: (t.locality, t.rank)):
        ranks.append(rank)
        endpoints = [_endpoint(t) for t in members]
        group: Json = {"lb_endpoints": endpoints, "load_balancing_weight": sum(e["load_balancing_weight"] for e in endpoints)}
        if locality:
            region, _, rest = locality.partition("/")
            zone, _, sub_zone = rest.partition("/")
            parts = {"region": region, "zone": zone, "sub_zone": sub_zone}
            group["locality"] = {key: value for key, value in parts.items() if value}
        placed.append((locality, group))
    groups = spread(placed, localities, ranks) if localities else [group for _, group in placed]
    return {"cluster_name": name, "endpoints": groups} if groups else {"cluster_name": name}


def _endpoint(target: Target) -> Json:
    body: Json = {
        "endpoint": {"address": socket_address(target.address, target.port)},
        "load_balancing_weight": max(target.weight, 1),
    }
    fields: Json = {}
    if target.mtls:
        fields["envoy.transport_socket_match"] = {"tlsMode": "istio"}
    if target.peer:
        fields[NAMESPACE] = {"peer": target.peer}
    if fields:
        body["metadata"] = {"filter_metadata": fields}
    return body


def by_eds(body: Json) -> Json:
    return {**body, "type": "EDS", "eds_cluster_config": {"service_name": body["name"], "eds_config": ads()}}


def by_dns(body: Json, targets: Sequence[Target], *, logical: bool, localities: Localities | None = None, refresh: str = "5s") -> Json:
    """Envoy resolves. `logical` (Envoy's former LOGICAL_DNS) takes exactly one endpoint, and one address of it at a time."""
    dns = typed(
        "envoy.cluster.dns",
        "extensions.clusters.dns.v3.DnsCluster",
        dns_lookup_family="V4_PREFERRED",
        # Answers say themselves how long they hold; this is for those that say nothing, and for names that do not exist (yet). Istio asks
        # for these again after 60 s.
        dns_refresh_rate=refresh,
        dns_failure_refresh_rate=RETRY,
        respect_dns_ttl=True,
        all_addresses_in_single_endpoint=logical,
    )
    return {**body, "cluster_type": dns, "load_assignment": load_assignment(body["name"], targets[:1] if logical else targets, localities)}


def by_server_name(body: Json) -> Json:
    """Whatever name the client asked for is resolved, and connected to (listeners.forward_by_name or forwarding.http_filter comes before). Of
    balancing nothing is left: each name is an endpoint of its own."""
    # `insecure`: whether names are verified the DestinationRule says, as everywhere.
    config = {"dns_cache_config": NAMES, "allow_insecure_cluster_options": True}
    forward = typed("envoy.clusters.dynamic_forward_proxy", "extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig", **config)
    limits = body["circuit_breakers"]["thresholds"][0]
    if limits.get("max_connections", UNLIMITED) == UNLIMITED:
        body = {**body, "circuit_breakers": {"thresholds": [{**limits, "max_connections": MOST_BY_NAME}]}}
    kept = {
        key: value for key, value in body.items() if key == "common_lb_config" or not key.endswith(("_lb_config", "load_balancing_policy"))
    }
    return {**kept, "lb_policy": "CLUSTER_PROVIDED", "cluster_type": forward}


def static(body: Json, targets: Sequence[Target]) -> Json:
    return {**body, "type": "STATIC", "load_assignment": load_assignment(body["name"], targets)}


def with_http_options(body: Json, options: Json, *, http2: bool) -> Json:
    """HttpProtocolOptions where there is something to say; one protocol choice is a must then."""
    choices = ("explicit_http_config", "use_downstream_protocol_config", "auto_config")
    if not options and not http2:
        return body
    options = dict(options)
    if not any(choice in options for choice in choices):
        options["explicit_http_config"] = {"http2_protocol_options": {}} if http2 else {"http_protocol_options": {}}
    extensions = {**body.get("typed_extension_protocol_options", {}), HTTP_OPTIONS_KEY: {"@type": HTTP_OPTIONS, **options}}
    return {**body, "typed_extension_protocol_options": extensions}


def with_auto_mtls(body: Json, identities: Iterable[str], *, sni: str, alpn: Sequence[str]) -> Json:
    return {**body, "transport_socket_matches": tls.by_endpoint(tls.mesh_client(identities, sni, alpn))}


def with_mesh_tls(body: Json, identities: Iterable[str], *, sni: str, alpn: Sequence[str]) -> Json:
    """ISTIO_MUTUAL: mesh TLS to every endpoint."""
    return {**body, "transport_socket": tls.transport_socket(tls.mesh_client(identities, sni, alpn))}


def with_proxy_protocol(body: Json, version: str) -> Json:
    """A PROXY header before whatever each connection begins with (Istio: applyUpstreamProxyProtocol)."""

    def wrapped(inner: Json) -> Json:
        name, package = "envoy.transport_sockets.upstream_proxy_protocol", "extensions.transport_sockets.proxy_protocol.v3"
        return typed(name, f"{package}.ProxyProtocolUpstreamTransport", config={"version": version}, transport_socket=inner)

    if "transport_socket_matches" in body:
        matches = [{**match, "transport_socket": wrapped(match["transport_socket"])} for match in body["transport_socket_matches"]]
        return {**body, "transport_socket_matches": matches}
    return {**body, "transport_socket": wrapped(body.get("transport_socket") or tls.raw_buffer())}
