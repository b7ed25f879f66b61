"""
A v3 message as people write it, in protobuf's JSON: checked strictly, and brought into the form that filling.py takes.

Both spellings of a field are known (`typed_config`, `typedConfig`), a TypedStruct is opened where its type is known, and everything that
is wrong is said with its path, not only the first. Counterpart: filling.py, for dicts that we write ourselves.
"""

import difflib
from collections.abc import Iterator
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from .filling import Wrong, fill, filled, message_class

_STRUCTS = ("udpa.type.v1.TypedStruct", "xds.type.v3.TypedStruct")
_BY_VALUE = frozenset(
    f"google.protobuf.{name}"
    for name in (
        "Duration", "Struct", "Value", "ListValue", "Timestamp", "FieldMask", "BoolValue", "Int32Value", "Int64Value", "UInt32Value",
        "UInt64Value", "FloatValue", "DoubleValue", "StringValue", "BytesValue",
    )
)  # fmt: skip
"""What JSON writes otherwise than as the message's fields."""


class Fault(ValueError):
    def __init__(self, path: str, text: str):
        super().__init__(f"{path}: {text}")
        self.path, self.text = path, text


def read(message_name: str, value: dict[str, Any]) -> tuple[Message | None, list[Fault]]:
    """The message, or every reason why there is none."""
    faults: list[Fault] = []
    message = message_class(message_name)()
    body = _fields(message.DESCRIPTOR, value, "", faults)
    if not faults:
        try:
            fill(message, body)
        except Wrong as error:
            path, _, text = str(error).partition(": ")
            faults.append(Fault(path, text))
    return (None if faults else message), faults


def _fields(descriptor: Descriptor, value: Any, path: str, faults: list[Fault]) -> dict[str, Any]:
    if not isinstance(value, dict):
        faults.append(Fault(path, f"must be a mapping, the fields of {descriptor.full_name}"))
        return {}
    known = _spellings(descriptor)
    body: dict[str, Any] = {}
    chosen: dict[str, str] = {}
    for key, each in value.items():
        at = f"{path}.{key}" if path else str(key)
        field = known.get(key)
        if field is None:
            near = difflib.get_close_matches(str(key), list(known), 1, 0.6)
            faults.append(Fault(at, f"unknown field {key!r} of {descriptor.full_name}" + (f"; did you mean {near[0]!r}?" if near else "")))
            continue
        if each is None:
            continue
        if field.name in body:
            faults.append(Fault(at, f"stands here twice, as {field.name} and as {field.json_name}"))
        if field.containing_oneof is not None:
            other = chosen.setdefault(field.containing_oneof.name, field.name)
            if other != field.name:
                faults.append(Fault(at, f"{other} and {field.name} exclude one another; keep one"))
        body[field.name] = _field(field, each, at, faults)
    return body


def _field(field: FieldDescriptor, value: Any, path: str, faults: list[Fault]) -> Any:
    inner = field.message_type
    if inner is not None and inner.GetOptions().map_entry:
        if not isinstance(value, dict):
            faults.append(Fault(path, "must be a mapping"))
            return {}
        of = inner.fields_by_name["value"]
        return {key: _one(of, each, f"{path}.{key}", faults) for key, each in value.items()}
    if field.is_repeated:
        if not isinstance(value, list):
            faults.append(Fault(path, "must be a sequence"))
            return []
        return [_one(field, each, f"{path}[{n}]", faults) for n, each in enumerate(value)]
    return _one(field, value, path, faults)


def _one(field: FieldDescriptor, value: Any, path: str, faults: list[Fault]) -> Any:
    if field.enum_type is not None:
        names = field.enum_type.values_by_name
        if (isinstance(value, str) and value not in names) or value not in (*names, *field.enum_type.values_by_number):
            faults.append(Fault(path, f"{value!r} is not one of {', '.join(names)}"))
        return value
    if field.message_type is None:
        return _scalar(field, value, path, faults)
    return _message(field.message_type, value, path, faults)


def _message(descriptor: Descriptor, value: Any, path: str, faults: list[Fault]) -> Any:
    if descriptor.full_name == "google.protobuf.Any":
        return _any(value, path, faults)
    if descriptor.full_name in _BY_VALUE:
        try:
            filled(descriptor.full_name, value)
        except (TypeError, ValueError, AttributeError) as error:
            faults.append(Fault(path, str(error).partition(": ")[2] or str(error)))
        return value
    return _fields(descriptor, value, path, faults)


def _any(value: Any, path: str, faults: list[Fault]) -> dict[str, Any]:
    url = value.get("@type") if isinstance(value, dict) else None
    if not isinstance(url, str):
        faults.append(Fault(path, "must be a mapping with `@type`, like type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua"))
        return {}
    name = url.rpartition("/")[2]
    if name in _STRUCTS and isinstance(value.get("type_url", value.get("typeUrl")), str):
        named = value.get("type_url", value.get("typeUrl"))
        return _any({**(value.get("value") or {}), "@type": named}, path, faults)
    if name.startswith("envoy.") and (".v2." in name or ".v2alpha." in name):
        faults.append(Fault(f"{path}.@type", f"{name!r} is of Envoy's v2 API, which it takes no more; use its v3 type"))
        return {}
    try:
        descriptor = message_class(name).DESCRIPTOR
    except (Wrong, ValueError, ImportError):
        faults.append(Fault(f"{path}.@type", f"no type {name!r} of Envoy's is known"))
        return {}
    rest = {key: each for key, each in value.items() if key != "@type"}
    if descriptor.full_name in _BY_VALUE:
        return {"@type": url, "value": _message(descriptor, rest.get("value"), f"{path}.value", faults)}
    return {"@type": f"type.googleapis.com/{name}", **_fields(descriptor, rest, path, faults)}


def _scalar(field: FieldDescriptor, value: Any, path: str, faults: list[Fault]) -> Any:
    if field.containing_type.GetOptions().map_entry:
        return value  # looked at when the whole is filled
    try:
        fill(GetMessageClass(field.containing_type)(), {field.name: [value] if field.is_repeated else value})
    except Wrong as error:
        faults.append(Fault(path, str(error).partition(": ")[2]))
    return value


@cache
def _spellings(descriptor: Descriptor) -> dict[str, FieldDescriptor]:
    return {spelling: field for field in descriptor.fields for spelling in (field.name, field.json_name)}


def strings(value: Any) -> Iterator[str]:
    """Every string in it."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)
