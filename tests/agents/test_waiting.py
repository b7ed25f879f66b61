"""What agents send waits for the store: bounded, tried again, and what is lost is counted."""

import asyncio

import pytest
from django.db import DataError, OperationalError

from meshconsole.agents import waiting
from telemetry.spans import Origin

WHOSE = Origin("reviews", "default", "reviews-v1", "v1", proxy=True)


class Store:
    """Takes what it is given, after it has failed with each of `failures`."""

    def __init__(self, *failures):
        self.failures, self.kept, self.asked = list(failures), [], 0

    def __call__(self, found):
        self.asked += 1
        if self.failures:
            raise self.failures.pop(0)
        self.kept += found


@pytest.fixture
def queue(monkeypatch):
    async def in_thread(call, *args):
        return await asyncio.to_thread(call, *args)

    monkeypatch.setattr(waiting, "in_database", in_thread)

    def made(store, most=100):
        lost, stored = [], []
        one = waiting.Queue(
            "things", most=most, together=10, parse=lambda batches: [batch for _, batch in batches], store=store, pause=0.001,
            stored=stored.extend, lost=lost.append,
        )  # fmt: skip
        return one, lost, stored

    return made


async def test_many_batches_are_stored_together(queue):
    store = Store()
    one, lost, stored = queue(store)
    for n in range(6):
        one.put(WHOSE, b"%04d" % n, 0)
    await one.drained()
    assert store.kept == stored == [b"%04d" % n for n in range(6)] and store.asked == 3 and not lost


async def test_a_database_that_is_away_is_waited_for(queue):
    store = Store(*[OperationalError("gone")] * 9)
    one, lost, stored = queue(store)
    one.put(WHOSE, b"kept", 0)
    await asyncio.wait_for(one.drained(), 60)
    assert stored == [b"kept"] and not lost and one.dropped == 0


async def test_what_the_database_refuses_is_dropped_counted_and_holds_up_nobody(queue):
    store = Store(*[DataError("no")] * waiting.TRIES)
    one, lost, stored = queue(store)
    one.put(WHOSE, b"poison", 0)
    one.put(WHOSE, b"sound", 0)
    await one.drained()
    assert lost == [6] and one.dropped == 6 and stored == [b"sound"]


async def test_the_oldest_go_where_there_is_no_room_and_what_an_agent_lost_counts(queue):
    one, lost, stored = queue(Store(), most=12)
    for text in (b"first", b"second", b"third"):
        one.put(WHOSE, text, 3 if text == b"third" else 0)
    await one.drained()
    assert lost == [3, 5] and one.dropped == 8 and stored == [b"second", b"third"]
