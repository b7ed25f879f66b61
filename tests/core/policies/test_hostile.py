"""Whatever is sent, the door answers: with policies, or with Invalid and reasons. Nothing else is ever raised."""

import copy
import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshconsole.core.policies import dump, parse, parse_object
from meshconsole.core.resources.messages import Invalid, Level
from meshconsole.core.resources.yaml import load_documents

GOLDEN = Path(__file__).parents[2] / "golden"
DOCUMENTS = [
    document.data
    for path in sorted(GOLDEN.glob("*/*/in.yaml"))
    if path.parent.name != "refused"
    for document in load_documents(path.read_text())
]
JUNK = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=True, allow_infinity=True),
        st.text(),
        st.sampled_from(["", "*", "~", ".", "0s", "-1s", "\x00", "%", "%A", "{*}", "((((", "é", "\ud800", "a" * 5000, "\u202e", "spiffe://"]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.one_of(st.text(), st.sampled_from(["name", "spec", "exact"])), inner, max_size=3)),
    max_leaves=5,
)  # fmt: skip
anything = settings(deadline=None, suppress_health_check=list(HealthCheck))


def answered(data: Any) -> None:
    try:
        policy, _ = parse_object(data)
    except Invalid as invalid:
        assert any(m.level is Level.ERROR for m in invalid.messages)
        assert all(m.text and m.code for m in invalid.messages)
        assert str(invalid)
    else:
        parse_object(dump(policy))


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, inner in items for place in ((value, key), *places(inner))]


@settings(anything, max_examples=400)
@given(st.sampled_from(DOCUMENTS), st.randoms(use_true_random=False), st.lists(JUNK, min_size=1, max_size=3))
def test_a_document_with_junk_in_it_is_answered(document: dict[str, Any], chance: random.Random, junk: list[Any]):
    document = copy.deepcopy(document)
    for each in junk:
        container, key = chance.choice(places(document))
        container[key] = each
    answered(document)


@settings(anything, max_examples=200)
@given(st.sampled_from(DOCUMENTS), st.randoms(use_true_random=False), JUNK)
def test_a_document_with_a_strange_field_is_answered(document: dict[str, Any], chance: random.Random, junk: Any):
    document = copy.deepcopy(document)
    container = chance.choice([c for c, _ in places(document) if isinstance(c, dict)])
    container[chance.choice(["", "a.b", "a[0]", "name", "spec", "0", "\ud800", "function-", "[key]"])] = junk
    answered(document)


@pytest.mark.parametrize("text", ['hosts: ["a\\0"]', 'http: [{name: "\\0"}]', '"\\0": 1', 'hosts: []\n"\\0": 1'])
def test_a_nul_is_refused_wherever_it_stands(text: str):
    with pytest.raises(Invalid, match="NUL"):
        parse("apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\nspec:\n  " + text)


def test_bottomless_nesting_is_refused():
    deep: Any = "x"
    for _ in range(900):
        deep = {"a": [deep]}
    with pytest.raises(Invalid, match="nested deeper"):
        parse_object({**DOCUMENTS[0], "spec": deep})
    with pytest.raises(Invalid, match="nested deeper"):
        parse_object({**DOCUMENTS[0], "metadata": {"name": deep, "namespace": deep}})


@settings(anything, max_examples=100)
@given(JUNK)
def test_junk_alone_is_answered(junk: Any):
    answered(junk)


@settings(anything, max_examples=200)
@given(st.one_of(st.text(), st.binary(), st.text("{}[]:,-&*!|>'\"%@`#? \n\tab01~.")))
def test_any_text_is_answered(text: str | bytes):
    try:
        parse(text)
    except Invalid as invalid:
        assert str(invalid)


@settings(anything, max_examples=200)
@given(st.sampled_from(DOCUMENTS), st.integers(0, 3000), st.text("{}[]:,-&*!|>'\"%@`#? \n\tab01~.", min_size=1, max_size=3))
def test_a_text_with_a_slip_in_it_is_answered(document: dict[str, Any], place: int, slip: str):
    text = yaml.safe_dump(document)
    place %= len(text)
    try:
        parse(text[:place] + slip + text[place:])
    except Invalid as invalid:
        assert str(invalid)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: f"{d['kind']}-{d['metadata']['name']}")
def test_every_golden_document_is_let_in(document: dict[str, Any]):
    answered(document)
    parse_object(document)
