"""Changes to route configurations, virtual hosts and routes (Istio: rc_patch.go). Counterpart: listeners.py."""

from collections.abc import Sequence
from typing import Any

from meshconsole.core.envoy.rendered import Context, Rendered
from meshconsole.core.envoy.resource_set import XdsType

from .changes import Change
from .lists import edit, join
from .schema import ApplyTo, Operation, RouteAction, RouteMatch, VirtualHostMatch

APPLY_TO = (ApplyTo.ROUTE_CONFIGURATION, ApplyTo.VIRTUAL_HOST, ApplyTo.HTTP_ROUTE)
_ACTIONS = {RouteAction.ROUTE: "route", RouteAction.REDIRECT: "redirect", RouteAction.DIRECT_RESPONSE: "direct_response"}


def patch(changes: Sequence[Change], resource: Rendered) -> None:
    if resource.type is XdsType.VHDS:
        patch_host(changes, resource, resource.message, alone=True)
    else:
        patch_configuration(changes, resource, resource.message, resource.name)


def patch_configuration(changes: Sequence[Change], resource: Rendered, message: Any, name: str) -> None:
    """Writes into `resource.origins` what was applied."""
    ours = [change for change in changes if change.apply_to in APPLY_TO and _matches(change, resource, name)]
    for change in ours:
        if change.apply_to is ApplyTo.ROUTE_CONFIGURATION and change.merges:
            join(message, change)
            message.name = name
            resource.origins.append(change.origin)
    gone = [n for n, host in enumerate(message.virtual_hosts) if not patch_host(ours, resource, host)]
    for place in reversed(gone):
        del message.virtual_hosts[place]
    for change in ours:
        if change.apply_to is ApplyTo.VIRTUAL_HOST and change.operation is Operation.ADD:
            message.virtual_hosts.add().CopyFrom(change.value)
            resource.origins.append(change.origin)


def patch_host(changes: Sequence[Change], resource: Rendered, host: Any, *, alone: bool = False) -> bool:
    """False: it is to be removed. `alone`: it stands in no route configuration but is a resource of its own, asked for by its name; then it
    stays, without routes: a request there is answered 404."""
    name = host.name
    ours = [change for change in changes if not alone or _matches(change, resource, "")]
    for change in ours:
        if change.apply_to is not ApplyTo.VIRTUAL_HOST or not _host_matches(change, resource, host):
            continue
        if change.operation is Operation.REMOVE:
            resource.origins.append(change.origin)
            host.ClearField("routes")
            return alone
        if change.merges:
            join(host, change)
        elif change.operation is Operation.REPLACE:
            host.CopyFrom(change.value)
        else:
            continue
        host.name = name if alone else host.name
        resource.origins.append(change.origin)
    ours = [change for change in ours if change.apply_to is ApplyTo.HTTP_ROUTE and _host_matches(change, resource, host)]
    _routes(ours, resource, host)
    return True


def _routes(changes: Sequence[Change], resource: Rendered, host: Any) -> None:
    for change in changes:
        wanted = _route(change)
        if change.merges:
            for route in host.routes:
                if _meant(wanted, route):
                    join(route, change)
                    resource.origins.append(change.origin)
            continue
        if change.operation is Operation.INSERT_FIRST and wanted is not None and not any(_meant(wanted, each) for each in host.routes):
            continue
        meant = None if wanted is None and change.operation is not Operation.REMOVE else lambda each, wanted=wanted: _meant(wanted, each)
        if edit(host.routes, change, meant):
            resource.origins.append(change.origin)


def _matches(change: Change, resource: Rendered, name: str) -> bool:
    match, facts = change.match.route_configuration, resource.facts
    if match is None:
        return True
    if match.port_number and match.port_number != facts.port:
        return False
    if match.name and match.name not in (name, *facts.aliases):
        return False
    if resource.context is not Context.GATEWAY:
        return True
    return (not match.port_name or match.port_name == facts.port_name) and (not match.gateway or match.gateway == facts.gateway)


def _host_matches(change: Change, resource: Rendered, host: Any) -> bool:
    match: VirtualHostMatch | None = change.match.route_configuration.vhost if change.match.route_configuration else None
    if match is None:
        return True
    # Ours outbound are called `outbound/<host>:<port>`, Istio's without the first word.
    named = not match.name or match.name in (host.name, host.name.removeprefix("outbound/"))
    return named and (not match.domain_name or match.domain_name in host.domains)


def _route(change: Change) -> RouteMatch | None:
    match = change.match.route_configuration
    return match.vhost.route if match and match.vhost else None


def _meant(wanted: RouteMatch | None, route: Any) -> bool:
    if wanted is None:
        return True
    if wanted.name and wanted.name != route.name:
        return False
    return wanted.action is RouteAction.ANY or route.WhichOneof("action") == _ACTIONS[wanted.action]
