"""From nothing to a serving Envoy, with a real agent process and a real Envoy."""

import pytest

from proxyagent import protocol

from .conftest import reviews

pytestmark = pytest.mark.envoy


async def test_an_agent_joins_by_token_and_its_envoy_serves_what_is_pushed(console, agents, origin):
    agent = agents(console)
    await console.until(protocol.State)
    assert not (await console.push(**reviews(agent, origin))).errors
    assert await agent.serves() == (200, "one")
    assert [type(f).__name__ for f in console.frames[:3]] == ["Hello", "Join", "State"]
    for secret in ("identity", "configuration"):
        assert (agent.state / secret).stat().st_mode & 0o777 == 0o600
    assert agent.state.stat().st_mode & 0o777 == 0o700
