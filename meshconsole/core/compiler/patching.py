"""
What units say is changed once more, when all kinds have written (`Policy.patch`). A mesh without patches pays one look-up per resource.

    ("patches", kind, namespace, context, type)   which policies could change resources of that type there
    ("added", namespace, gateway)                 what a proxy gets besides, and the clusters that patches name

Which labels the patches' selectors read is noted as everywhere: units that no selector asks about stay shared.
"""

from collections.abc import Sequence
from itertools import chain, islice
from typing import Any

from meshconsole.core.envoy import chains, explained, wire
from meshconsole.core.envoy.constraints import broken
from meshconsole.core.envoy.rendered import Context, Facts, Rendered
from meshconsole.core.envoy.resource_set import Blob, XdsType
from meshconsole.core.mesh import hosts
from meshconsole.core.mesh.model import Workload
from meshconsole.core.mesh.scope import Egress

from .client import ClientClass
from .clusters import PASSTHROUGH, ClusterFacts, parse_name
from .kinds import Kinds
from .memo import Key, Result, Tracer
from .resolve import Canonical
from .view import UnitView

_INBOUND, _OUTBOUND, _GATEWAY = Context.SIDECAR_INBOUND, Context.SIDECAR_OUTBOUND, Context.GATEWAY


def applied(kinds: Kinds, tracer: Tracer, key: Key, result: Result) -> Result:
    """The result with its resources as patches leave them."""
    if not result.blobs or not kinds.patching:
        return result
    place = _place(key)
    if place is None:
        return result
    context, namespace = place
    changed: list[Blob] = []
    for blob in result.blobs:
        patching = [(kind, found) for kind in kinds.patching if (found := _policies(tracer, kind, namespace, context, blob.type))]
        if not patching:
            changed.append(blob)
            continue
        view = UnitView(tracer, ClientClass(namespace, None, False, True, gateway=context is _GATEWAY))
        facts = _facts(tracer, key, context, blob)
        rendered = Rendered(blob.type, blob.name, context, wire.opened(blob), facts, list(blob.origins))
        for kind, policies in patching:
            if not rendered.removed:
                kind.patch(policies, rendered, view)
        if not rendered.removed:
            changed.append(blob if rendered.origins == list(blob.origins) else _packed(rendered, blob))
        elif key[0] == "cluster":
            return Result(ClusterFacts(False))  # nor its endpoints; and no request waits for it
    return Result(result.value, tuple(changed))


def _packed(rendered: Rendered, before: Blob) -> Blob:
    """Raises Unrenderable where a patch has made what Envoy's API does not take: then the unit stays as it was."""
    standing = chains.faults(rendered.message) if rendered.type is XdsType.LDS else ()
    wrong = [f"{path}: {why}" for path, why in islice(chain(broken(rendered.message), standing), 3)]
    if wrong:
        culprits = tuple(dict.fromkeys(origin for origin in rendered.origins if origin not in before.origins))
        raise wire.Unrenderable(f"{rendered.type} {rendered.name}: {'; '.join(wrong)}", culprits)
    for origin in rendered.origins:
        if origin not in before.origins:
            explained.mark(rendered.message, origin)
    return wire.packed(rendered.type, rendered.name, rendered.message, tuple(dict.fromkeys(rendered.origins)))


def _place(key: Key) -> tuple[Context, str] | None:
    """On which side of which namespace's proxies a unit's resources stand."""
    match key:
        case ("host" | "cluster" | "tcp-listener" | "egress", ClientClass() as client, *_):
            return _GATEWAY if client.gateway else _OUTBOUND, client.namespace
        case ("listener", *_, str(namespace)):
            return _OUTBOUND, namespace
        case ("inbound", str(namespace), *_):
            return _INBOUND, namespace
        case ("gateway", str(namespace), *_):
            return _GATEWAY, namespace
    return None


def _facts(tracer: Tracer, key: Key, context: Context, blob: Blob) -> Facts:
    match blob.type, key:
        case XdsType.LDS, _:
            socket = wire.opened(blob).address.socket_address  # type: ignore[attr-defined]
            own = (f"0.0.0.0_{socket.port_value}", f"{socket.address}_{socket.port_value}")
            special = {_INBOUND: ("virtualInbound",), _OUTBOUND: ("virtualOutbound",) if key[0] == "listener" else ()}
            return Facts(socket.port_value, aliases=(*own, *special.get(context, ())))
        case XdsType.RDS, (_, _, Egress(port=port)):
            return Facts(port)
        case XdsType.RDS, _:
            # Istio: `http.<port>`, `https.<port>.<port name>.<gateway>.<namespace>`
            kind, *rest = blob.name.split(".")
            number = int(rest[0]) if kind in ("http", "https") and rest and rest[0].isdigit() else 0
            if kind != "https" or len(rest) < 4:
                return Facts(number)
            return Facts(number, gateway=f"{rest[-1]}/{rest[-2]}", port_name=".".join(rest[1:-2]))
        case XdsType.VHDS, (_, _, Canonical(port=port)):
            return Facts(port, aliases=(str(port), "http_proxy"))
        case XdsType.CDS, ("inbound", namespace, name, int(number), *_):
            workload: Workload | None = tracer.ask("workload", namespace, name)
            domain = tracer.run.snapshot.mesh.domain
            served = tuple(hosts.service_host(each, workload.namespace, domain) for each in workload.services) if workload else ()
            return Facts(number, hosts=served)
        case XdsType.CDS, _ if blob.name.startswith(PASSTHROUGH):
            return Facts(aliases=("PassthroughCluster",))
        case XdsType.CDS, _ if parsed := parse_name(blob.name):
            return Facts(parsed[0], hosts=(parsed[2],), subset=parsed[1])
    return Facts()


def _policies(tracer: Tracer, kind: type, namespace: str, context: Context, type_: XdsType | None) -> Sequence[Any]:
    return tracer.unit(("patches", kind, namespace, context, type_)).value  # type: ignore[no-any-return]


def compile_patches(tracer: Tracer, key: Key) -> Result:
    """Value: policies of the root namespace and of the proxy's own, oldest first."""
    _, kind, namespace, context, type_ = key
    assert isinstance(context, Context)
    spaces = dict.fromkeys((tracer.run.snapshot.mesh.root_namespace, namespace))
    return Result(tuple(p for space in spaces for p in tracer.ask("policies", kind, space) if p.patches(context, type_)))


def compile_apart(kinds: Kinds, tracer: Tracer, key: Key) -> Result:
    """
    Value: the virtual hosts that a class of clients gets unasked since filters of their port alone stand before them. Envoy decides which
    filters a request passes before it asks for a virtual host that it does not know: the first request to each would pass without.
    """
    _, client = key
    assert isinstance(client, ClientClass)
    view = UnitView(tracer, client)
    ports: set[int] = set()
    for kind in kinds.patching:
        if policies := _policies(tracer, kind, client.namespace, _OUTBOUND, XdsType.VHDS):
            ports.update(kind.ports_apart(policies, view))
    found: dict[Canonical, None] = {}
    for _, host in dict.fromkeys(tracer.ask("hosts")) if ports else ():
        service = None if hosts.is_wildcard(host) else view.exactly(host)
        if service is not None:
            known = (port for port in service.ports if port.number in ports and not port.protocol.is_opaque)
            found.update((Canonical(host, port.number), None) for port in known)
    return Result(tuple(found))


def compile_added(kinds: Kinds, tracer: Tracer, key: Key) -> Result:
    """Value: outbound clusters that patches name."""
    _, namespace, gateway = key
    assert isinstance(namespace, str)
    view = UnitView(tracer, ClientClass(namespace, None, False, True, gateway=bool(gateway)))
    found: dict[tuple[XdsType, str], Blob] = {}
    clusters: dict[str, None] = {}
    for context in (_GATEWAY,) if gateway else (_OUTBOUND, _INBOUND):
        for kind in kinds.patching:
            policies = _policies(tracer, kind, namespace, context, None)
            if not policies:
                continue
            added = kind.add(policies, context, view)
            clusters.update(dict.fromkeys(added.clusters))
            for type_, name, message, origin in added.resources:
                found.setdefault((type_, name), wire.packed(type_, name, message, (origin,)))
    return Result(tuple(clusters), tuple(found.values()))
