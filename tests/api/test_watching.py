"""Watching a list: what a watcher is told, and in what order."""

import asyncio
import json

import pytest

from meshconsole.api import watching


def thing(uid, version="1", **status):
    return {"metadata": {"uid": uid, "resourceVersion": version}, "status": status}


def by_uid(*things):
    return {t["metadata"]["uid"]: t for t in things}


def test_what_is_new_changed_and_gone_is_told():
    before = by_uid(thing("a"), thing("b"), thing("c"))
    after = by_uid(thing("a"), thing("b", "2"), thing("d"))
    found = [(e["type"], e["object"]["metadata"]["uid"]) for e in watching.changes(before, after)]
    assert found == [("MODIFIED", "b"), ("ADDED", "d"), ("DELETED", "c")]


def test_a_change_of_status_is_a_change():
    assert [e["type"] for e in watching.changes(by_uid(thing("a", ready=False)), by_uid(thing("a", ready=True)))] == ["MODIFIED"]


async def collect(states, since):
    looks = iter(states)
    last = states[-1]
    found = watching.events(lambda: next(looks, last), since, 0.15)
    return [(e["type"], e["object"]["metadata"]["uid"]) async for line in found for e in [json.loads(line)]]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(watching, "EVERY", 0.02)


def test_a_watch_begins_with_everything_and_ends_in_time():
    told = asyncio.run(collect([[thing("a")], [thing("a")], [thing("a"), thing("b")], []], since=0))
    assert told == [("ADDED", "a"), ("ADDED", "b"), ("DELETED", "a"), ("DELETED", "b")]


def test_a_watch_from_a_list_misses_nothing_that_moved_meanwhile():
    assert asyncio.run(collect([[thing("a", ready=True)]], since=1)) == [("MODIFIED", "a")]
