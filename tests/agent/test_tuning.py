"""What ProxyConfig says reaches Envoy at its next start, and not before."""

import os
import pathlib
import signal

import pytest

from proxyagent import protocol
from proxyagent.tuning import Tuning

from .conftest import reviews

WANTED = protocol.ProxySettings(1, {"MARK": "yes"})


def command(pid: int) -> list[str]:
    return pathlib.Path(f"/proc/{pid}/cmdline").read_text().split("\0")


@pytest.mark.envoy
async def test_settings_wait_for_envoys_next_start_and_say_so(console, agents, origin):
    agent = agents(console)
    await console.until(protocol.State)
    assert not (await console.push(**reviews(agent, origin))).errors
    await agent.serves()
    pid = agent.envoy
    before = command(pid)
    await console.send(WANTED)
    told = await console.until(protocol.EnvoyState, lambda f: "started again" in f.reason)
    assert told.running and agent.envoy == pid and command(pid) == before
    os.kill(pid, signal.SIGKILL)
    new = await agent.envoy_runs(other_than=pid)
    words = command(new)
    assert words[words.index("--concurrency") + 1] == "1"
    assert "MARK=yes" in pathlib.Path(f"/proc/{new}/environ").read_text().split("\0")
    assert await agent.serves() == (200, "one")


def test_settings_are_kept_and_taken_back(tmp_path: pathlib.Path):
    path = tmp_path / "proxy-settings"
    Tuning(path).adopt(WANTED)
    kept = Tuning(path)
    used = kept.digest
    assert kept.applied(("envoy", "--concurrency", "2", "-x"), {"A": "b"}) == (
        ("envoy", "--concurrency", "1", "-x"),
        {"A": "b", "MARK": "yes"},
    )
    kept.adopt(protocol.ProxySettings())
    assert kept.digest == "" and kept.waiting(used) and not kept.waiting("")
    assert kept.applied(("envoy", "--concurrency", "2"), {}) == (("envoy", "--concurrency", "2"), {})
    every = protocol.ProxySettings(0)
    kept.adopt(every)
    assert kept.applied(("envoy", "--concurrency", "2"), {})[0][2] == str(os.cpu_count())
