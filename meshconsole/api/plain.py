"""Values of the other rooms as JSON: dataclasses become objects with camelCase keys, times RFC 3339, enums their values."""

import dataclasses
import datetime
import enum
from collections.abc import Mapping
from typing import Any

import msgspec

from meshconsole.core.resources.messages import Key, Message


def plain(value: Any) -> Any:
    if isinstance(value, Message):
        return message(value)
    if isinstance(value, enum.Enum):
        return value.value
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, datetime.datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {str(plain(k)): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, set | frozenset):
        return sorted(plain(v) for v in value)
    if isinstance(value, msgspec.Struct):
        return plain(msgspec.to_builtins(value))
    if dataclasses.is_dataclass(value):
        # Not asdict(): it would deep-copy and lose the types on the way.
        return {camel(f.name): plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return str(value)


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def reference(key: Key | None) -> dict[str, str] | None:
    return None if key is None else {"group": key.group, "kind": key.kind, "namespace": key.namespace, "name": key.name}


def message(m: Message) -> dict[str, Any]:
    return {
        "level": m.level.name.lower(),
        "code": m.code,
        "object": reference(m.key),
        "path": m.path,
        "line": m.line,
        "document": m.document,
        "text": m.text,
    }
