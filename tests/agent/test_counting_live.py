"""Requests are counted once: through lost answers, reconnects, and agents and consoles that die."""

import asyncio
import json
import os
import signal

import pytest

from proxyagent import admin, protocol
from proxyagent.relay import sampling

from .conftest import reviews
from .fake_console import FakeConsole

pytestmark = pytest.mark.envoy


@pytest.fixture
async def agent(console, agents, origin):
    agent = agents(console)
    await console.until(protocol.State)
    assert not (await console.push(**reviews(agent, origin))).errors
    await agent.serves()
    return agent


async def requests(agent, n):
    for _ in range(n):
        assert (await agent.get())[0] == 200


async def counted(console, expected, seconds=10.0, name="istio_requests_total"):
    async with asyncio.timeout(seconds):
        while console.counted(name) < expected:
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.7)
    assert console.counted(name) == expected


async def test_each_request_is_counted_once_with_istios_labels(console, agent):
    await requests(agent, 20)
    await counted(console, 21)
    labels = next(c.labels for b in console.stored.values() for c in b.counters)
    assert labels["source_workload"] == labels["destination_workload"] == "reviews-v1"
    assert labels["destination_service"] == "reviews.default.svc.cluster.local"
    assert labels["response_code"] == "200" and labels["reporter"] == "source"
    assert len(labels) == 25
    async with asyncio.timeout(5):
        while sum(h.count for b in console.stored.values() for h in b.histograms) < 21:
            await asyncio.sleep(0.1)
    assert sum(sum(h.buckets) for b in console.stored.values() for h in b.histograms) == 21


async def test_a_batch_whose_answer_is_lost_is_sent_again_and_counted_once(console, agent):
    await counted(console, 1)
    console.lose_acks = True
    await requests(agent, 5)
    await counted(console, 6)
    port, seen = console.port, len([f for f in console.frames if isinstance(f, protocol.Metrics)])
    await console.stop()
    await requests(agent, 5)
    again = await FakeConsole(console.authority, port=port, stored=console.stored).start()
    try:
        await again.until(protocol.State)
        await counted(again, 11)
        resent = [f for f in again.frames if isinstance(f, protocol.Metrics)]
        assert resent[0].seq <= seen
    finally:
        await again.stop()


async def test_what_was_counted_while_the_agent_was_dead_is_not_lost(console, agent):
    await counted(console, 1)
    agent.kill()
    await requests(agent, 10)
    agent.start()
    await console.until(protocol.State, lambda f: console.links == 2)
    await requests(agent, 10)
    await counted(console, 21)


async def test_what_was_counted_before_the_agent_died_without_a_console_is_not_lost(console, agent):
    await counted(console, 1)
    port = console.port
    await console.stop()
    await requests(agent, 10)
    await asyncio.sleep(0.7)
    agent.kill()
    again = await FakeConsole(console.authority, port=port, stored=console.stored).start()
    try:
        agent.start()
        await counted(again, 11)
    finally:
        await again.stop()


async def test_a_restarted_envoy_counts_from_nothing_and_the_sum_stays_right(console, agent):
    await requests(agent, 9)
    await counted(console, 10)
    pid = agent.envoy
    os.kill(pid, signal.SIGKILL)
    await agent.envoy_runs(other_than=pid)
    await agent.serves()
    before = console.counted()
    assert before == 10
    await requests(agent, 9)
    await counted(console, 20)


async def test_the_last_requests_before_a_stop_are_counted(console, agent):
    await counted(console, 1)
    await requests(agent, 10)
    assert await asyncio.to_thread(agent.terminate) == 0
    await counted(console, 11)
    assert sum(h.count for b in console.stored.values() for h in b.histograms) == 11


async def test_an_envoy_that_is_replaced_for_new_options_is_counted_to_its_end(console, agent):
    await requests(agent, 5)
    await counted(console, 6)
    agent.kill()
    envoy = agent.envoy
    await requests(agent, 7)
    agent.more = ("--concurrency", "2")  # a later word wins: another command, and so another Envoy
    agent.start()
    assert await agent.envoy_runs(other_than=envoy, seconds=20) != envoy
    await counted(console, 13, seconds=15)


async def test_a_busy_proxys_sample_shrinks_and_grows_again(agent):
    """Of access-log records: Envoy itself says the share that it draws."""

    async def share():
        told = json.loads(await admin.request(str(agent.state / "admin.sock"), "/runtime"))
        return int(told["entries"].get(sampling.SHARE, {}).get("final_value") or 0)

    async with asyncio.timeout(20):
        while not 0 < await share() < sampling.MILLION:
            await requests(agent, 20)
        while await share() != sampling.MILLION:
            await asyncio.sleep(0.2)
