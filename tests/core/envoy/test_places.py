"""Which place is served first, and which gets what share."""

import pytest

from meshconsole.core.envoy.draft import Localities
from meshconsole.core.envoy.places import distance, matches, spread


def group(weight: int) -> dict:
    return {"load_balancing_weight": weight}


@pytest.mark.parametrize(
    ("pattern", "locality", "taken"),
    [
        ("*", "a/b/c", True),
        ("a", "a/b/c", True),
        ("a/*", "a/b/c", True),
        ("a/b", "a/b/c", True),
        ("a/b/c", "a/b/c", True),
        ("*/b", "a/b/c", True),
        ("a/x", "a/b/c", False),
        ("b", "a/b/c", False),
        ("a/b/c", "a/b", False),
    ],
)
def test_what_a_pattern_leaves_out_is_anything(pattern: str, locality: str, taken: bool):
    assert matches(pattern, locality) is taken


@pytest.mark.parametrize(("locality", "far"), [("a/b/c", 0), ("a/b/x", 1), ("a/b", 1), ("a/x/c", 2), ("x/b/c", 3), ("", 3), ("y/b/c", 3)])
def test_nearer_is_what_has_more_in_common_from_the_region_on(locality: str, far: int):
    assert distance("a/b/c", locality) == far


def test_the_fallback_region_comes_before_the_others():
    assert (distance("a/b/c", "y/1", "y"), distance("a/b/c", "z/1", "y")) == (3, 4)


def test_priorities_have_no_gap():
    found = spread([("x", group(1)), ("a/b/c", group(1)), ("a/x", group(1))], Localities("a/b/c"))
    assert [each["priority"] for each in found] == [2, 0, 1]
    assert [each["priority"] for each in spread([("x", group(1)), ("y", group(1))], Localities("a"))] == [0, 0]
    assert spread([], Localities("a")) == []


def test_a_share_is_divided_by_weight_and_the_unnamed_get_nothing():
    found = spread([("a/1", group(1)), ("a/2", group(2)), ("b", group(5)), ("c", group(1))], Localities("a", (("a", 70), ("b", 30))))
    assert [each["load_balancing_weight"] for each in found] == [24, 47, 30]


def test_a_share_of_a_place_without_endpoints_is_nobodys():
    assert spread([("a", group(1))], Localities("a", (("b", 50), ("a", 50)))) == [{"load_balancing_weight": 50}]
