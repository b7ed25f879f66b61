"""Sidecar: where a workload's proxy listens, what of the mesh it sees, and what becomes of requests to hosts that nobody declared."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from typing import ClassVar

from pydantic import Field

from meshconsole.core.mesh import hosts
from meshconsole.core.mesh.model import Protocol
from meshconsole.core.mesh.scope import Egress, EgressProxy, Hosts, Ingress, Scope
from meshconsole.core.mesh.selection import selects
from meshconsole.core.mesh.services import declared_protocol
from meshconsole.core.resources.connection_pool import ConnectionPool
from meshconsole.core.resources.messages import Message

from .._connections import connections
from .._server_tls import context
from ..base import Policy
from . import checks
from .schema import EgressListener, IngressListener, ListenerPort, OutboundMode, SidecarSpec


class Sidecar(Policy):
    group: ClassVar[str] = "networking.istio.io"
    versions: ClassVar[tuple[str, ...]] = ("v1", "v1beta1", "v1alpha3")
    plural: ClassVar[str] = "sidecars"

    spec: SidecarSpec = Field(default_factory=SidecarSpec)
    """What is visible, and where the proxy listens."""

    def check(self) -> Iterator[Message]:
        yield from (self.error(path, text) for path, text in checks.faults(self.spec, self.labels))
        yield from (self.warning(path, text) for path, text in checks.warnings(self.spec))

    @property
    def labels(self) -> dict[str, str]:
        """Of its selector."""
        return self.spec.workload_selector.labels if self.spec.workload_selector else {}

    def narrow(self, scope: Scope) -> Scope:
        rank = self._rank(scope)
        if rank <= scope.rank:
            return scope
        egress, policy = self.spec.egress, self.spec.outbound_traffic_policy
        open_to_all = [listener for listener in egress if listener.port is None]
        visible = _visible(open_to_all, scope.namespace) if egress else None
        proxy = policy.egress_proxy if policy else None
        return replace(
            scope,
            rank=rank,
            hosts=visible,
            eager=visible is not None,
            allow_any=scope.allow_any if policy is None else policy.mode is OutboundMode.ALLOW_ANY,
            origin=str(self.key),
            egress_proxy=EgressProxy(self.metadata.namespace, proxy.host, proxy.port.number if proxy.port else 0, proxy.subset)
            if proxy
            else None,
            listeners=tuple(_egress(listener, scope.namespace) for listener in egress if listener.port is not None),
            ingress=tuple(map(_ingress, self.spec.ingress)) if self.spec.ingress else None,
            inbound_pool=_limits(self.spec.inbound_connection_pool),
        )

    def _rank(self, scope: Scope) -> int:
        """Istio: getSidecarScope. 0: not for this client; a Sidecar never is for a gateway."""
        if scope.gateway:
            return 0
        own = self.metadata.namespace == scope.namespace
        if self.labels:
            return 3 if own and selects(self.labels, scope.labels) else 0
        return 2 if own else 1 if self.metadata.namespace == scope.root_namespace else 0


def _visible(listeners: Iterable[EgressListener], namespace: str) -> Hosts | None:
    """Scope.hosts. `*/*` names nothing in particular: it is everything, on demand."""
    found: dict[tuple[str, str], None] = {}
    for written in (host for listener in listeners for host in listener.hosts):
        owner, _, host = written.partition("/")
        if (owner, host) == ("*", "*"):
            return None
        if owner != "~":
            found[namespace if owner == "." else owner, host.lower()] = None
    return tuple(sorted(found, key=lambda item: (item[0], hosts.specificity(item[1]), item[1])))


def _egress(written: EgressListener, namespace: str) -> Egress:
    assert written.port is not None
    number = written.port.number
    return Egress(
        bind=written.bind.removeprefix(checks.UNIX),
        name=f"{written.bind}_{number}" if written.bind and number else written.bind or str(number),
        port=number,
        protocol=_protocol(written.port),
        hosts=_visible([written], namespace),
    )


def _ingress(written: IngressListener) -> Ingress:
    path = written.default_endpoint.removeprefix(checks.UNIX)
    address, _, port = ("", "", "") if path != written.default_endpoint else written.default_endpoint.rpartition(":")
    return Ingress(
        number=written.port.number,
        name=written.port.name,
        protocol=_protocol(written.port),
        bind=written.bind,
        app_address=address.strip("[]") if port else path,
        app_port=int(port or 0),
        tls=json.dumps(context(written.tls, "", http=written.port.protocol.upper() == "HTTPS"), sort_keys=True) if written.tls else "",
        pool=_limits(written.connection_pool),
    )


def _protocol(port: ListenerPort) -> Protocol:
    return declared_protocol(port.protocol.lower()) if port.protocol else declared_protocol(port.name, port.number)


def _limits(pool: ConnectionPool | None) -> str:
    """As JSON, since a scope is a key: what `_connections.Connections` says, for a port of HTTP/1.1 and for one of HTTP/2."""
    if pool is None:
        return ""
    return json.dumps([asdict(connections(pool, http2=http2)) for http2 in (False, True)], sort_keys=True)
