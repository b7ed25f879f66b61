"""
What the rules for TLS and TCP mean to Envoy (Istio: pilot/pkg/networking/core/tls.go, gateway.go). Counterpart: routes.py, for http.

Who calls, which port and by which gateway is decided here; Envoy looks at the server name and at the address that was dialled.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from meshconsole.core.envoy.draft import RouteDestination, TcpDraft
from meshconsole.core.envoy.draft import TcpRoute as Route
from meshconsole.core.envoy.resource_set import Origin
from meshconsole.core.mesh import hosts

from ..base import View
from .matching import MESH, qualified
from .schema import ConnectionMatch, VirtualServiceSpec, WeightedDestination

Rules = Iterable[tuple[VirtualServiceSpec, Origin]]
"""What VirtualServices say, in order of precedence, and which one says it."""


def write(rules: Rules, draft: TcpDraft, view: View) -> None:
    """What is made comes before the service's own default, which goes where a rule speaks of any of the service's names, or takes every
    connection. (In Istio it goes with the first TLS rule, of whatever name; the name then meets nobody and is passed through.)"""
    made = list(_by_name(rules, draft, view) if draft.tls else _by_address(rules, draft, view))
    if draft.tls:
        spoken = [name for route in made for name in route.sni]
        own = [route for route in draft.routes if not any(hosts.narrower(a, b) for a in route.sni for b in spoken)]
    else:
        own = [] if any(not route.subnets for route in made) else draft.routes
    draft.routes = made + own
    draft.origins += dict.fromkeys(replace(route.origin, path="") for route in made if route.origin)


def _by_name(rules: Rules, draft: TcpDraft, view: View) -> Iterator[Route]:
    for spec, origin in rules:
        for n, rule in enumerate(spec.tls):
            for m, match in enumerate(rule.match):
                if _may_hold(match, draft, view, origin.namespace):
                    yield Route(
                        _destinations(rule.route, draft, view, origin.namespace),
                        sni=tuple(name.lower() for name in match.sni_hosts),
                        subnets=tuple(match.destination_subnets),
                        origin=replace(origin, path=f"spec.tls[{n}].match[{m}]"),
                    )


def _by_address(rules: Rules, draft: TcpDraft, view: View) -> Iterator[Route]:
    """Until one takes every connection."""
    for spec, origin in rules:
        for n, rule in enumerate(spec.tcp):
            holding = [match for match in rule.match if _may_hold(match, draft, view, origin.namespace)]
            if rule.match and not holding:
                continue
            anywhere = not rule.match or any(not match.destination_subnets for match in holding)
            subnets = () if anywhere else tuple(subnet for match in holding for subnet in match.destination_subnets)
            destinations = _destinations(rule.route, draft, view, origin.namespace)
            yield Route(destinations, subnets=subnets, origin=replace(origin, path=f"spec.tcp[{n}]"))
            if anywhere:
                return


def _may_hold(match: ConnectionMatch, draft: TcpDraft, view: View, namespace: str) -> bool:
    if match.port is not None and match.port != draft.port:
        return False
    if match.gateways and (draft.gateway or MESH) not in (qualified(gateway, namespace) for gateway in match.gateways):
        return False
    if draft.gateway:
        return True  # whoever calls a gateway is no workload of the mesh (Istio: l4SingleMatch)
    labels = draft.client_labels or {}
    if any(labels.get(key) != value for key, value in match.source_labels.items()):
        return False
    return match.source_namespace in ("", view.namespace)


def _destinations(shares: Sequence[WeightedDestination], draft: TcpDraft, view: View, namespace: str) -> list[RouteDestination]:
    counted = [share for share in shares if share.weight or len(shares) == 1]
    return [
        RouteDestination(
            view.cluster(
                share.destination.host,
                namespace,
                port=share.destination.port.number if share.destination.port else None,
                subset=share.destination.subset,
                default_port=draft.port,
            ),
            share.weight,
        )
        for share in counted
    ]
