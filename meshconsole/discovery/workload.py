"""From what an agent says of its workload to the mesh's model, with its limits. Pure."""

import ipaddress
import re
from collections.abc import Iterator

from meshconsole.core.mesh.model import Protocol, ProxyKind, Workload, WorkloadPort
from proxyagent import protocol

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_NAME_WITH_DOTS = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
MAX_PORTS, MAX_LABELS, MAX_SERVICES = 100, 64, 64


def model(spec: protocol.Workload, *, healthy: bool = True, created: str = "") -> Workload:
    return Workload(
        namespace=spec.namespace,
        name=spec.name,
        kind=ProxyKind(spec.kind),
        service_account=spec.service_account,
        address=spec.address,
        labels=dict(spec.labels),
        services=spec.services,
        ports=tuple(_port(p) for p in spec.ports),
        healthy=healthy,
        outbound_address=spec.outbound_address,
        outbound_port=spec.outbound_port,
        locality=spec.locality,
        network=spec.network,
        weight=spec.weight,
        created=created,
        lowest_port=spec.lowest_port,
        group=spec.group,
    )


def _port(said: protocol.WorkloadPort) -> WorkloadPort:
    found = Protocol.UNKNOWN if said.app_protocol else declared(said.name)
    return WorkloadPort(said.number, said.name, found, said.app_address, said.app_port or said.number, said.app_protocol)


def declared(port_name: str) -> Protocol:
    """Istio's convention: `<protocol>[-suffix]`."""
    words = [p for p in Protocol if p and (port_name == p or port_name.startswith(f"{p}-"))]
    return max(words, key=len, default=Protocol.UNKNOWN)


def faults(spec: protocol.Workload) -> Iterator[str]:
    """Why it cannot be registered; nothing when it can. All of it ends up in names, files and Envoy's configuration."""
    for what, value, pattern, longest in (
        ("namespace", spec.namespace, _NAME, 63),
        ("name", spec.name, _NAME_WITH_DOTS, 253),
        ("service account", spec.service_account, _NAME_WITH_DOTS, 253),
        *((("workload group", spec.group, _NAME_WITH_DOTS, 253),) if spec.group else ()),
        *(("service", service, _NAME, 63) for service in spec.services[:MAX_SERVICES]),
        *(("app protocol", p.app_protocol, _LABEL_KEY, 317) for p in spec.ports[:MAX_PORTS] if p.app_protocol),
        *(("label", key, _LABEL_KEY, 317) for key in list(spec.labels)[:MAX_LABELS]),
        *(("label value", value, _LABEL, 63) for value in list(spec.labels.values())[:MAX_LABELS]),
    ):
        if len(value) > longest or not pattern.fullmatch(value):
            yield f"{what} {value[:80]!r} is not a valid one"
    for what, count, limit in (
        ("ports", len(spec.ports), MAX_PORTS),
        ("labels", len(spec.labels), MAX_LABELS),
        ("services", len(spec.services), MAX_SERVICES),
    ):
        if count > limit:
            yield f"{count} {what} are more than {limit}"
    for address in (spec.address, spec.outbound_address, *(p.app_address for p in spec.ports[:MAX_PORTS])):
        if not _is_address(address):
            yield f"{address[:80]!r} is not an IP address"
    numbers = [p.number for p in spec.ports[:MAX_PORTS]]
    for number in (*numbers, spec.outbound_port, *(p.app_port or p.number for p in spec.ports[:MAX_PORTS])):
        if not 0 < number < 65536:
            yield f"{number} is not a port"
    for number in (spec.metrics_port, spec.lowest_port):
        if not 0 <= number < 65536:
            yield f"{number} is not a port"
    if len(set(numbers)) != len(numbers):
        yield "a port is there twice"
    if not 0 <= spec.weight <= 1_000_000:
        yield f"weight {spec.weight} is not one"
    if len(spec.locality) > 200 or len(spec.network) > 63:
        yield "locality or network is too long"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
