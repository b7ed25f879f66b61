"""
Explicit interception: nothing on the host is redirected; applications are told where the mesh is. Pure.

Outbound, an application reaches the mesh by `http_proxy`, or by calling the outbound listener with the service's name as
Host. Inbound, Envoy binds the workload's address and forwards to where the application listens.
"""

from dataclasses import dataclass

from ..protocol import Workload


@dataclass(frozen=True)
class Inbound:
    """One listener of Envoy in front of the application."""

    address: str
    port: int
    app_address: str
    app_port: int


def inbound(workload: Workload) -> tuple[Inbound, ...]:
    return tuple(Inbound(workload.address, p.number, p.app_address, p.app_port or p.number) for p in workload.ports)


def conflicts(workload: Workload) -> tuple[str, ...]:
    """Listeners that would forward to themselves or take one another's address, in words for the operator."""
    found = []
    seen: dict[tuple[str, int], str] = {}
    for listener in inbound(workload):
        where = (listener.address, listener.port)
        if where == (listener.app_address, listener.app_port):
            found.append(f"port {listener.port}: Envoy and the application would both listen on {listener.address}:{listener.port}")
        if where in seen:
            found.append(f"port {listener.port} is given twice")
        seen[where] = "inbound"
    if workload.kind == "sidecar" and (workload.outbound_address, workload.outbound_port) in seen:
        found.append(f"the outbound port {workload.outbound_port} is a port of the workload too")
    return tuple(found)


def environment(workload: Workload) -> dict[str, str]:
    """What to start an application with, so that its HTTP calls go through the mesh, and by CONNECT those that speak TLS themselves."""
    proxy = f"http://{workload.outbound_address}:{workload.outbound_port}"
    both = {name: proxy for word in ("http_proxy", "https_proxy") for name in (word, word.upper())}
    return {**both, "no_proxy": "localhost,127.0.0.1,::1", "NO_PROXY": "localhost,127.0.0.1,::1"}
