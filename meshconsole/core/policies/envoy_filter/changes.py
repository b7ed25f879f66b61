"""One entry of configPatches, read and ready to be applied; and which of them are for a proxy, in which order."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import re2
from google.protobuf.message import Message

from meshconsole.core.envoy.rendered import Context
from meshconsole.core.envoy.resource_set import Origin, XdsType
from meshconsole.core.mesh.selection import selects
from meshconsole.core.policies.base import View

from .schema import ApplyTo, FilterClass, Match, Operation, Where

if TYPE_CHECKING:
    from . import EnvoyFilter

ISTIO_VERSION = "1.31.0"
"""What `proxyVersion` is compared with: the release of Istio whose API these proxies are configured by."""
METADATA = ("NAMESPACE", "ISTIO_VERSION")
_CLUSTER = re.compile(r"outbound\|\d{1,5}\|[-\w.]*\|[-\w.*]+")

VALUES: dict[ApplyTo, str] = {
    ApplyTo.LISTENER: "envoy.config.listener.v3.Listener",
    ApplyTo.LISTENER_FILTER: "envoy.config.listener.v3.ListenerFilter",
    ApplyTo.FILTER_CHAIN: "envoy.config.listener.v3.FilterChain",
    ApplyTo.NETWORK_FILTER: "envoy.config.listener.v3.Filter",
    ApplyTo.HTTP_FILTER: "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter",
    ApplyTo.ROUTE_CONFIGURATION: "envoy.config.route.v3.RouteConfiguration",
    ApplyTo.VIRTUAL_HOST: "envoy.config.route.v3.VirtualHost",
    ApplyTo.HTTP_ROUTE: "envoy.config.route.v3.Route",
    ApplyTo.CLUSTER: "envoy.config.cluster.v3.Cluster",
    ApplyTo.EXTENSION_CONFIG: "envoy.config.core.v3.TypedExtensionConfig",
}
"""What each `value` is."""

DEPRECATED = {
    "envoy.http_connection_manager": "envoy.filters.network.http_connection_manager",
    "envoy.tcp_proxy": "envoy.filters.network.tcp_proxy",
    **{f"envoy.{name}": f"envoy.filters.http.{name}" for name in ("router", "cors", "fault", "lua", "ext_authz", "grpc_web", "buffer")},
}
"""Names that Envoy had before, as some files still write them."""

_ROUTES = (ApplyTo.ROUTE_CONFIGURATION, ApplyTo.VIRTUAL_HOST, ApplyTo.HTTP_ROUTE)
_LISTENERS = (ApplyTo.LISTENER, ApplyTo.LISTENER_FILTER, ApplyTo.FILTER_CHAIN, ApplyTo.NETWORK_FILTER, ApplyTo.HTTP_FILTER)
TOUCHED: dict[XdsType, tuple[ApplyTo, ...]] = {
    XdsType.LDS: (*_LISTENERS, *_ROUTES),
    XdsType.RDS: _ROUTES,
    XdsType.VHDS: (ApplyTo.VIRTUAL_HOST, ApplyTo.HTTP_ROUTE),
    XdsType.CDS: (ApplyTo.CLUSTER,),
}
"""What of a resource of that type can be patched; an inbound listener has its routes in it."""

_IN_LISTS = (ApplyTo.HTTP_FILTER, ApplyTo.NETWORK_FILTER, ApplyTo.LISTENER_FILTER, ApplyTo.HTTP_ROUTE)
_INSERTS = (Operation.INSERT_BEFORE, Operation.INSERT_AFTER, Operation.INSERT_FIRST)


@dataclass(frozen=True, eq=False)
class Change:
    apply_to: ApplyTo
    match: Match
    operation: Operation
    value: Message | None
    """None only where the operation is REMOVE."""
    filter_class: FilterClass
    origin: Origin
    clusters: tuple[str, ...] = ()
    """Outbound clusters that the value names."""

    @property
    def merges(self) -> bool:
        return self.operation in (Operation.MERGE, Operation.MERGE_AND_REPLACE_LIST)

    def in_context(self, context: Context) -> bool:
        if self.match.context is Where.ANY:
            # Istio: what is added to no side in particular is added once.
            added = self.operation is Operation.ADD and self.apply_to in (ApplyTo.CLUSTER, ApplyTo.LISTENER)
            return not (added and context is Context.SIDECAR_INBOUND)
        return str(self.match.context) == str(context)

    def for_proxy(self, namespace: str) -> bool:
        proxy = self.match.proxy
        if proxy is None:
            return True
        if proxy.proxy_version and re2.search(proxy.proxy_version, ISTIO_VERSION) is None:
            return False
        known = {"NAMESPACE": namespace, "ISTIO_VERSION": ISTIO_VERSION}
        return all(known.get(key) == value for key, value in proxy.metadata.items())


def operation(apply_to: ApplyTo, written: Operation) -> Operation:
    """Where there is no order to insert into, an insertion is an addition (Istio)."""
    return Operation.ADD if written in _INSERTS and apply_to not in _IN_LISTS else written


def for_workload(policies: Sequence["EnvoyFilter"], context: Context, view: View) -> list[Change]:
    """Every change for this side of this proxy, in order. Labels are read only of policies that could matter."""
    ordered = sorted(policies, key=lambda p: (p.spec.priority, p.metadata.namespace != view.mesh.root_namespace, p.age))
    found: list[Change] = []
    for policy in ordered:
        changes = [change for change in policy.changes if change.in_context(context) and change.for_proxy(view.namespace)]
        if changes and selects(policy.labels, view.labels):
            found += changes
    return found


def clusters_named(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        if "outbound|" in text:
            yield from _CLUSTER.findall(text)
