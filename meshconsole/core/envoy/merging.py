"""
How a patch joins a message (Istio: pkg/proto/merge): scalars replace, messages join field by field, lists are appended to, a mapping's
entries replace those of the same key, a Duration or an optional number is one value. An Any joins one of the same type; one of another type takes its place.
"""

from google.protobuf.any_pb2 import Any
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from .filling import message_class

_ANY = "google.protobuf.Any"
_WHOLE = frozenset(
    f"google.protobuf.{name}"
    for name in (
        "Duration", "Timestamp", "Value", "BoolValue", "Int32Value", "Int64Value", "UInt32Value", "UInt64Value", "FloatValue", "DoubleValue",
        "StringValue", "BytesValue",
    )
)  # fmt: skip
"""One value each. Istio joins the wrappers too, so that a `false` never takes the place of a `true` there: who writes it means it."""


def merge(into: Message, patch: Message, *, replace_lists: bool = False) -> None:
    """`replace_lists`: a list takes the place of the other one, and is not appended (MERGE_AND_REPLACE_LIST)."""
    for field, value in patch.ListFields():
        name = field.name
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            _merge_map(getattr(into, name), value, field)
        elif field.is_repeated:
            if replace_lists:
                into.ClearField(name)
            getattr(into, name).extend(value)
        elif field.message_type is None:
            setattr(into, name, value)
        elif not into.HasField(name) or field.message_type.full_name in _WHOLE:
            into.ClearField(name)
            getattr(into, name).CopyFrom(value)
        elif field.message_type.full_name == _ANY:
            merge_any(getattr(into, name), value, replace_lists=replace_lists)
        else:
            merge(getattr(into, name), value, replace_lists=replace_lists)


def _merge_map(into: object, patch: object, field: FieldDescriptor) -> None:
    scalar = field.message_type.fields_by_name["value"].message_type is None
    for key in patch:  # type: ignore[attr-defined]
        if scalar:
            into[key] = patch[key]  # type: ignore[index]
        else:
            into[key].CopyFrom(patch[key])  # type: ignore[index]


def merge_any(into: Any, patch: Any, *, replace_lists: bool = False) -> None:
    if into.type_url.rpartition("/")[2] != patch.type_url.rpartition("/")[2]:
        into.CopyFrom(patch)
        return
    inner = opened(into)
    merge(inner, opened(patch), replace_lists=replace_lists)
    close(into, inner)


def opened(packed: Any) -> Message:
    return message_class(packed.type_url.rpartition("/")[2]).FromString(packed.value)


def close(packed: Any, message: Message) -> None:
    """Deterministic, as all that we serialise: maps are sorted."""
    packed.value = message.SerializeToString(deterministic=True)
