"""What is new, gone, slower or failing between two moments."""

import time

import msgspec
import pytest

from meshconsole.topology import queries
from meshconsole.topology.build import build
from meshconsole.topology.compare import Comparison, compare
from meshconsole.topology.graph import Graph
from telemetry import ingest
from telemetry.edges import Response
from tests.telemetry.traffic import batch, requests

from .bookinfo import KNOWN, PERIOD, edge
from .conftest import Mesh


def graph(*edges) -> Graph:
    return build(list(edges), KNOWN, PERIOD, "versionedApp", None)


CALL = edge("productpage-v1", "reviews-v1", 100, milliseconds=7.0)


def test_the_same_is_not_told():
    found = compare(graph(CALL), graph(CALL))
    assert found.edges == () and found.nodes == () and found.gone.edges == ()


def test_a_call_that_came_is_new_and_one_that_went_is_gone_and_can_be_drawn():
    other = edge("productpage-v1", "details-v1", 100)
    came, went = compare(graph(), graph(CALL)), compare(graph(CALL, other), graph(other))
    assert [e.what for e in came.edges] == [("new",)] and came.edges[0].before is None
    assert [e.what for e in went.edges] == [("gone",)] and went.edges[0].now is None
    assert [e.id for e in went.gone.edges] == [went.edges[0].id]


def test_longer_answers_are_slower_and_the_way_back_faster():
    slow = edge("productpage-v1", "reviews-v1", 100, milliseconds=80.0)
    assert [e.what for e in compare(graph(CALL), graph(slow)).edges] == [("slower",)]
    assert [e.what for e in compare(graph(slow), graph(CALL)).edges] == [("faster",)]


def test_a_few_requests_say_nothing_about_how_long_answers_take():
    few = edge("productpage-v1", "reviews-v1", 5, milliseconds=80.0)
    assert "slower" not in {w for e in compare(graph(CALL), graph(few)).edges for w in e.what}


def test_half_a_millisecond_that_doubled_is_noise():
    fast, half = (edge("productpage-v1", "reviews-v1", 100, milliseconds=m) for m in (0.6, 1.4))
    assert compare(graph(fast), graph(half)).edges == ()


def test_more_failures_are_failing_and_come_first():
    broken = edge("productpage-v1", "reviews-v1", 100, responses=(Response("503", "", "-", 100),))
    came = edge("productpage-v1", "details-v1", 100)
    found = compare(graph(CALL), graph(broken, came))
    assert [e.what[0] for e in found.edges] == ["failing", "new"]
    assert found.edges[0].before.error_share == 0 and found.edges[0].now.error_share == 1
    assert [e.what for e in compare(graph(broken), graph(CALL)).edges] == [("mended",)]


def test_twice_the_traffic_is_busier():
    twice = edge("productpage-v1", "reviews-v1", 220)
    assert [e.what for e in compare(graph(CALL), graph(twice)).edges] == [("busier",)]
    assert [e.what for e in compare(graph(twice), graph(CALL)).edges] == [("quieter",)]


@pytest.mark.django_db
def test_two_moments_are_read_from_the_store(bookinfo: Mesh):
    bookinfo.calls("productpage-v1", "reviews-v2", 50)
    body = queries.compare_json(queries.Question(at=time.time() + 10), 3600)
    found = msgspec.json.decode(body, type=Comparison)
    assert [e.what for e in found.edges] == [("new",)] and found.before.end < found.now.start


@pytest.mark.django_db
def test_the_strip_says_when_the_mesh_was_busy_and_broken(bookinfo: Mesh):
    ingest.store("default/productpage-v1", "e", 1, batch(requests("productpage-v1", "reviews-v2", 50), end=time.time() - 60))
    strip = queries.strip(None, time.time() - 600, time.time())
    assert len(strip["rate"]) == len(strip["errors"]) and max(strip["rate"]) > 0 and max(strip["errors"]) == 0
