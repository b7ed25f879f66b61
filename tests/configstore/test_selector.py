"""Kubernetes' label selectors."""

import pytest

from meshconsole.configstore import selector

LABELS = {"app": "reviews", "version": "v2", "example.com/tier": "front"}


@pytest.mark.parametrize(
    "text,selected",
    [
        ("", True),
        ("app=reviews", True),
        ("app==reviews", True),
        ("app=ratings", False),
        ("app=reviews,version!=v1", True),
        ("app!=reviews", False),
        ("missing!=x", True),
        ("version in (v1, v2)", True),
        ("version in (v3)", False),
        ("version notin (v1,v3),app", True),
        ("missing notin (a)", True),
        ("app", True),
        ("!app", False),
        ("!missing", True),
        ("example.com/tier=front", True),
    ],
)
def test_a_selector_selects(text, selected):
    assert selector.parse(text)(LABELS) is selected


@pytest.mark.parametrize("text", ["=x", "app=(a", "app in a,b", "a b", "app>3"])
def test_what_is_not_a_selector_is_refused(text):
    with pytest.raises(ValueError, match="is not a label selector"):
        selector.parse(text)
