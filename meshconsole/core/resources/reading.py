"""What pydantic says of a document, in words that help: the object, the field, what was wrong and what would be right."""

import difflib
import types
import typing
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from pydantic import BaseModel, ValidationError

from .catalogue import SCHEMA_ERROR as SCHEMA
from .catalogue import UNKNOWN_FIELD, UNSUPPORTED
from .envelope import Model
from .messages import Level, Message
from .yaml import MAX_DEPTH

_TYPES = {
    "string_type": "a string", "int_type": "a whole number", "int_parsing": "a whole number", "int_from_float": "a whole number",
    "float_type": "a number", "float_parsing": "a number", "bool_type": "true or false", "bool_parsing": "true or false",
    "dict_type": "a mapping", "list_type": "a sequence", "model_type": "a mapping", "model_attributes_type": "a mapping", "tuple_type": "a sequence",
}  # fmt: skip


def messages(fault: ValidationError, schema: type[BaseModel], data: dict[str, Any]) -> Iterator[Message]:
    """One error per fault, with the path as the user writes it."""
    for error in fault.errors(include_url=False):
        location = error["loc"]
        kind, path = error["type"], path_of(location)
        value = error.get("input")
        match kind:
            case "extra_forbidden":
                yield _extra(schema, location, path)
            case "missing":
                yield Message(Level.ERROR, SCHEMA, "is required", path=path)
            case "enum" | "literal_error":
                yield Message(Level.ERROR, SCHEMA, f"{value!r} is not one of {error['ctx']['expected']}", path=path)
            case "string_type" if isinstance(value, bool | int | float):
                text = str(value).lower() if isinstance(value, bool) else str(value)
                yield Message(Level.ERROR, SCHEMA, f'must be a string, not {_shown(value)}; put quotes around it: "{text}"', path=path)
            case _ if kind in _TYPES:
                yield Message(Level.ERROR, SCHEMA, f"must be {_TYPES[kind]}, not {_shown(value)}", path=path)
            case "value_error":
                yield Message(Level.ERROR, SCHEMA, str(error["ctx"]["error"]), path=path)
            case _:
                text = error["msg"].replace("Input should", "must", 1).replace("Value should", "must", 1)
                yield Message(Level.ERROR, SCHEMA, f"{text}, not {_shown(value)}", path=path)


def unfit(value: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """(path, why) of what no kind could make sense of: a NUL, which no database keeps and no header or host has, and bottomless nesting."""
    if isinstance(value, str):
        if "\0" in value:
            yield path, "a NUL character cannot stand in a string"
    elif isinstance(value, dict | list):
        if depth >= MAX_DEPTH:
            yield path, f"nested deeper than {MAX_DEPTH} levels"
        elif isinstance(value, dict):
            for key, inner in value.items():
                yield from unfit(key, path)
                yield from unfit(inner, f"{path}.{key}" if path else str(key), depth + 1)
        else:
            for n, inner in enumerate(value):
                yield from unfit(inner, f"{path}[{n}]", depth + 1)


def without(data: dict[str, Any], fault: ValidationError) -> dict[str, Any]:
    """A copy of `data` without the fields at fault. Raises LookupError where something is missing, or wrong as a whole."""
    copy = deepcopy(data)
    for error in fault.errors(include_url=False, include_context=False, include_input=False):
        path = error["loc"]
        place: Any = copy
        for part in path[:-1]:
            if not isinstance(place, dict | list):
                raise LookupError(part)
            place = place[part]  # type: ignore[index]
        if not path or error["type"] == "missing" or not isinstance(place, dict) or path[-1] not in place:
            raise LookupError(path)
        del place[path[-1]]
    return copy


def path_of(location: tuple[int | str, ...]) -> str:
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif not part.startswith(("function-", "[key]")):
            path += f".{part}" if path else part
    return path


def _extra(schema: type[BaseModel], location: tuple[int | str, ...], path: str) -> Message:
    field, owner = str(location[-1]), _model_at(schema, location[:-1])
    if owner is not None and field in owner.unsupported:
        reason = owner.unsupported[field]
        return Message(Level.ERROR, UNSUPPORTED, f"not supported yet{': ' + reason if reason else ''}; remove the field", path=path)
    known = [f.alias or name for name, f in owner.model_fields.items()] if owner else []
    near = difflib.get_close_matches(field, known, 1, 0.6)
    hint = f"; did you mean {near[0]!r}?" if near else f"; known here: {', '.join(sorted(known))}" if known else ""
    return Message(Level.ERROR, UNKNOWN_FIELD, f"unknown field {field!r}{hint}", path=path)


def _model_at(schema: type[BaseModel], location: tuple[int | str, ...]) -> type[Model] | None:
    """The model that a location lies in, followed through optionals, sequences and mappings."""
    current: Any = schema
    for part in location:
        if isinstance(part, int):
            continue
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = next((f for name, f in current.model_fields.items() if part in (f.alias, name)), None)
            if field is None:
                return None
            current = _inner(field.annotation)
        # else: a mapping's key, whose value type `current` already is
    return current if isinstance(current, type) and issubclass(current, Model) else None


def _inner(annotation: Any) -> Any:
    """The model inside `X | None`, `list[X]`, `dict[str, X]`, `Annotated[X, …]`."""
    while True:
        origin = typing.get_origin(annotation)
        if origin is typing.Annotated:
            annotation = typing.get_args(annotation)[0]
        elif origin in (typing.Union, types.UnionType):
            annotation = next((a for a in typing.get_args(annotation) if a is not type(None)), None)
        elif origin in (list, tuple, set, dict):
            annotation = typing.get_args(annotation)[0 if origin is not dict else -1]
        else:
            return annotation


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
