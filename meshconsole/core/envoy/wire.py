"""From a v3 message written as a dict to bytes: strict (an unknown field is an error) and deterministic (equal dicts, equal bytes)."""

import hashlib
import importlib
import pkgutil
from functools import cache
from typing import Any

from google.protobuf import any_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.message import Message

from .draft import Json
from .resource_set import Blob, Origin, XdsType

GOOGLEAPIS = "type.googleapis.com/"
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


def blob(type_: XdsType, name: str, body: Json, origins: tuple[Origin, ...] = ()) -> Blob:
    try:
        data = serialise(MESSAGES[type_], body)
    except (json_format.ParseError, TypeError, ModuleNotFoundError) as error:
        raise Unrenderable(f"{type_} {name}: {error}") from error
    return Blob(type_, name, hashlib.sha256(data).hexdigest()[:16], data, origins)


def serialise(message_name: str, body: Json) -> bytes:
    load_types(body)
    message = message_class(message_name)()
    json_format.ParseDict(body, message)
    _settle(message)
    return message.SerializeToString(deterministic=True)


def parse(type_: XdsType, data: bytes) -> Json:
    """The way back, for people and goldens: proto field names, Anys opened."""
    message = message_class(MESSAGES[type_]).FromString(data)
    _load_any_types(message)
    return _plain(json_format.MessageToDict(message, preserving_proto_field_name=True))


def _plain(value: Any) -> Any:
    """dicts with sorted keys: MessageToDict gives maps in hash order."""
    if isinstance(value, dict):
        return {key: _plain(value[key]) for key in sorted(value)}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _settle(message: Message) -> None:
    """Serialise every Any in `message` again: ParseDict packs them with maps in hash order, which differs from process to process."""
    for descriptor, value in message.ListFields():
        if descriptor.type != descriptor.TYPE_MESSAGE:
            continue
        if descriptor.message_type.GetOptions().map_entry:
            if descriptor.message_type.fields_by_name["value"].message_type is not None:
                for item in value.values():
                    _settle_one(item)
        elif isinstance(value, Message):
            _settle_one(value)
        else:
            for item in value:
                _settle_one(item)


def _settle_one(message: Message) -> None:
    if message.DESCRIPTOR.full_name != _ANY:
        _settle(message)
        return
    assert isinstance(message, any_pb2.Any)
    inner = message_class(message.type_url.rpartition("/")[2])()
    inner.ParseFromString(message.value)
    _settle(inner)
    message.value = inner.SerializeToString(deterministic=True)


def load_types(body: Any) -> None:
    """Import the protobuf modules of every `@type` in `body`: ParseDict finds only what is loaded."""
    if isinstance(body, dict):
        type_url = body.get("@type")
        if type_url:
            load_package(type_url.rpartition("/")[2])
        for value in body.values():
            if isinstance(value, dict | list):
                load_types(value)
    elif isinstance(body, list):
        for value in body:
            if isinstance(value, dict | list):
                load_types(value)


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
            if item.DESCRIPTOR.full_name == _ANY:
                name = item.type_url.rpartition("/")[2]
                load_package(name)
                item = message_class(name).FromString(item.value)
            _load_any_types(item)


@cache
def message_class(full_name: str) -> type[Message]:
    load_package(full_name)
    return message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(full_name))


@cache
def load_package(full_name: str) -> None:
    """A protobuf package is a Python package: `envoy.config.route.v3.Route` lies in one of envoy/config/route/v3/*_pb2.py."""
    package_name = full_name.rpartition(".")[0]
    if package_name == "google.protobuf":
        for name in ("struct_pb2", "wrappers_pb2", "empty_pb2", "duration_pb2"):
            importlib.import_module(f"google.protobuf.{name}")
        return
    package = importlib.import_module(package_name)
    for module in pkgutil.iter_modules(package.__path__):
        if module.name.endswith("_pb2"):
            importlib.import_module(f"{package_name}.{module.name}")
