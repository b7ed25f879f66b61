"""JSON Merge Patch (RFC 7396) and JSON Patch (RFC 6902). Pure: documents in, documents out; what does not fit is a ValueError."""

import copy
from typing import Any


def merge(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    found = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = merge(found.get(name), value)
    return found


def apply(document: Any, operations: Any) -> Any:
    """RFC 6902. `document` itself stays as it is."""
    if not isinstance(operations, list):
        raise ValueError("a JSON patch is a list of operations")
    root = {"": copy.deepcopy(document)}
    for i, operation in enumerate(operations):
        try:
            _one(root, operation)
        except (KeyError, IndexError, TypeError, ValueError) as e:
            raise ValueError(f"operation {i} of the JSON patch cannot be done: {e}") from e
    return root[""]


def _one(root: dict[str, Any], operation: dict[str, Any]) -> None:
    op, path = operation["op"], _pointer(operation["path"])
    match op:
        case "add":
            _add(root, path, copy.deepcopy(operation["value"]))
        case "remove":
            _remove(root, path)
        case "replace":
            _get(root, path)
            if len(path) > 1 and isinstance(_get(root, path[:-1]), list):
                _get(root, path[:-1])[int(path[-1])] = copy.deepcopy(operation["value"])
            else:
                _add(root, path, copy.deepcopy(operation["value"]))
        case "move":
            source = _pointer(operation["from"])
            if path[: len(source)] == source and path != source:
                raise ValueError("a value cannot move into itself")
            _add(root, path, _remove(root, source))
        case "copy":
            _add(root, path, copy.deepcopy(_get(root, _pointer(operation["from"]))))
        case "test":
            if not _same(_get(root, path), operation["value"]):
                raise ValueError(f"{operation['path']} is not what `test` says")
        case _:
            raise ValueError(f"there is no operation {op!r}")


def _pointer(text: str) -> list[str]:
    if text and not text.startswith("/"):
        raise ValueError(f"{text!r} is not a JSON pointer")
    return ["", *(part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:])]


def _index(part: str, length: int) -> int:
    if not part.isascii() or not part.isdigit() or (part[0] == "0" and part != "0"):
        raise ValueError(f"{part!r} is not a place in a list")
    if int(part) >= length:
        raise IndexError(f"there is no place {part} in a list of {length}")
    return int(part)


def _get(value: Any, path: list[str]) -> Any:
    for part in path:
        if isinstance(value, list):
            value = value[_index(part, len(value))]
        elif isinstance(value, dict):
            value = value[part]
        else:
            raise ValueError(f"there is nothing below a {type(value).__name__}")
    return value


def _add(root: dict[str, Any], path: list[str], value: Any) -> None:
    parent, last = _get(root, path[:-1]), path[-1]
    if isinstance(parent, list):
        parent.insert(len(parent) if last == "-" else _index(last, len(parent) + 1), value)
    elif isinstance(parent, dict):
        parent[last] = value
    else:
        raise ValueError(f"nothing can be added below a {type(parent).__name__}")


def _remove(root: dict[str, Any], path: list[str]) -> Any:
    parent, last = _get(root, path[:-1]), path[-1]
    if isinstance(parent, list):
        return parent.pop(_index(last, len(parent)))
    return parent.pop(last)


def _same(a: Any, b: Any) -> bool:
    """Equal as JSON: `True` is not 1."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_same, a, b))
    return a == b
