"""IST0127 an EnvoyFilter selects nobody; MSH0150 a patch is for what is in no proxy: Envoy's parts have other names here, or none."""

from collections.abc import Iterator
from typing import Any

from meshconsole.core.mesh.model import ProxyKind, Workload
from meshconsole.core.resources.catalogue import NO_MATCH
from meshconsole.core.resources.messages import Level, Message

from .base import Scene, finding, written

_ABSENT = frozenset(
    (
        "istio.metadata_exchange", "istio.stats", "istio.alpn", "istio_authn", "istio.stackdriver", "istio_stats", "mixer", "mixer_outbound",
        "envoy.filters.http.alpn", "envoy.filters.http.wasm", "istio.stateful_session", "envoy.filters.http.istio_stats",
        "envoy.filters.network.sni_cluster", "envoy.filters.listener.original_dst",
    )
)  # fmt: skip
"""Filters of Istio's proxies, and of its interception, that proxies here do not have."""
_VIRTUAL_INBOUND = 15006
_INBOUND, _OUTBOUND, _GATEWAY = "SIDECAR_INBOUND", "SIDECAR_OUTBOUND", "GATEWAY"


def analyze(scene: Scene) -> Iterator[Message]:
    added = {name for each in scene.of("EnvoyFilter") for entry in each.spec.config_patches for name in _names_added(entry)}
    for each in scene.of("EnvoyFilter"):
        whole_mesh = each.metadata.namespace == scene.mesh.root_namespace
        selected = scene.selected(each.labels, None if whole_mesh else each.metadata.namespace) if scene.knows_workloads else None
        if each.labels and selected == []:
            text = f"No matching workloads for this resource with the following labels: {written(each.labels)}"
            yield finding(Level.WARNING, "IST0127", each, "spec.workloadSelector", text)
            continue
        for i, entry in enumerate(each.spec.config_patches):
            if entry.match is not None and entry.patch is not None:
                for path, why in _faults(scene, entry, added, selected):
                    yield finding(
                        Level.WARNING, NO_MATCH, each, f"spec.configPatches[{i}].match{path}", f"This patch matches nothing: {why}"
                    )


def _names_added(entry: Any) -> Iterator[str]:
    if entry.patch is not None and entry.patch.value:
        yield str(entry.patch.value.get("name", ""))


def _faults(scene: Scene, entry: Any, added: set[str], selected: list[Workload] | None) -> Iterator[tuple[str, str]]:
    match, apply_to = entry.match, str(entry.apply_to)
    context = str(match.context)
    if selected is not None and context != "ANY":
        wanted = ProxyKind.GATEWAY if context == _GATEWAY else ProxyKind.SIDECAR
        if selected and not any(workload.kind is wanted for workload in selected):
            yield ".context", f"none of the proxies that it is for is a {wanted}"
            return
    if match.listener is not None:
        yield from _listener(scene, match.listener, context, entry, added, selected)
    if match.route_configuration is not None:
        yield from _routes(match.route_configuration, context, apply_to)
    if match.cluster is not None:
        yield from _cluster(scene, match.cluster, context)


def _listener(
    scene: Scene, match: Any, context: str, entry: Any, added: set[str], selected: list[Workload] | None
) -> Iterator[tuple[str, str]]:
    chain, apply_to = match.filter_chain, str(entry.apply_to)
    named = [(".listenerFilter", match.listener_filter)]
    if chain is not None and chain.filter is not None:
        named.append((".filterChain.filter.name", chain.filter.name))
        if chain.filter.sub_filter is not None:
            named.append((".filterChain.filter.subFilter.name", chain.filter.sub_filter.name))
    for path, name in named:
        if name in _ABSENT and name not in added:
            yield f".listener{path}", f"proxies here have no filter {name}"
    port = match.port_number
    if not port or (port == _VIRTUAL_INBOUND and apply_to == "LISTENER"):
        return
    if context == _INBOUND and selected and not any(each.number == port for workload in selected for each in workload.ports):
        yield ".listener.portNumber", f"none of its workloads has the port {port}"
    elif context == _OUTBOUND and not any(workload.outbound_port == port for workload in selected or ()) and not _own_listener(scene, port):
        merges = str(entry.patch.operation) in ("MERGE", "MERGE_AND_REPLACE_LIST")
        if apply_to != "HTTP_FILTER" or merges:
            text = f"HTTP services of {port} share the outbound listener with all others: there only an HTTP_FILTER can be put, replaced or removed"
            yield ".listener.portNumber", f"{text} for one port; leave the port out"
        elif scene.knows_workloads and not any(each.number == port for service in scene.services for each in service.ports):
            yield ".listener.portNumber", f"no service has the port {port}"


def _own_listener(scene: Scene, port: int) -> bool:
    """TCP and TLS services have listeners of their port, and so has a Sidecar's egress that says one."""
    opaque = any(each.number == port and each.protocol.is_opaque for service in scene.services for each in service.ports)
    egress = (each for sidecar in scene.of("Sidecar") for each in sidecar.spec.egress)
    return opaque or any(getattr(getattr(each, "port", None), "number", 0) == port for each in egress)


def _routes(match: Any, context: str, apply_to: str) -> Iterator[tuple[str, str]]:
    if context == _OUTBOUND and apply_to == "ROUTE_CONFIGURATION" and (match.port_number or match.name not in ("", "outbound")):
        field = "portNumber" if match.port_number else "name"
        yield (
            f".routeConfiguration.{field}",
            "virtual hosts of all ports are in the one outbound route configuration: patch VIRTUAL_HOST instead",
        )
    elif context == _GATEWAY and match.name.startswith("http.") and (match.gateway or match.port_name):
        yield ".routeConfiguration", "the routes of HTTP servers belong to their port and to no one Gateway; leave gateway and portName out"


def _cluster(scene: Scene, match: Any, context: str) -> Iterator[tuple[str, str]]:
    if match.name or not match.service or context == _INBOUND or not scene.knows_workloads:
        return
    if not any(service.host == match.service for service in scene.services):
        short = "; write its name in full" if "." not in match.service else ""
        yield ".cluster.service", f"there is no service {match.service}{short}"
