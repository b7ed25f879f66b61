"""What the agents notice when parts of the console are away: nothing that they had is taken from them, and what changed arrives afterwards."""

import asyncio
import sqlite3
import time
from contextlib import contextmanager

import pytest

from proxyagent.protocol import Push
from tests.benchmarks.console import Console
from tests.benchmarks.fleet import Agent

from .conftest import workload
from .test_pushes import Api, bodies


@pytest.fixture
async def cut():
    made: list[Agent] = []
    yield made.append
    for agent in made:
        await agent.leave()


async def pair(console: Console, cut, address: str = "") -> tuple[Agent, Agent]:
    server = Agent(console.agents, workload(), console.token())
    caller = Agent(address or console.agents, workload(), console.token(), learned=(f"{server.workload.name}:9080",))
    for agent in (server, caller):
        cut(agent)
        await agent.connect()
    await caller.until(lambda: caller.learned[0] in caller.cache.aliases)
    return server, caller


@contextmanager
def broken(console: Console):
    """A database that answers every question of the hub with an error."""
    database = sqlite3.connect(console.home / "meshconsole.sqlite3", timeout=20)
    database.execute("ALTER TABLE configstore_revision RENAME TO away")
    database.commit()
    try:
        yield
    finally:
        database.execute("ALTER TABLE away RENAME TO configstore_revision")
        database.commit()
        database.close()


async def test_a_killed_console_is_found_again_and_nothing_is_sent_twice(cut):
    with Console() as console:
        server, caller = await pair(console, cut)
        api = Api(console)
        await api.in_sync(caller)
        console.kill()
        await caller.until_closed()
        before = len(caller.received)
        console.start()
        await asyncio.gather(server.connect(), caller.connect())
        found = await api.until(lambda: api.proxy(caller.id), lambda p: p["connected"] and p["state"] == "SYNCED")
        assert found["envoyVersion"] == "none"
        assert [type(r.frame).__name__ for r in caller.received[before:]] == ["Challenge", "Welcome"]
        await api.apply(server.workload.name, "after")
        await caller.until(lambda: b"after" in bodies(caller.pushes[-1]))


async def test_proxies_of_a_killed_console_are_not_shown_as_connected_by_its_successor(cut):
    with Console() as console:
        _, caller = await pair(console, cut)
        api = Api(console)
        await api.until(lambda: api.proxy(caller.id), lambda p: p["connected"])
        console.kill()
        console.start()
        assert not (await api.proxy(caller.id))["connected"]
        assert caller.id in await api.workloads()


async def test_a_database_that_is_away_costs_no_connection_and_the_change_comes_afterwards(cut):
    with Console() as console:
        server, caller = await pair(console, cut)
        bystander_cache = server.cache
        api = Api(console)
        await asyncio.sleep(0.5)
        with broken(console):
            await asyncio.sleep(3)  # a poll has failed
            newcomer = Agent(console.agents, workload(), "", key=caller.key, serial=caller.serial)
            with pytest.raises(AssertionError):
                await newcomer.connect()
        assert not caller.closed and not server.closed and server.cache is bystander_cache
        await api.apply(server.workload.name, "late")
        await caller.until(lambda: b"late" in bodies(caller.pushes[-1]))


async def test_who_may_not_write_for_seconds_still_serves_what_is_asked_for(cut):
    with Console() as console:
        server, caller = await pair(console, cut)
        other, _ = await pair(console, cut)
        await asyncio.sleep(0.5)
        writer = sqlite3.connect(console.home / "meshconsole.sqlite3", timeout=20, isolation_level=None)
        writer.execute("BEGIN IMMEDIATE")
        try:
            begin = time.monotonic()
            await caller.demand(f"{other.workload.name}:9080")
            await caller.until(lambda: f"{other.workload.name}:9080" in caller.cache.aliases)
            assert time.monotonic() - begin < 2
        finally:
            writer.execute("ROLLBACK")
            writer.close()


async def test_a_dead_valkey_delays_nothing_here_and_other_processes_by_seconds(cut):
    with Console(valkey=True) as console, console.another() as elsewhere:
        server, caller = await pair(console, cut, elsewhere)
        api, name = Api(console), server.workload.name

        async def seconds_to(mark: str) -> float:
            """From an apply in one process to a push by the other."""
            begin = time.monotonic()
            await api.apply(name, mark)
            await caller.until(lambda: any(mark.encode() in bodies(p) for p in caller.pushes[-3:]))
            return time.monotonic() - begin

        await seconds_to("warm-up.")
        assert min([await seconds_to(f"with-valkey-{i}.") for i in range(3)]) < 1.0
        console.stop_valkey()
        assert await seconds_to("without.") < 4.5
        number = await api.apply(name, "last.")
        await api.until(lambda: api.revision(number), lambda r: r["state"] == "programmed")
        assert caller.id in {p["id"] for p in (await api.revision(number))["proxies"]}
        console.start_valkey()
        end = time.monotonic() + 25
        while min([await seconds_to(f"again-{time.monotonic()}.") for _ in range(2)]) > 1.0:
            assert time.monotonic() < end, "the hub does not listen to the new Valkey"
        assert not caller.closed


async def test_agents_of_a_console_that_was_taken_for_dead_are_known_again_and_one_without_a_registration_comes_anew(cut):
    with Console() as console:
        server, caller = await pair(console, cut)
        api = Api(console)
        await api.in_sync(caller)
        database = sqlite3.connect(console.home / "meshconsole.sqlite3", timeout=20)
        database.execute("UPDATE xds_proxyrecord SET connected = 0, hub = ''")
        database.execute("UPDATE discovery_workloadrecord SET lost = seen")
        database.execute("DELETE FROM discovery_workloadrecord WHERE name = ?", [server.workload.name])
        database.execute("UPDATE discovery_head SET number = number + 1")
        database.commit()
        assert (await api.until(lambda: api.proxy(caller.id), lambda p: p["connected"]))["state"] == "SYNCED"
        assert database.execute("SELECT lost FROM discovery_workloadrecord WHERE name = ?", [caller.workload.name]).fetchone() == (None,)
        database.close()
        await server.until_closed(20)
        assert "lost your registration" in server.closed and not caller.closed
        await server.connect()
        assert server.id in await api.workloads()


async def test_an_agent_that_moves_to_another_process_is_connected_there(cut):
    with Console() as console, console.another() as elsewhere:
        _, caller = await pair(console, cut)
        api = Api(console)
        await api.in_sync(caller)
        moved = Agent(elsewhere, caller.workload, "", key=caller.key, serial=caller.serial, cache=caller.cache, learned=caller.learned)
        cut(moved)
        await moved.connect()
        caller.cut()  # its old connection ends after the new one has begun
        await asyncio.sleep(1)
        assert (await api.proxy(caller.id))["connected"] and moved.of(Push) == []
