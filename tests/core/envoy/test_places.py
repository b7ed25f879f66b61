"""Which place is served first, and which gets what share."""

import pytest

from meshconsole.core.envoy.draft import Localities, Zones
from meshconsole.core.envoy.places import distance, matches, rank, spread


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


@pytest.mark.parametrize(
    ("labels", "locality", "expected"),
    [({"tier": "gold"}, "west/a", 0), ({}, "west/a", 1), ({"tier": "gold"}, "east/a", 2), ({}, "", 2)],
)
def test_an_instance_ranks_by_how_many_of_the_first_labels_it_bears(labels: dict, locality: str, expected: int):
    assert rank(labels, locality, (("topology.kubernetes.io/region", "west"), ("tier", "gold"))) == expected


def test_a_label_that_neither_side_has_is_shared():
    assert rank({}, "", (("tier", ""),)) == 0


def zone(place: str, size: int) -> tuple[str, dict]:
    return place, {"lb_endpoints": [{}] * size, "load_balancing_weight": size}


def weights(instances: dict[str, int], callers: dict[str, int], min_size: int = 6) -> dict[str, int]:
    groups = [zone(place, size) for place, size in instances.items()]
    peers = tuple(place for place, count in callers.items() for _ in range(count))
    made = spread(groups, Localities("west/a/1", zones=Zones(min_size, peers)))
    return {place: group["load_balancing_weight"] for place, group in zip(instances, made, strict=True)}


def test_a_zone_that_can_take_all_of_its_callers_keeps_them():
    assert weights({"west/a": 3, "west/b": 3}, {"west/a": 1, "west/b": 1}) == {"west/a": 10000, "west/b": 1}


def test_what_a_zone_cannot_take_goes_where_there_is_more_than_is_asked_for():
    # Half of the callers, a quarter of the instances: half of the requests stay.
    assert weights({"west/a": 2, "west/b": 2, "west/c": 4}, {"west/a": 2, "west/b": 1, "west/c": 1}) == {
        "west/a": 5000,
        "west/b": 1,
        "west/c": 5000,
    }


def test_zones_make_no_difference_with_few_instances_or_without_one_at_home():
    assert weights({"west/a": 3, "west/b": 2}, {"west/a": 1, "west/b": 1}) == {"west/a": 3, "west/b": 2}
    assert weights({"west/b": 6}, {"west/a": 1, "west/b": 1}) == {"west/b": 6}
    assert weights({"west/a": 3, "west/b": 3}, {}) == {"west/a": 3, "west/b": 3}
