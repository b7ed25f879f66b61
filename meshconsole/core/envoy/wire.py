"""From a v3 message written as a dict to a Blob: strict (an unknown field is an error) and deterministic (equal dicts, equal bytes)."""

import hashlib
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

from . import newer
from .draft import Json
from .filling import Wrong, fill, load_package, message_class
from .resource_set import Blob, Origin, XdsType

MESSAGES: dict[XdsType, str] = {
    XdsType.CDS: "envoy.config.cluster.v3.Cluster",
    XdsType.EDS: "envoy.config.endpoint.v3.ClusterLoadAssignment",
    XdsType.LDS: "envoy.config.listener.v3.Listener",
    XdsType.RDS: "envoy.config.route.v3.RouteConfiguration",
    XdsType.VHDS: "envoy.config.route.v3.VirtualHost",
    XdsType.SDS: "envoy.extensions.transport_sockets.tls.v3.Secret",
    XdsType.ECDS: "envoy.config.core.v3.TypedExtensionConfig",
}
_ANY = "google.protobuf.Any"


class Unrenderable(ValueError):
    """A draft that is no valid v3 message: a policy wrote what Envoy's API does not know."""

    def __init__(self, text: str, origins: tuple[Origin, ...] = ()):
        super().__init__(text)
        self.origins = origins
        """Whose doing it is, where that is known."""


def blob(type_: XdsType, name: str, body: Json, origins: tuple[Origin, ...] = ()) -> Blob:
    try:
        data = serialise(MESSAGES[type_], body)
    except Wrong as error:
        raise Unrenderable(f"{type_} {name}: {error}") from error
    return Blob(type_, name, hashlib.sha256(data).hexdigest()[:16], data, origins)


def serialise(message_name: str, body: Json) -> bytes:
    message = message_class(message_name)()
    fill(message, body)
    return message.SerializeToString(deterministic=True)


def opened(blob: Blob) -> Message:
    return message_class(MESSAGES[blob.type]).FromString(blob.body)


def packed(type_: XdsType, name: str, message: Message, origins: tuple[Origin, ...] = ()) -> Blob:
    data = message.SerializeToString(deterministic=True)
    return Blob(type_, name, hashlib.sha256(data).hexdigest()[:16], data, origins)


def parse(type_: XdsType, data: bytes) -> Json:
    """The way back, for people and goldens: proto field names, Anys opened."""
    message = message_class(MESSAGES[type_]).FromString(data)
    _load_any_types(message)
    body = _plain(json_format.MessageToDict(message, preserving_proto_field_name=True))
    return newer.show(message, body) if type_ is XdsType.CDS else body


def _plain(value: Any) -> Any:
    """dicts with sorted keys: MessageToDict gives maps in hash order."""
    if isinstance(value, dict):
        return {key: _plain(value[key]) for key in sorted(value)}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _load_any_types(message: Message) -> None:
    for descriptor, value in message.ListFields():
        if descriptor.type != descriptor.TYPE_MESSAGE:
            continue
        if descriptor.message_type.GetOptions().map_entry:
            if descriptor.message_type.fields_by_name["value"].message_type is None:
                continue
            items = list(value.values())
        else:
            items = [value] if isinstance(value, Message) else list(value)
        for item in items:
            if item.DESCRIPTOR.full_name == _ANY and item.type_url:
                name = item.type_url.rpartition("/")[2]
                load_package(name)
                item = message_class(name).FromString(item.value)
            _load_any_types(item)
