"""
New resources out of old ones: a resource of a golden case, with a few of its parts dropped, swapped for what another case says there, or doubled.

Every field of every kind is said by some golden case (tests/golden/test_fields.py), so every field is tried here, beside things nobody thought of.
"""

import copy
import typing
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from hypothesis import strategies as st
from pydantic import BaseModel

from meshconsole.core.policies import KINDS
from meshconsole.core.resources.yaml import load_documents
from tests.golden import case

Json = Any
Draw = Callable[[st.SearchStrategy[Any]], Any]
CLASSES = {name: kind for (_, name), kind in KINDS.items()}
_NUMBERS = (0, 1, 2, 100, 9080, 65535, 2**31 - 1, 2**32 - 1)
_ENVELOPE = ("apiVersion", "kind", "metadata")


class Place(NamedTuple):
    """Where a field of a model can stand in a resource."""

    holder: dict[str, Json]
    model: type[BaseModel]
    field: str
    annotation: Any
    inner: type[BaseModel] | None


def model_of(annotation: Any) -> type[BaseModel] | None:
    """The model inside lists, maps and options."""
    if isinstance(annotation, type):
        return annotation if issubclass(annotation, BaseModel) else None
    return next((found for each in reversed(typing.get_args(annotation)) if (found := model_of(each))), None)


def _is_map(annotation: Any) -> bool:
    return typing.get_origin(annotation) is dict or any(_is_map(each) for each in typing.get_args(annotation))


def places(model: type[BaseModel], written: Json) -> Iterator[Place]:
    if not isinstance(written, dict):
        return
    for own, field in model.model_fields.items():
        name = field.alias or own
        if name in _ENVELOPE:
            continue
        inner = model_of(field.annotation)
        yield Place(written, model, name, field.annotation, inner)
        value = written.get(name)
        if inner is not None and value is not None:
            listed = value if isinstance(value, list) else value.values() if _is_map(field.annotation) else [value]
            for each in listed:
                yield from places(inner, each)


class Pool:
    """Whole resources by kind, and what each field of each model was said to be."""

    def __init__(self, documents: list[Json]):
        self.resources: dict[str, list[Json]] = defaultdict(list)
        self.said: dict[tuple[type[BaseModel], str], list[Json]] = defaultdict(list)
        for document in documents:
            self.resources[document["kind"]].append(document)
            for place in places(CLASSES[document["kind"]], document):
                if place.field in place.holder:
                    self.said[place.model, place.field].append(place.holder[place.field])

    def resource(self, kind: str) -> st.SearchStrategy[Json]:
        """A resource of the kind, without metadata."""

        @st.composite
        def build(draw: Draw) -> Json:
            made = copy.deepcopy(draw(st.sampled_from(self.resources[kind])))
            made.pop("metadata", None)
            for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2, 2, 3, 5]))):
                self._change(draw, draw(st.sampled_from(list(places(CLASSES[kind], made)))))
            return made

        return build()

    def _change(self, draw: Draw, place: Place) -> None:
        said = self.said[place.model, place.field]
        value = place.holder.get(place.field)
        way = draw(st.sampled_from(["say", "say", "say", "drop", "vary", "vary", "double"]))
        if value is None or way == "say":
            if said:
                place.holder[place.field] = copy.deepcopy(draw(st.sampled_from(said)))
        elif way == "drop":
            del place.holder[place.field]
        elif isinstance(value, bool):
            place.holder[place.field] = not value
        elif isinstance(value, int):
            place.holder[place.field] = draw(st.sampled_from(_NUMBERS))
        elif isinstance(value, list):
            more = [each for other in said if isinstance(other, list) for each in other]
            value.insert(draw(st.integers(0, len(value))), copy.deepcopy(draw(st.sampled_from(more or [{}]))))
        elif isinstance(value, dict) and _is_map(place.annotation):
            value.update(copy.deepcopy(draw(st.sampled_from(said))))


def golden() -> Pool:
    files = [folder / "in.yaml" for folder in case.folders() if folder.name != "refused"]
    documents = (document.data for file in files for document in load_documents(file.read_text()))
    return Pool([document for document in documents if document["kind"] in CLASSES])


def fields(written: Json) -> set[tuple[type[BaseModel], str]]:
    """All that a resource says."""
    return {(place.model, place.field) for place in places(CLASSES[written["kind"]], written) if place.field in place.holder}
