"""
A protobuf message filled from a dict, as json_format.ParseDict does it, several times as fast, and deterministic.

Strict: an unknown field, a wrong type, an unknown enum value or extension is an error that names its path. Only proto field
names are known. Extensions (Any) are packed with their maps sorted, so that equal dicts are equal bytes in every process.
"""

import base64
import importlib
import pkgutil
import re
from collections.abc import Callable
from functools import cache
from typing import Any

from google.protobuf import any_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from . import newer


class Once(dict[str, Any]):
    """An Any that is the same in many messages: packed the first time. Not to be changed after."""

    packed: bytes | None = None


class Wrong(ValueError):
    """`path: what is wrong`"""


Put = Callable[[Any, Any, str], None]
"""(message, value, path)"""


def fill(message: Any, body: dict[str, Any], path: str = "") -> None:
    fields = _fields(message.DESCRIPTOR)
    for name, value in body.items():
        put = fields.get(name)
        if put is None:
            raise Wrong(f"{path}{name}: no such field in {message.DESCRIPTOR.full_name}")
        if value is not None:
            try:
                put(message, value, path)
            except (TypeError, ValueError, AttributeError, KeyError) as error:
                raise error if isinstance(error, Wrong) else Wrong(f"{path}{name}: {error}") from error


@cache
def _fields(descriptor: Descriptor) -> dict[str, Put]:
    return {field.name: _putter(field) for field in descriptor.fields}


def _putter(field: FieldDescriptor) -> Put:
    name, is_message = field.name, field.message_type is not None
    if is_message and field.message_type.GetOptions().map_entry:
        return _map_putter(name, field.message_type.fields_by_name["value"])
    if is_message:
        special = _SPECIAL.get(field.message_type.full_name, fill)
        if field.is_repeated:

            def put_messages(message: Any, value: Any, path: str) -> None:
                items = getattr(message, name)
                for number, each in enumerate(_typed(value, list)):
                    special(items.add(), each, f"{path}{name}[{number}].")

            return put_messages

        def put_message(message: Any, value: Any, path: str) -> None:
            part = getattr(message, name)
            part.SetInParent()
            special(part, value, f"{path}{name}.")

        return put_message
    scalar = _scalar(field)
    if field.is_repeated:
        return lambda message, value, path: getattr(message, name).extend(map(scalar, _typed(value, list)))
    return lambda message, value, path: setattr(message, name, scalar(value))


def _map_putter(name: str, value_field: FieldDescriptor) -> Put:
    if value_field.message_type is None:
        scalar = _scalar(value_field)

        def put_scalars(message: Any, value: Any, path: str) -> None:
            entries = getattr(message, name)
            for key, each in _typed(value, dict).items():
                entries[key] = scalar(each)

        return put_scalars
    special = _SPECIAL.get(value_field.message_type.full_name, fill)

    def put_messages(message: Any, value: Any, path: str) -> None:
        entries = getattr(message, name)
        for key, each in _typed(value, dict).items():
            entries[key].SetInParent()
            special(entries[key], each, f"{path}{name}[{key}].")

    return put_messages


def _typed(value: Any, type_: type) -> Any:
    if not isinstance(value, type_):
        raise TypeError(f"{value!r} is no {type_.__name__}")
    return value


_INTEGERS = frozenset(
    getattr(FieldDescriptor, f"TYPE_{name}")
    for name in ["INT32", "INT64", "UINT32", "UINT64", "SINT32", "SINT64", "FIXED32", "FIXED64", "SFIXED32", "SFIXED64"]
)


def _scalar(field: FieldDescriptor) -> Callable[[Any], Any]:
    if field.enum_type is not None:
        numbers = {value.name: value.number for value in field.enum_type.values}
        return lambda value: numbers[value] if isinstance(value, str) else value
    if field.type == FieldDescriptor.TYPE_BYTES:
        return lambda value: value if isinstance(value, bytes) else base64.b64decode(value, validate=True)
    if field.type in _INTEGERS:
        return _integer
    if field.type == FieldDescriptor.TYPE_BOOL:
        return lambda value: _typed(value, bool)
    return lambda value: value


def _integer(value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError(f"{value!r} is no number")
    return int(value) if isinstance(value, str) else value


def _any(message: any_pb2.Any, value: Any, path: str) -> None:
    if value == {}:
        return  # there, and of no type: envoy.config.route.v3.FilterConfig makes a difference of it
    type_url = value["@type"]
    message.type_url = type_url
    kept = value.packed if isinstance(value, Once) else None
    if kept is None:
        inner = message_class(type_url.rpartition("/")[2])()
        special = _SPECIAL.get(inner.DESCRIPTOR.full_name)
        if special is not None:
            special(inner, value["value"], path)
        else:
            fill(inner, {key: each for key, each in value.items() if key != "@type"}, path)
        kept = inner.SerializeToString(deterministic=True)
        if isinstance(value, Once):
            value.packed = kept
    message.value = kept


_DURATION = re.compile(r"(-?)(\d{1,12})(?:\.(\d{1,9}))?s")


@cache
def _duration_parts(text: str) -> tuple[int, int]:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no duration (`1.5s`)")
    sign = -1 if match[1] else 1
    return sign * int(match[2]), sign * int((match[3] or "").ljust(9, "0") or 0)


def _duration(message: Any, value: Any, path: str) -> None:
    message.seconds, message.nanos = _duration_parts(_typed(value, str))


def _wrapper(message: Any, value: Any, path: str) -> None:
    message.value = _integer(value) if isinstance(value, str) and not isinstance(message.value, str) else value


def _by_json(message: Message, value: Any, path: str) -> None:
    json_format.ParseDict(value, message)


def _retry_budget(message: Message, value: Any, path: str) -> None:
    known = dict(_typed(value, dict))
    interval = known.pop("budget_interval", None)
    fill(message, known, path)
    if interval is not None:
        duration = Duration()
        _duration(duration, interval, path)
        newer.append_interval(message, duration)


_SPECIAL: dict[str, Put] = {
    "google.protobuf.Any": _any,
    "google.protobuf.Duration": _duration,
    "google.protobuf.Struct": lambda message, value, path: message.update(value),
    **{f"google.protobuf.{name}": _by_json for name in ("Value", "ListValue", "Timestamp", "FieldMask")},
    **{f"google.protobuf.{name}Value": _wrapper for name in ("Bool", "Int32", "Int64", "UInt32", "UInt64", "Float", "Double", "String")},
    "google.protobuf.BytesValue": _by_json,
    newer.RETRY_BUDGET: _retry_budget,
}


def filled(full_name: str, value: Any) -> Message:
    """A message of that type from the value that stands for it: of a Duration a string, of a Struct any mapping."""
    message = message_class(full_name)()
    _SPECIAL.get(full_name, fill)(message, value, "")
    return message


@cache
def message_class(full_name: str) -> type[Message]:
    load_package(full_name)
    try:
        return message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(full_name))
    except KeyError as error:
        raise Wrong(f"no message {full_name}") from error


@cache
def load_package(full_name: str) -> None:
    """A protobuf package is a Python package: `envoy.config.route.v3.Route` lies in one of envoy/config/route/v3/*_pb2.py."""
    package_name = full_name.rpartition(".")[0]
    if package_name == "google.protobuf":
        for name in ("struct_pb2", "wrappers_pb2", "empty_pb2", "duration_pb2"):
            importlib.import_module(f"google.protobuf.{name}")
        return
    try:
        package = importlib.import_module(package_name)
    except ModuleNotFoundError as error:
        raise Wrong(f"no package of {full_name}") from error
    for module in pkgutil.iter_modules(package.__path__):
        if module.name.endswith("_pb2"):
            importlib.import_module(f"{package_name}.{module.name}")
