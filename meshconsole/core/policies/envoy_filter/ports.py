"""
HTTP filters of one port, outbound. Istio's proxies listen at each port; here HTTP services of all ports share one listener. So such a filter
stands there `disabled`, and the virtual hosts of its port switch it on; one that is removed at a port is switched off by them.

Envoy: HttpFilter.disabled; a route's typed_per_filter_config names a filter by its name in the connection manager, and switches on what
it configures, or what it gives an empty FilterConfig.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.message import Message

from meshconsole.core.envoy.filling import message_class
from meshconsole.core.envoy.rendered import Context, Rendered

from .changes import Change
from .schema import ApplyTo, Operation

SHARED = "virtualOutbound"
"""The listener that HTTP services of all ports share, in Istio's words."""
AT = "|"
"""Before the port, in the name of a filter that differs from port to port."""
_OURS = frozenset(f"envoy.filters.http.{name}" for name in (
    "on_demand", "fault", "cors", "grpc_web", "grpc_stats", "local_ratelimit", "set_filter_state", "dynamic_forward_proxy", "router",
))  # fmt: skip
"""What the listener may have already."""
_ROUTER = "envoy.filters.http.router"
_FILTER_CONFIG = "envoy.config.route.v3.FilterConfig"
_PUTS = (Operation.ADD, Operation.INSERT_FIRST, Operation.INSERT_BEFORE, Operation.INSERT_AFTER, Operation.REPLACE)


@dataclass(frozen=True)
class Placed:
    """What becomes of one change."""

    change: Change
    port: int
    name: str
    """Of the filter as it stands in the listener; '' where nothing is put there."""
    written: str
    """Its name as the policy has it: what routes configure it by."""
    off: str
    """The filter that is switched off at that port; '' for none."""


Plan = dict[Change, Placed]


def shared(listener: Rendered) -> bool:
    return listener.context is Context.SIDECAR_OUTBOUND and SHARED in listener.facts.aliases


def port_of(change: Change) -> int:
    """For whose port it is; 0 for all."""
    listener = change.match.listener
    if listener is None:
        return 0
    if not listener.port_number and (number := listener.name.removeprefix("0.0.0.0_")).isdigit():
        return int(number)  # Istio's name of the listener for HTTP services at that port
    return listener.port_number


def apart(change: Change) -> bool:
    """Is it for an HTTP filter of one port, and can that be had where the listener is shared?"""
    if change.apply_to is not ApplyTo.HTTP_FILTER or not port_of(change):
        return False
    if change.operation in (Operation.REMOVE, Operation.REPLACE):
        return bool(_meant(change)) and _meant(change) != _ROUTER
    return change.operation in _PUTS


def named(change: Change, listener: Rendered) -> bool:
    """Does it name the listener, if any, as Istio does?"""
    name = change.match.listener.name if change.match.listener else ""
    return name in ("", listener.name, *listener.facts.aliases, f"0.0.0.0_{port_of(change)}")


def _meant(change: Change) -> str:
    chain = change.match.listener.filter_chain if change.match.listener else None
    return chain.filter.sub_filter.name if chain and chain.filter and chain.filter.sub_filter else ""


def plan(changes: Iterable[Change]) -> Plan:
    """The same for the listener and for the virtual hosts, which are compiled apart. A filter keeps its name where no other bears it."""
    http = [each for each in changes if each.apply_to is ApplyTo.HTTP_FILTER]
    ours = [each for each in http if apart(each)]
    bodies: dict[str, set[bytes]] = {}
    for each in http:
        if each.value is not None and each.operation in _PUTS:
            found = bodies.setdefault(_name(each), set())
            found.add(_bytes(each.value) + (b"" if apart(each) else b"everywhere"))
    placed: Plan = {}
    for each in ours:
        written = _name(each) if each.value is not None and each.operation in _PUTS else ""
        alone = len(bodies.get(written, ())) == 1 and written not in _OURS
        # A filter that comes by ECDS is asked for by its name.
        discovered = each.value is not None and each.value.HasField("config_discovery")
        name = written if not written or alone or discovered else f"{written}{AT}{port_of(each)}"
        off = _meant(each) if each.operation in (Operation.REMOVE, Operation.REPLACE) else ""
        placed[each] = Placed(each, port_of(each), name, written, off)
    return placed


def _name(change: Change) -> str:
    return str(getattr(change.value, "name", ""))


def _bytes(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)


def insert(filters: Any, placed: Placed, meant: Callable[[Any], bool] | None, end: Callable[[Any], int]) -> bool:
    """Into the shared connection manager, disabled. True: the change takes part in what stands there."""
    change = placed.change
    places = [n for n, each in enumerate(filters) if meant is not None and meant(each)]
    if change.operation in (Operation.INSERT_BEFORE, Operation.INSERT_AFTER, Operation.REPLACE) and meant is not None and not places:
        return False
    if not placed.name:
        return bool(places)
    new = type(change.value)()  # type: ignore[misc]
    new.CopyFrom(change.value)  # type: ignore[arg-type]
    new.name, new.disabled = placed.name, True
    if any(each.name == placed.name and _bytes(each) == _bytes(new) for each in filters):
        return True  # the same filter at another port
    match change.operation:
        case Operation.INSERT_FIRST:
            filters.insert(0, new)
        case Operation.INSERT_BEFORE:
            filters.insert(places[0] if places else 0, new)
        case Operation.INSERT_AFTER | Operation.REPLACE if places:
            filters.insert(places[0] + 1, new)
        case _:
            filters.insert(end(filters), new)
    return True


def switch(plan: Plan, host: Rendered) -> None:
    """In a virtual host: on, the filters of its port; off, what is removed there. What routes say of a filter by its written name is said of
    the one of their port, and of none at other ports."""
    message: Any = host.message
    levels: Sequence[Any] = (
        message,
        *message.routes,
        *(share for route in message.routes for share in route.route.weighted_clusters.clusters),
    )
    here = [each for each in plan.values() if each.port == host.facts.port]
    standing = {each.name for each in here}
    for each in plan.values():
        if each.name and each.name not in standing and each.name == each.written:
            for level in levels:
                level.typed_per_filter_config.pop(each.name, None)
    for each in here:
        for level in levels if each.name != each.written else ():
            said = level.typed_per_filter_config
            if each.written in said and each.name not in said:
                said[each.name].CopyFrom(said[each.written])
        if each.name and each.name not in message.typed_per_filter_config:
            _say(message, each.name, "on")
        if each.off and each.off not in standing:
            _say(message, each.off, "off")
        host.origins.append(each.change.origin)


def _say(message: Any, name: str, what: str) -> None:
    message.typed_per_filter_config[name].CopyFrom(_config(what))


@cache
def _config(what: str) -> Any:
    config: Any = message_class(_FILTER_CONFIG)()
    if what == "on":
        config.config.SetInParent()
    else:
        config.disabled = True
    packed = Packed()
    packed.Pack(config, deterministic=True)
    return packed
