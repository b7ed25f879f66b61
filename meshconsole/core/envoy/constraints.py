"""
What Envoy's API asks of a message beyond its fields' types: required fields, ranges, lengths, as its protobuf files say (protoc-gen-validate).

Envoy checks the same on arrival and refuses the whole resource; here it is found before anything is sent. Regular expressions of the rules
(header names and values) are left to Envoy.
"""

import contextlib
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from .filling import Wrong
from .merging import opened

Check = Callable[[Any], str]
"""What is wrong with a value; '' nothing."""
_WRAPPERS = frozenset(
    f"google.protobuf.{name}Value" for name in ("Int32", "Int64", "UInt32", "UInt64", "Float", "Double", "String", "Bool", "Bytes")
)


def broken(message: Message, path: str = "") -> Iterator[tuple[str, str]]:
    """(path, what is wrong) of every rule that the message breaks, and those in it."""
    descriptor = message.DESCRIPTOR
    if descriptor.full_name == "google.protobuf.Any":
        with contextlib.suppress(Wrong, ImportError, ValueError):  # a type that only Envoy knows, or none
            yield from broken(opened(message), path)  # type: ignore[arg-type]
        return
    whole, fields = _rules(descriptor)
    for names in whole:
        if not any(message.HasField(name) for name in names):
            yield path, f"one of {', '.join(names)} is required"
    for field, required, check in fields:
        at = f"{path}.{field.name}" if path else field.name
        if field.has_presence and not message.HasField(field.name):
            if required:
                yield at, "is required"
            continue
        if why := check(getattr(message, field.name)):
            yield at, why
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        at = f"{path}.{field.name}" if path else field.name
        if field.message_type.GetOptions().map_entry:
            if field.message_type.fields_by_name["value"].message_type is not None:
                for key in sorted(value):
                    yield from broken(value[key], f"{at}.{key}")
        elif field.is_repeated:
            for n, each in enumerate(value):
                yield from broken(each, f"{at}[{n}]")
        elif not field.message_type.full_name.startswith("google.protobuf.") or field.message_type.full_name.endswith(".Any"):
            yield from broken(value, at)


@cache
def _rules(descriptor: Descriptor) -> tuple[tuple[tuple[str, ...], ...], tuple[tuple[FieldDescriptor, bool, Check], ...]]:
    from validate import validate_pb2

    options = descriptor.GetOptions()
    if options.Extensions[validate_pb2.disabled] or options.Extensions[validate_pb2.ignored]:
        return (), ()
    oneofs = tuple(
        tuple(field.name for field in oneof.fields)
        for oneof in descriptor.oneofs
        if oneof.has_options and oneof.GetOptions().Extensions[validate_pb2.required]
    )
    fields = []
    for field in descriptor.fields:
        if field.has_options and field.GetOptions().HasExtension(validate_pb2.rules):
            rules = field.GetOptions().Extensions[validate_pb2.rules]
            kind = rules.WhichOneof("type")
            own = getattr(rules, kind) if kind else None
            required = (field.containing_oneof is None and rules.message.required) or bool(
                own is not None and "required" in own.DESCRIPTOR.fields_by_name and own.required
            )
            fields.append((field, required, _check(kind or "", own, field)))
    return oneofs, tuple(fields)


def _check(kind: str, rules: Any, field: FieldDescriptor | None) -> Check:
    match kind:
        case "repeated":
            return _counted(rules.min_items, rules.max_items, "entries", _each(rules.items), unique=rules.unique)
        case "map":
            return _counted(rules.min_pairs, rules.max_pairs, "entries", None)
        case "string" | "bytes":
            return _text(rules)
        case "enum":
            numbers = frozenset(field.enum_type.values_by_number) if field is not None and field.enum_type is not None else frozenset()
            return _enum(rules, numbers)
        case "duration":
            return _duration(rules)
        case "bool":
            return lambda value: "" if not rules.HasField("const") or _plain(value) == rules.const else f"must be {rules.const}"
        case "" | "message" | "any" | "timestamp":
            return lambda value: ""
    return _number(rules)


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Message) and value.DESCRIPTOR.full_name in _WRAPPERS else value


def _each(rules: Any) -> Check | None:
    kind = rules.WhichOneof("type")
    return _check(kind, getattr(rules, kind), None) if kind and kind != "enum" else None


def _counted(least: int, most: int, what: str, each: Check | None, *, unique: bool = False) -> Check:
    def check(values: Any) -> str:
        if len(values) < least:
            return f"needs {least} {what} or more"
        if most and len(values) > most:
            return f"may have {most} {what} at most"
        if unique and len({repr(value) for value in values}) < len(values):
            return "says the same twice"
        return next((why for value in values if each and (why := each(value))), "")

    return check


def _text(rules: Any) -> Check:
    names = rules.DESCRIPTOR.fields_by_name
    least = max(getattr(rules, name) for name in ("min_len", "min_bytes", "len") if name in names)
    most = max(getattr(rules, name) for name in ("max_len", "max_bytes", "len") if name in names)
    allowed = tuple(getattr(rules, "in"))

    def check(value: Any) -> str:
        text = _plain(value)
        if rules.ignore_empty and not text:
            return ""
        if least and len(text) < least:
            return "must not be empty" if least == 1 else f"needs {least} characters or more"
        if most and len(text) > most:
            return f"may have {most} characters at most"
        if rules.prefix and not text.startswith(rules.prefix):
            return f"must begin with {rules.prefix!r}"
        return f"must be one of {', '.join(map(repr, allowed))}" if allowed and text not in allowed else ""

    return check


def _enum(rules: Any, numbers: frozenset[int]) -> Check:
    refused, allowed = tuple(rules.not_in), tuple(getattr(rules, "in"))

    def check(value: Any) -> str:
        wrong = (rules.defined_only and numbers and value not in numbers) or value in refused or (allowed and value not in allowed)
        return "is none of the values that are taken here" if wrong else ""

    return check


def _duration(rules: Any) -> Check:
    def nanoseconds(value: Any) -> int:
        return int(value.seconds) * 10**9 + int(value.nanos)

    bounds = {name: nanoseconds(getattr(rules, name)) for name in ("lt", "lte", "gt", "gte") if rules.HasField(name)}
    return lambda value: _bounded(nanoseconds(value), bounds, lambda bound: f"{bound / 10**9:g}s")


def _number(rules: Any) -> Check:
    bounds = {name: getattr(rules, name) for name in ("lt", "lte", "gt", "gte") if rules.HasField(name)}
    allowed = tuple(getattr(rules, "in"))

    def check(value: Any) -> str:
        number = _plain(value)
        if rules.ignore_empty and not number:
            return ""
        if allowed and number not in allowed:
            return f"must be one of {', '.join(map(str, allowed))}"
        return _bounded(number, bounds, lambda bound: f"{bound:g}")

    return check


_WORDS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "lt": ("less than", lambda a, b: a < b),
    "lte": ("at most", lambda a, b: a <= b),
    "gt": ("more than", lambda a, b: a > b),
    "gte": ("at least", lambda a, b: a >= b),
}


def _bounded(value: Any, bounds: dict[str, Any], shown: Callable[[Any], str]) -> str:
    low, high = bounds.get("gt", bounds.get("gte")), bounds.get("lt", bounds.get("lte"))
    if low is not None and high is not None and low >= high:  # outside of a range; none of Envoy's fields says so
        return ""
    return next((f"must be {_WORDS[name][0]} {shown(bound)}" for name, bound in bounds.items() if not _WORDS[name][1](value, bound)), "")
