import msgspec
from hypothesis import given
from hypothesis import strategies as st

from meshconsole.topology.build import Known, Period, build
from meshconsole.topology.diff import Diff, apply, diff
from meshconsole.topology.graph import Graph, Instance

from .bookinfo import BADGES, KNOWN, PERIOD, SERVICES, TRAFFIC, WORKLOADS, edge

calls = st.builds(
    edge,
    st.sampled_from(["ingressgateway", "productpage-v1", "reviews-v2", "unknown"]),
    st.sampled_from(["details-v1", "reviews-v1", "reviews-v2", "ratings-v1"]),
    st.integers(1, 300),
    milliseconds=st.sampled_from([0.3, 7.0, 80.0]),
)
states = st.dictionaries(
    st.sampled_from([w.id for w in WORKLOADS]),
    st.builds(
        Instance, st.just("x"), st.sampled_from(["SYNCED", "STALE", "NACKED"]), st.booleans(), st.booleans(), st.sampled_from(["", "no"])
    ),
)


@st.composite
def graphs(draw) -> Graph:
    """Any kind: two of different kinds share few elements, and that must work too."""
    workloads = draw(st.lists(st.sampled_from(WORKLOADS), unique_by=lambda w: w.id))
    known = Known(SERVICES, workloads, draw(states), draw(st.sampled_from([{}, BADGES])))
    kind = draw(st.sampled_from(["workload", "versionedApp", "app", "service"]))
    period = Period(
        draw(st.sampled_from([60, 600])), "2026-08-05T10:00:00Z", draw(st.sampled_from(["2026-08-05T10:01:00Z", "2026-08-05T10:02:00Z"]))
    )
    namespaces = draw(st.sampled_from([None, frozenset({"default"}), frozenset()]))
    return build(draw(st.lists(calls, max_size=8)), known, period, kind, namespaces, idle=draw(st.booleans()))


@given(graphs(), graphs())
def test_a_diff_makes_the_new_graph_of_the_old(a: Graph, b: Graph):
    assert apply(diff(a, b), a) == b


@given(graphs(), graphs())
def test_it_does_so_after_a_journey_as_json(a: Graph, b: Graph):
    sent = msgspec.json.decode(msgspec.json.encode(diff(a, b)), type=Diff)
    received = msgspec.json.decode(msgspec.json.encode(a), type=Graph)
    assert msgspec.json.encode(apply(sent, received)) == msgspec.json.encode(b)


@given(graphs())
def test_nothing_moved_is_an_empty_diff(a: Graph):
    assert diff(a, a).empty


def test_only_what_changed_is_sent():
    old = build(TRAFFIC, KNOWN, PERIOD)
    new = build((*TRAFFIC[:-1], edge("reviews-v2", "unknown", 6, "ratings", mtls=None)), KNOWN, PERIOD)
    change = diff(old, new)
    assert [c["id"] for c in change.edges.change] == ["version:default/reviews/v2→service:default/ratings→http"]
    assert "source" not in change.edges.change[0] and change.edges.change[0]["codes"] == {"200": 6}
    assert not change.nodes.add and not change.nodes.remove
    assert "version:default/details/v1" not in [c["id"] for c in change.nodes.change]


def test_a_proxy_that_falls_behind_is_news():
    behind = Known(
        KNOWN.services,
        KNOWN.workloads,
        {**KNOWN.instances, "default/details-v1": Instance("default/details-v1", "STALE", True)},
        KNOWN.badges,
    )
    (change,) = diff(build(TRAFFIC, KNOWN, PERIOD), build(TRAFFIC, behind, PERIOD)).nodes.change
    assert change["id"] == "version:default/details/v1"
    assert change["instances"][0]["sync"] == "STALE" and "outOfSync" in change["flags"]
