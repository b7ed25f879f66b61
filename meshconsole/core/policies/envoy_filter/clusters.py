"""Changes to clusters (Istio: cluster_patch.go)."""

from collections.abc import Sequence
from typing import Any

from meshconsole.core.envoy.rendered import Rendered
from meshconsole.core.envoy.wire import Unrenderable

from .changes import Change
from .lists import join
from .schema import Operation


def patch(changes: Sequence[Change], cluster: Rendered) -> None:
    for change in changes:
        if not _matches(change, cluster):
            continue
        if change.operation is Operation.REMOVE:
            cluster.removed = True
        elif change.merges:
            _join(cluster.message, change)
        else:
            continue
        cluster.origins.append(change.origin)
        if cluster.removed:
            return


def _join(message: Any, change: Change) -> None:
    """A transport socket joins the one of its name among those that are chosen by endpoint: a cluster cannot have one beside them."""
    value: Any = change.value
    name = message.name
    if value.HasField("transport_socket") and message.transport_socket_matches:
        sockets = [
            each.transport_socket for each in message.transport_socket_matches if each.transport_socket.name == value.transport_socket.name
        ]
        if not sockets:
            text = f"{name} chooses its transport socket by endpoint, and has no {value.transport_socket.name}"
            raise Unrenderable(text, (change.origin,))
        message.transport_socket.CopyFrom(sockets[0])
        join(message, change)
        sockets[0].CopyFrom(message.transport_socket)
        message.ClearField("transport_socket")
    else:
        join(message, change)
    message.name = name


def _matches(change: Change, cluster: Rendered) -> bool:
    match, facts = change.match.cluster, cluster.facts
    if match is None:
        return True
    if match.name:
        return match.name in (cluster.name, *facts.aliases)
    return (
        (not match.subset or match.subset == facts.subset)
        and (not match.service or match.service in facts.hosts)
        and (not match.port_number or match.port_number == facts.port)
    )
