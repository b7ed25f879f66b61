"""Changes to listeners, their filter chains, and the filters in them (Istio: listener_patch.go). Counterpart: routes.py."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from meshconsole.core.envoy.explained import mark_filter
from meshconsole.core.envoy.merging import close, opened
from meshconsole.core.envoy.rendered import Context, Rendered
from meshconsole.core.envoy.vocabulary import HCM, TCP_PROXY
from meshconsole.core.envoy.wire import Unrenderable

from . import ports, routes
from .changes import DEPRECATED, Change
from .lists import edit, join
from .schema import ApplyTo, FilterChainMatch, FilterClass, FilterMatch, ListenerMatch, Operation

_ROUTER = "envoy.extensions.filters.http.router.v3.Router"
_TERMINAL = (HCM, TCP_PROXY)
_CLASSES: dict[FilterClass, tuple[str, ...]] = {
    FilterClass.AUTHN: ("jwt_authn", "ext_authz_shadow"),
    FilterClass.AUTHZ: ("jwt_authn", "rbac", "ext_authz"),
}
"""After the last of these an added filter of that class stands."""
VIRTUAL_INBOUND = 15006


def patch(changes: Sequence[Change], listener: Rendered) -> None:
    message: Any = listener.message
    for chain in _chains(message):
        for network in chain.filters:
            if network.typed_config.type_url == HCM:
                _inline_routes(changes, listener, network)
    for change in _of(changes, ApplyTo.LISTENER):
        if not matches(change, listener):
            continue
        if change.operation is Operation.REMOVE:
            listener.removed = True
        elif change.merges:
            join(message, change)
        else:
            continue
        listener.origins.append(change.origin)
        if listener.removed:
            return
    for change in _of(changes, ApplyTo.LISTENER_FILTER):
        if matches(change, listener):
            name = change.match.listener.listener_filter if change.match.listener else ""
            if edit(message.listener_filters, change, _named(name) if name else None):
                _applied(listener, change)
    _filter_chains(changes, listener)


def _chains(message: Any) -> list[Any]:
    return [*message.filter_chains, *([message.default_filter_chain] if message.HasField("default_filter_chain") else [])]


def _inline_routes(changes: Sequence[Change], listener: Rendered, network: Any) -> None:
    if not any(change.apply_to in routes.APPLY_TO for change in changes):
        return
    manager: Any = opened(network.typed_config)
    if manager.HasField("route_config"):
        before = len(listener.origins)
        routes.patch_configuration(changes, listener, manager.route_config, manager.route_config.name)
        if len(listener.origins) > before:
            close(network.typed_config, manager)


def _filter_chains(changes: Sequence[Change], listener: Rendered) -> None:
    message: Any = listener.message
    for chain in _chains(message):
        for change in _of(changes, ApplyTo.FILTER_CHAIN):
            if not (matches(change, listener) and _chain_matches(change, listener, chain)):
                continue
            if change.operation is Operation.REMOVE:
                chain.ClearField("filters")
            elif change.merges:
                join(chain, change)
            else:
                continue
            listener.origins.append(change.origin)
        if chain.filters:
            _network_filters(changes, listener, chain)
    for change in _of(changes, ApplyTo.FILTER_CHAIN):
        if change.operation is Operation.ADD and matches(change, listener):
            message.filter_chains.add().CopyFrom(change.value)
            listener.origins.append(change.origin)
    for place in reversed([n for n, chain in enumerate(message.filter_chains) if not chain.filters]):
        del message.filter_chains[place]
    if message.HasField("default_filter_chain") and not message.default_filter_chain.filters:
        message.ClearField("default_filter_chain")


def _network_filters(changes: Sequence[Change], listener: Rendered, chain: Any) -> None:
    def here(apply_to: ApplyTo) -> list[Change]:
        return [each for each in _of(changes, apply_to) if matches(each, listener) and _chain_matches(each, listener, chain)]

    ours = here(ApplyTo.NETWORK_FILTER)
    for change in ours:
        wanted = _filter(change)
        if edit(chain.filters, change, _named(wanted.name) if wanted else None, _before_terminal):
            _applied(listener, change)
    for network in chain.filters:
        for change in ours:
            if change.merges and _filter_matches(change, network):
                join(network, change)
                _applied(listener, change, network.name)
    if ours:
        _end_stands_last(chain.filters, lambda each: each.typed_config.type_url in _TERMINAL, listener)
    shared = ports.shared(listener)
    plan = ports.plan(changes) if shared else {}
    of_http = [change for change in _of(changes, ApplyTo.HTTP_FILTER) if _chain_matches(change, listener, chain)]
    of_http = [change for change in of_http if matches(change, listener) or (change in plan and ports.named(change, listener))]
    for network in chain.filters if of_http else ():
        if network.typed_config.type_url == HCM:
            _http_filters([change for change in of_http if _filter_matches(change, network)], listener, network, plan)


def _http_filters(changes: Sequence[Change], listener: Rendered, network: Any, plan: ports.Plan) -> None:
    manager: Any = opened(network.typed_config)
    before = len(listener.origins)
    for change in changes:
        wanted = _filter(change)
        sub = wanted.sub_filter if wanted else None
        meant = _named(sub.name) if sub else None
        if change in plan and not matches(change, listener):
            if ports.insert(manager.http_filters, plan[change], meant, _place_of(change.filter_class)):
                _applied(listener, change, plan[change].name)
        elif edit(manager.http_filters, change, meant, _place_of(change.filter_class)):
            _applied(listener, change)
    for each in manager.http_filters:
        for change in changes:
            wanted = _filter(change)
            sub = wanted.sub_filter if wanted else None
            if change.merges and (sub is None or _named(sub.name)(each)):
                join(each, change)
                _applied(listener, change, each.name)
    if len(listener.origins) > before:
        _end_stands_last(manager.http_filters, lambda each: each.typed_config.type_url.endswith(_ROUTER), listener)
        close(network.typed_config, manager)


def _applied(listener: Rendered, change: Change, name: str = "") -> None:
    listener.origins.append(change.origin)
    name = name or getattr(change.value, "name", "")
    if name and change.operation is not Operation.REMOVE:
        mark_filter(listener.message, name, change.origin)


def _end_stands_last(filters: Any, ends: Callable[[Any], bool], listener: Rendered) -> None:
    """Envoy's rule, which its protobuf files cannot say."""
    ending = [n for n, each in enumerate(filters) if ends(each)]
    if ending and ending != [len(filters) - 1]:
        text = f"{filters[ending[0]].name} must stand last, and once: {', '.join(each.name for each in filters)}"
        raise Unrenderable(f"{listener.name}: {text}", tuple(dict.fromkeys(listener.origins[-1:])))


def _before_terminal(filters: Any) -> int:
    """Envoy takes a chain only when what ends it stands last: an addition goes before it."""
    return len(filters) - (1 if filters and filters[-1].typed_config.type_url in _TERMINAL else 0)


def _place_of(filter_class: FilterClass) -> Callable[[Any], int]:
    def place(filters: Any) -> int:
        end = len(filters) - (1 if filters and filters[-1].typed_config.type_url.endswith(_ROUTER) else 0)
        words = _CLASSES.get(filter_class)
        if words is None:
            return end
        return max((n + 1 for n, each in enumerate(filters) if any(word in each.name for word in words)), default=0)

    return place


def matches(change: Change, listener: Rendered) -> bool:
    match, facts = change.match.listener, listener.facts
    if match is None:
        return True
    if match.name and match.name not in (listener.name, *facts.aliases):
        return False
    if not match.port_number or match.port_number == facts.port:
        return True
    inbound = listener.context is Context.SIDECAR_INBOUND
    return inbound and change.apply_to is ApplyTo.LISTENER and match.port_number == VIRTUAL_INBOUND


def _chain_matches(change: Change, listener: Rendered, chain: Any) -> bool:
    match = _chain(change.match.listener)
    if match is None:
        return True
    its = chain.filter_chain_match
    port = its.destination_port.value or (listener.facts.port if listener.context is Context.SIDECAR_INBOUND else 0)
    return (
        (not match.name or match.name == chain.name or match.name in listener.facts.aliases)
        and (not match.sni or match.sni in its.server_names)
        and (not match.transport_protocol or match.transport_protocol == its.transport_protocol)
        and all(each.strip() in its.application_protocols for each in match.application_protocols.split(",") if each.strip())
        and (not match.destination_port or match.destination_port == port)
    )


def _chain(match: ListenerMatch | None) -> FilterChainMatch | None:
    return match.filter_chain if match else None


def _filter(change: Change) -> FilterMatch | None:
    chain = _chain(change.match.listener)
    return chain.filter if chain else None


def _filter_matches(change: Change, network: Any) -> bool:
    wanted = _filter(change)
    return wanted is None or _named(wanted.name)(network)


def _named(name: str) -> Callable[[Any], bool]:
    names = (name, DEPRECATED.get(name, name))
    return lambda each: each.name.partition(ports.AT)[0] in names


def _of(changes: Iterable[Change], apply_to: ApplyTo) -> list[Change]:
    return [change for change in changes if change.apply_to is apply_to]
