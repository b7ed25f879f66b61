"""
The door: YAML or JSON in, typed policies out, or every reason why not. To add a kind is to add a file in this folder.

    policies, messages = parse(text)      raises Invalid; `messages` are warnings and infos
"""

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from itertools import islice
from types import ModuleType
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from meshconsole import plugins
from meshconsole.core.resources import reading
from meshconsole.core.resources.catalogue import DUPLICATE, EMPTY, UNKNOWN_FIELD
from meshconsole.core.resources.conditions import amiss
from meshconsole.core.resources.messages import Invalid, Key, Level, Message
from meshconsole.core.resources.names import label_faults, name_fault, namespace_fault
from meshconsole.core.resources.yaml import MAX_BYTES, Lines, load_documents

from ._elsewhere import advice

if TYPE_CHECKING:
    from .base import Policy

KINDS: "dict[tuple[str, str], type[Policy]]"
"""(API group, kind) -> its class."""

_ENVELOPE = ("apiVersion", "kind", "metadata", "spec")
_SERVERS_OWN = ("status",)
"""Fields that a client may send back as it got them, and that Kubernetes ignores on a write; so do we."""


_FEW = 100
"""Errors in one object up to which more is looked for: who has more has enough to do."""


def __getattr__(name: str) -> Any:
    if name == "KINDS":  # on first use: a kind's module imports this package's base
        return _kinds()
    raise AttributeError(name)


@cache
def _kinds() -> "dict[tuple[str, str], type[Policy]]":
    from .base import Policy

    def classes(module: ModuleType) -> "Iterator[type[Policy]]":
        for value in vars(module).values():
            if (
                isinstance(value, type)
                and issubclass(value, Policy)
                and value.__module__.startswith(module.__name__)
                and hasattr(value, "plural")
            ):
                yield value

    return {(k.group, k.__name__): k for module in plugins.discover(__name__) for k in classes(module)}


def parse(text: str | bytes, *, max_bytes: int = MAX_BYTES) -> "tuple[list[Policy], list[Message]]":
    """Every document of `text` as its kind. Raises Invalid with all errors (and the warnings beside them), each with object, path and line."""
    policies, found = readable(text, max_bytes=max_bytes)
    if any(m.level is Level.ERROR for m in found):
        raise Invalid(found)
    return policies, found


def readable(text: str | bytes, *, max_bytes: int = MAX_BYTES) -> "tuple[list[Policy], list[Message]]":
    """The documents that can be taken, for analysis, and everything that there is to say of all. Raises Invalid where the text is no YAML."""
    policies: list[Policy] = []
    found: list[Message] = []
    for document in load_documents(text, max_bytes=max_bytes):
        for data, prefix in _listed(document.data):
            policy, said = _read(data)
            found += [_placed(m, document.lines, prefix, document.index) for m in said]
            if policy is not None:
                policies.append(policy)
    found += _twice(policies)
    if not policies and not found:
        found.append(Message(Level.ERROR, EMPTY, "nothing to read: no document with apiVersion and kind"))
    return policies, found


def parse_object(data: dict[str, Any]) -> "tuple[Policy, list[Message]]":
    """One object that has been read already (JSON). Raises Invalid."""
    policy, said = _read(data)
    if policy is None:
        raise Invalid(said)
    return policy, said


def dump(policy: "Policy") -> dict[str, Any]:
    """As the user wrote it: camelCase, without what was not said."""
    return policy.model_dump(mode="json", by_alias=True, exclude_unset=True)


def to_yaml(data: dict[str, Any]) -> str:
    """apiVersion, kind, metadata, spec, in that order."""
    ordered = {key: data[key] for key in _ENVELOPE if key in data} | {key: value for key, value in data.items() if key not in _ENVELOPE}
    return yaml.dump(ordered, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=120)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _listed(data: dict[str, Any]) -> Iterable[tuple[dict[str, Any], str]]:
    """The objects of a `kind: List` (as kubectl prints them), else the one object; with the path at which each stands."""
    if str(data.get("kind", "")).endswith("List") and isinstance(data.get("items"), list):
        return [(item, f"items[{n}]") for n, item in enumerate(data["items"])]
    return [(data, "")]


def _read(data: Any) -> "tuple[Policy | None, list[Message]]":
    if not isinstance(data, dict):
        return None, [Message(Level.ERROR, reading.SCHEMA, "must be a mapping with apiVersion, kind, metadata and spec")]
    kind, fault = _kind_of(data)
    if kind is None:
        return None, [fault] if fault else []
    key = _key(kind, data)
    if unfit := [Message(Level.ERROR, reading.SCHEMA, why, key=key, path=path) for path, why in islice(reading.unfit(data), _FEW)]:
        return None, unfit
    status = [replace(m, key=key) for m in amiss(data.get("status"))]
    data = {name: value for name, value in data.items() if name not in _SERVERS_OWN}
    try:
        policy = kind.model_validate(data)
    except ValidationError as e:
        wrong = [replace(m, key=key) for m in reading.messages(e, kind, data)]
        return None, status + wrong + (_beside(kind, data, e, wrong) if len(wrong) <= _FEW else [])
    found = status + [replace(m, key=m.key or policy.key) for m in (*_names(policy), *policy.check())]
    return (None if any(m.level is Level.ERROR for m in found) else policy), found


def _beside(kind: "type[Policy]", data: dict[str, Any], fault: ValidationError, wrong: list[Message]) -> list[Message]:
    """What the kind's own checks find in the fields that were understood, so that one look shows all errors. What has to do with a field
    that was not understood is left out: it would mislead."""
    try:
        understood = kind.model_validate(reading.without(data, fault))
    except (ValidationError, LookupError):
        return []
    paths = [m.path for m in wrong]
    # A field with an unknown name was meant to be another one of the same mapping.
    mappings = {m.path.rpartition(".")[0] for m in wrong if m.code == UNKNOWN_FIELD}
    found = (replace(m, key=m.key or understood.key) for m in (*_names(understood), *understood.check()) if m.level is Level.ERROR)
    return [
        m
        for m in found
        if m.path.rpartition(".")[0] not in mappings and not any(path.startswith(m.path) or m.path.startswith(path) for path in paths)
    ]


def _kind_of(data: dict[str, Any]) -> "tuple[type[Policy] | None, Message | None]":
    def wrong(text: str, path: str) -> tuple[None, Message]:
        return None, Message(Level.ERROR, reading.SCHEMA, text, path=path)

    api, name = data.get("apiVersion"), data.get("kind")
    if not isinstance(api, str) or not api:
        return wrong("apiVersion is required, like networking.istio.io/v1", "apiVersion")
    if not isinstance(name, str) or not name:
        return wrong("kind is required, like VirtualService", "kind")
    kinds = _kinds()
    group, _, version = api.rpartition("/")
    kind = kinds.get((group, name))
    if kind is None and (said := advice(group, name)):
        return wrong(said, "kind")
    if kind is None:
        elsewhere = next((k for (_, n), k in kinds.items() if n == name), None)
        if elsewhere is not None:
            return wrong(f"{name} is of {elsewhere.group}/{elsewhere.versions[0]}, not of {api}", "apiVersion")
        near = difflib.get_close_matches(name, [n for _, n in kinds], 1, 0.7)
        known = ", ".join(sorted(n for _, n in kinds))
        return wrong(f"the kind {name!r} is not supported" + (f"; did you mean {near[0]}?" if near else f"; there are {known}"), "kind")
    if version not in kind.versions:
        return wrong(f"{name} has no version {version!r}; use {kind.group}/{kind.versions[0]}", "apiVersion")
    return kind, None


def _key(kind: "type[Policy]", data: dict[str, Any]) -> Key:
    """As well as can be told before anything is checked."""
    metadata = data.get("metadata")

    def said(field: str, default: str) -> str:
        value = metadata.get(field) if isinstance(metadata, dict) else None
        return value[:253] if isinstance(value, str) and value else default

    return Key(kind.group, kind.__name__, said("namespace", "default"), said("name", "?"))


def _names(policy: "Policy") -> Iterator[Message]:
    metadata = policy.metadata
    if fault := name_fault(metadata.name):
        yield policy.error("metadata.name", fault)
    if fault := namespace_fault(metadata.namespace):
        yield policy.error("metadata.namespace", fault)
    for key, fault in label_faults(metadata.labels):
        yield policy.error(f"metadata.labels.{key}", fault)


def _placed(message: Message, lines: Lines, prefix: str, document: int) -> Message:
    path = f"{prefix}.{message.path}" if prefix and message.path else message.path or prefix
    return replace(message, line=lines.of(path), document=document)


def _twice(policies: "list[Policy]") -> Iterator[Message]:
    seen: set[Key] = set()
    for policy in policies:
        if policy.key in seen:
            yield Message(Level.ERROR, DUPLICATE, "stands twice in what was sent; keep one", key=policy.key)
        seen.add(policy.key)
