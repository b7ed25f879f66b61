"""What is killed comes back, and what flows keeps flowing."""

import asyncio
import os
import signal

import pytest

from proxyagent import protocol

from . import envoy_config as config
from .conftest import RunningAgent, reviews
from .fake_console import FakeConsole

pytestmark = pytest.mark.envoy


@pytest.fixture
async def agent(console, agents, origin):
    agent = agents(console)
    await console.until(protocol.State)
    assert not (await console.push(**reviews(agent, origin))).errors
    await agent.serves()
    return agent


class Load:
    """One request after the other, until told to stop."""

    def __init__(self, agent: RunningAgent):
        self.agent, self.answers, self._stop = agent, [], asyncio.Event()

    async def __aenter__(self):
        self._task = asyncio.create_task(self._run())
        return self

    async def _run(self):
        while not self._stop.is_set():
            self.answers.append(await self.agent.get())
            await asyncio.sleep(0.005)

    async def __aexit__(self, *_):
        self._stop.set()
        await self._task

    @property
    def failed(self):
        return [a for a in self.answers if a[0] != 200]


async def test_a_killed_envoy_is_started_again_from_the_cache(console, agent):
    pid = agent.envoy
    await console.stop()
    os.kill(pid, signal.SIGKILL)
    assert await agent.envoy_runs(other_than=pid) != pid
    assert await agent.serves() == (200, "one")


async def test_a_killed_agent_leaves_envoy_serving_and_the_next_one_adopts_it(console, agent):
    pid = agent.envoy
    digest = (await console.until(protocol.State)).digest
    async with Load(agent) as load:
        agent.kill()
        await asyncio.sleep(0.5)
        seen = len(console.frames)
        agent.start()
        state = await console.until(protocol.State, after=seen)
        assert not (await console.push(vhds=[config.virtual_host("reviews:9080", "reviews", header="two")])).errors
        await asyncio.sleep(0.5)
    assert load.failed == [] and len(load.answers) > 20
    assert load.answers[-1] == (200, "two")
    assert agent.envoy == pid
    assert state.digest != digest
    assert any(isinstance(f, protocol.Prove) for f in console.frames[seen:])


async def test_a_host_that_boots_while_the_console_is_away_serves_as_before(console, agent):
    await console.stop()
    assert await asyncio.to_thread(agent.terminate) == 0
    assert agent.envoy is None
    agent.start()
    assert await agent.serves() == (200, "one")


async def test_a_console_that_goes_and_comes_back_is_told_what_envoy_holds(console, agent):
    async with Load(agent) as load:
        port = console.port
        await console.stop()
        await asyncio.sleep(0.3)
        again = await FakeConsole(console.authority, port=port).start()
        try:
            state = await again.until(protocol.State)
            await again.send(protocol.ListState())
            listed = await again.until(protocol.StateList)
            assert protocol.digest(listed.versions) == state.digest
            assert set(listed.versions["cds"]) == {"reviews"}
            assert not (await again.push(vhds=[config.virtual_host("reviews:9080", "reviews", header="back")])).errors
        finally:
            await again.stop()
    assert load.failed == []


async def test_sigterm_says_goodbye_and_leaves_no_process_behind(console, agent):
    pid = agent.envoy
    assert await asyncio.to_thread(agent.terminate) == 0
    assert await console.until(protocol.Goodbye)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert "Traceback" not in agent.log.read_text()


async def test_a_request_under_way_is_finished_before_envoy_stops(console, agent, origin):
    slow = asyncio.create_task(agent.get(path="/slow"))
    await asyncio.sleep(0.1)
    stopping = asyncio.create_task(asyncio.to_thread(agent.terminate))
    assert (await slow)[0] == 200
    assert await stopping == 0


async def test_an_envoy_that_had_begun_to_drain_is_not_adopted_but_replaced(console, agent):
    slow = asyncio.create_task(agent.get(path="/slow"))
    await asyncio.sleep(0.1)
    pid = agent.envoy
    agent.process.terminate()
    await console.until(protocol.Goodbye)
    await asyncio.sleep(0.3)
    agent.kill()  # a service manager that has lost its patience
    await slow
    agent.start()
    assert await agent.envoy_runs(other_than=pid) != pid
    assert await agent.serves() == (200, "one")


async def test_who_has_said_goodbye_does_not_come_back_while_it_drains(console, agent):
    slow = asyncio.create_task(agent.get(path="/slow"))
    await asyncio.sleep(0.1)
    agent.process.terminate()
    await console.until(protocol.Goodbye)
    links = console.links
    await console.stop()
    again = await FakeConsole(console.authority, port=console.port).start()
    try:
        assert (await slow)[0] == 200
        assert await asyncio.to_thread(agent.process.wait, 10) == 0
        assert again.links == 0 and links == 1
    finally:
        await again.stop()


async def test_envoys_end_and_return_are_told_to_the_console(console, agent):
    os.kill(agent.envoy, signal.SIGKILL)
    gone = await console.until(protocol.EnvoyState, lambda f: not f.running and "SIGKILL" in f.reason)
    assert gone.restarts == 0
    assert await console.until(protocol.EnvoyState, lambda f: f.running and f.restarts == 1)


async def test_a_second_agent_on_the_same_state_directory_is_refused(console, agent):
    second = RunningAgent(console.url, agent.state, port=agent.outbound).start()
    assert await asyncio.to_thread(second.process.wait, 10) == 1
    assert "another proxyagent runs" in agent.log.read_text()


async def test_a_disk_that_takes_no_more_does_not_stop_changes(console, agent):
    (agent.state / "configuration").unlink()
    (agent.state / "configuration").mkdir()
    assert not (await console.push(vhds=[config.virtual_host("reviews:9080", "reviews", header="two")])).errors
    assert await agent.get() == (200, "two")
    assert "the configuration is not on disk" in agent.log.read_text()


async def test_an_envoy_left_over_on_the_same_port_is_noticed_and_waited_for(console, agent, agents, origin, tmp_path):
    agent.kill()
    left_over = agent.envoy
    second = agents(console, state=tmp_path / "another", port=agent.outbound)
    told = await console.until(protocol.EnvoyState, lambda f: "is taken by another process" in f.reason)
    assert str(agent.outbound) in told.reason and not told.running
    assert second.envoy is None
    os.kill(left_over, signal.SIGKILL)
    await second.envoy_runs()
