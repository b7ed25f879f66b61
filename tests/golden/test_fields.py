"""The golden cases use each field of each kind that writes configuration, and each word that a field takes: none is there that no case shows."""

import types
import typing
from collections.abc import Iterator
from enum import Enum
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from meshconsole.core.policies import KINDS

from . import case

_WITHOUT = {"AlertRule", "NotificationChannel", "ServiceLevelObjective"}
"""Kinds that write no configuration."""
COMPILED = {name: kind for (_, name), kind in KINDS.items() if name not in _WITHOUT}
_NEVER = {
    "Sidecar": {("ServerTls", name) for name in ("credentialName", "credentialNames", "caCertCredentialName", "httpsRedirect")},
    "WorkloadGroup": {("Template", "address")},
    "MeshConfig": {("Network", "endpoints"), ("NetworkEndpoints", "fromRegistry")},
}
"""What this kind refuses whatever it says: shared with another kind, or there for its own message."""
_ENVELOPE = {"api_version", "kind", "metadata"}


def _told(annotation: Any) -> Iterator[Any]:
    """What a value, or a value within it, can be: models, enumerations, literal words."""
    origin = typing.get_origin(annotation)
    if origin is typing.Literal:
        yield annotation
    elif origin in (typing.Union, types.UnionType, typing.Annotated, list, tuple, dict):
        arguments = typing.get_args(annotation)
        for each in arguments[:1] if origin is typing.Annotated else arguments:
            yield from _told(each)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel | Enum):
        yield annotation


def _wanted(model: type[BaseModel], seen: set[Any], leave: set[str] = frozenset()) -> Iterator[tuple[str, str]]:
    """(model, field) and (model, field=word) of a model and of all that its fields can be."""
    if model in seen:
        return
    seen.add(model)
    for own, field in model.model_fields.items():
        if own in leave or field.exclude:
            continue
        name = field.alias or own
        yield model.__name__, name
        for each in _told(field.annotation):
            if typing.get_origin(each) is typing.Literal:
                yield from ((model.__name__, f"{name}={word}") for word in typing.get_args(each) if word != "")
            elif issubclass(each, Enum):
                yield from ((model.__name__, f"{name}={word.value}") for word in each)
            else:
                yield from _wanted(each, seen)


def _used(annotation: Any, value: Any) -> Iterator[tuple[str, str]]:
    """What of `_wanted` a written value uses."""
    for model in _told(annotation):
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            continue
        for each in _objects(annotation, value):
            for own, field in model.model_fields.items():
                name = field.alias or own
                if name in each:
                    yield model.__name__, name
                    yield from ((model.__name__, f"{name}={word}") for word in _words(each[name]))
                    yield from _used(field.annotation, each[name])


def _objects(annotation: Any, value: Any) -> Iterator[dict[str, Any]]:
    """Objects that are written where the annotation stands: in lists, and as the values of a map."""
    if isinstance(value, list):
        for each in value:
            yield from _objects(annotation, each)
    elif isinstance(value, dict):
        yield from (value.values() if _is_map(annotation) else [value])


def _is_map(annotation: Any) -> bool:
    return typing.get_origin(annotation) is dict or any(_is_map(each) for each in typing.get_args(annotation))


def _words(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        yield from (each for each in value if not isinstance(each, dict | list))
    elif isinstance(value, dict):
        yield from (each for each in value.values() if not isinstance(each, dict | list))
    else:
        yield value


def _shown() -> dict[str, set[tuple[str, str]]]:
    found: dict[str, set[tuple[str, str]]] = {name: set() for name in COMPILED}
    for folder in case.folders():
        for document in yaml.safe_load_all((folder / "in.yaml").read_text()):
            if document and document["kind"] in found:
                used = _used(COMPILED[document["kind"]], document)
                # A word may be there to be refused; a field must have been taken.
                found[document["kind"]].update(each for each in used if folder.name != "refused" or "=" in each[1])
    return found


SHOWN = _shown()


@pytest.mark.parametrize("kind", sorted(COMPILED))
def test_each_field_and_each_of_its_words_is_shown_by_a_golden_case(kind: str):
    wanted = set(_wanted(COMPILED[kind], set(), _ENVELOPE))
    never = _NEVER.get(kind, set())
    assert never <= wanted and not never & SHOWN[kind]
    assert sorted(wanted - SHOWN[kind] - never) == [], "no tests/golden/*/*/in.yaml says it: add a case (pytest tests/golden --refresh)"
