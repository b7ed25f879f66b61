from meshconsole.core.mesh.selection import oldest_first, selects, visible
from meshconsole.core.mesh.spiffe import Identity, parse, spiffe_id
from tests.core.compiler.mesh import Answering


def test_an_empty_selector_selects_every_workload():
    assert selects({}, {"app": "reviews"})
    assert selects({"app": "reviews"}, {"app": "reviews", "version": "v1"})
    assert not selects({"app": "reviews", "version": "v2"}, {"app": "reviews", "version": "v1"})


def test_export_to_says_who_sees_it():
    assert visible((), "a", "b")
    assert visible(("*",), "a", "b")
    assert visible((".",), "a", "a") and not visible((".",), "a", "b")
    assert visible(("b",), "a", "b") and not visible(("c",), "a", "b")
    assert not visible(("~",), "a", "a")


def test_older_policies_come_first_and_equals_by_name():
    made = [
        Answering.make("c", {"host": "x"}, created="2026-01-02T00:00:00Z"),
        Answering.make("b", {"host": "x"}, created="2026-01-01T00:00:00Z"),
        Answering.make("a", {"host": "x"}, created="2026-01-01T00:00:00Z"),
    ]
    assert [p.metadata.name for p in oldest_first(made)] == ["a", "b", "c"]


def test_a_spiffe_id_is_read_back():
    assert parse(spiffe_id("cluster.local", "default", "bookinfo-reviews")) == Identity("cluster.local", "default", "bookinfo-reviews")
    for other in ("", "spiffe://td", "spiffe://td/ns/a", "https://td/ns/a/sa/b", "spiffe://td/ns//sa/b", "spiffe://td/ns/a/sa/b/c"):
        assert parse(other) is None
