"""What stands when all policies have written: v3 messages with what they are for. EnvoyFilter changes them, wire.py makes bytes of them."""

from dataclasses import dataclass, field
from enum import StrEnum

from google.protobuf.message import Message

from .resource_set import Origin, XdsType


class Context(StrEnum):
    """Istio's words for where in a proxy something stands."""

    SIDECAR_INBOUND = "SIDECAR_INBOUND"
    SIDECAR_OUTBOUND = "SIDECAR_OUTBOUND"
    GATEWAY = "GATEWAY"


@dataclass(frozen=True)
class Facts:
    """What a resource is, in Istio's words, where its own name does not say so."""

    port: int = 0
    """Of the service or workload (clusters, virtual hosts), or where it is listened (listeners, route configurations); 0 for any port."""
    aliases: tuple[str, ...] = ()
    """Its names in Istio, where they are others: `virtualInbound`, `reviews.default.svc.cluster.local:9080`."""
    hosts: tuple[str, ...] = ()
    """Of a cluster: the service's names."""
    subset: str = ""
    gateway: str = ""
    """Of a gateway's routes: `<namespace>/<name>` of the one Gateway resource that they are for."""
    port_name: str = ""
    """Of a gateway's routes: the name of the server's port."""


@dataclass
class Rendered:
    type: XdsType
    name: str
    context: Context
    message: Message
    facts: Facts = field(default_factory=Facts)
    origins: list[Origin] = field(default_factory=list)
    removed: bool = False


@dataclass
class Additions:
    """What a proxy gets besides what is its own."""

    resources: list[tuple[XdsType, str, Message, Origin]] = field(default_factory=list)
    clusters: list[str] = field(default_factory=list)
    """Outbound clusters that patches name: the proxy gets them unasked."""
