"""Who a unit is compiled for: what of a client can make the answer differ. A thousand clients share a handful of classes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from meshconsole.core.envoy.reporting import Side
from meshconsole.core.mesh.model import Labels, Workload
from meshconsole.core.mesh.scope import EgressProxy, Scope


@dataclass(frozen=True, slots=True)
class ClientClass:
    """Namespace and visibility are in the key; labels are not: those that a policy reads are noted where they are read."""

    namespace: str
    hosts: tuple[tuple[str, str], ...] | None
    eager: bool
    allow_any: bool
    outbound_port: int = 0
    """Where the client's own requests come in: a request to there would go round for ever."""
    gateway: bool = False
    egress_proxy: EgressProxy | None = None
    told: Side | None = None
    """What its proxies tell of their traffic, where policies say something of that."""

    @classmethod
    def of(cls, scope: Scope, outbound_port: int) -> "ClientClass":
        return cls(
            scope.namespace, scope.hosts, scope.eager, scope.allow_any, outbound_port, egress_proxy=scope.egress_proxy, told=scope.told
        )


LOCALITY = "topology.istio.io/locality"
"""The label under which a client's locality is read: so it is noted, as the others are, where it made a difference."""


NETWORK = "topology.istio.io/network"
SERVICE = "meshconsole.io/service"
"""The same for the first service that the client serves, whose other instances are its peers."""


def labels_of(client: Workload) -> Labels:
    said = {LOCALITY: client.locality, NETWORK: client.network, SERVICE: client.services[0] if client.services else ""}
    return {**client.labels, **{key: value for key, value in said.items() if value}}


class ReadLabels(dict[str, str]):
    """Labels that tell which of them were looked at."""

    def __init__(self, labels: Labels, note: Callable[[str, str | None], None]):
        super().__init__(labels)
        self._note = note

    def get(self, key: str, default: Any = None) -> Any:
        value = super().get(key)
        self._note(key, value)
        return default if value is None else value

    def __getitem__(self, key: str) -> str:
        self._note(key, super().get(key))
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self._note(str(key), super().get(str(key)))
        return super().__contains__(key)

    def _note_all(self) -> None:
        self._note("*", repr(sorted(super().items())))

    def __iter__(self) -> Iterator[str]:
        self._note_all()
        return super().__iter__()

    def __len__(self) -> int:
        self._note_all()
        return super().__len__()

    def __eq__(self, other: object) -> bool:
        self._note_all()
        return super().__eq__(other)

    __hash__ = None  # type: ignore[assignment]

    def keys(self) -> Any:
        self._note_all()
        return super().keys()

    def values(self) -> Any:
        self._note_all()
        return super().values()

    def items(self) -> Any:
        self._note_all()
        return super().items()


def label(labels: Labels, key: str) -> str | None:
    """What ReadLabels noted for `key`, of other labels."""
    return repr(sorted(labels.items())) if key == "*" else labels.get(key)
