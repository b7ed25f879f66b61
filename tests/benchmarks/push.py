"""
Row `push`: `apply` of one route change over HTTP → the last of 1,000 agents has ACKed, beside a raw WebSocket broadcast and reply.

Both from before the HTTP call to the last answer that a client has written, clients in this process on core 0, the server on core 1 with one
worker; repetitions interleaved ABBA. The clients of ours do the agents' real work (decode, session, cache); the raw ones only reply with as
many bytes. The raw message has as many bytes as the push had. `programmed` is until the API says that all concerned have it.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from proxyagent import protocol
from proxyagent.protocol import Workload, WorkloadPort

from . import _results
from .console import ROOT, Console, cpu, free_port
from .fleet import Agent, gather_in_turn

TARGET = "target:9080"
CHANGE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: target, namespace: default}}
spec:
  hosts: [target]
  http:
  - route:
    - destination: {{host: target}}
    timeout: {seconds}s
"""
ACK = protocol.encode(protocol.Applied(1000))


def pinned(core: int) -> list[str]:
    return ["taskset", "-c", str(core)] if (os.cpu_count() or 1) > 1 else []


async def fleet(
    console: Console, count: int, *, learned: tuple[str, ...] = (TARGET,), listening: Any = None, first: int = 0
) -> list[Agent]:
    """`count` connected agents, each with a service of its own, that have all asked for the same host."""
    token = console.token()
    agents = [
        Agent(
            console.agents,
            Workload(
                "default", f"client-{i}", services=(f"client-{i}",), ports=(WorkloadPort(9080, "http"),), labels={"app": f"client-{i}"},
                address=f"127.{1 + i // 62500}.{i // 250 % 250}.{1 + i % 250}",
            ),
            token, learned=learned, keep_frames=False, listening=listening,
        )
        for i in range(first, first + count)
    ]  # fmt: skip
    await gather_in_turn(agents)
    return agents


async def settled(agents: list[Agent], seconds: float = 120) -> None:
    """Everyone has been told of what it asked for, and nothing comes any more."""
    end = time.monotonic() + seconds
    while not all(all(h in a.cache.aliases for h in a.learned) for a in agents):
        assert time.monotonic() < end, "the fleet does not come into sync"
        await asyncio.sleep(0.1)
    quiet = sum(a.bytes_received for a in agents)
    while True:
        await asyncio.sleep(0.5)
        if quiet == (quiet := sum(a.bytes_received for a in agents)):
            return


@dataclass
class Measured:
    """The answers to one change."""

    wanted: int
    answered: int = 0
    size: int = 0
    last: float = 0.0

    def __post_init__(self) -> None:
        self.done = asyncio.Event()

    def one(self, size: int) -> None:
        self.answered += 1
        self.size += size
        if self.answered == self.wanted:
            self.last = time.perf_counter()
            self.done.set()


class Ours:
    def __init__(self, console: Console):
        self.console = console
        self.http = httpx.AsyncClient(base_url=console.url, headers=console.headers, timeout=60, trust_env=False)
        self.now: Measured | None = None
        self.agents: list[Agent] = []
        self.seconds = 1
        self.programmed: list[float] = []
        self.committed: list[float] = []

    def heard(self, agent: Agent, frame: protocol.FromConsole, size: int) -> None:
        if self.now is not None and isinstance(frame, protocol.Push) and frame.resources:
            self.now.one(size)

    async def prepare(self, count: int) -> None:
        (target,) = await fleet(self.console, 1, learned=(), first=1_000_000)
        await target.leave()
        target.workload = Workload("default", "target-1", services=("target",), ports=(WorkloadPort(9080, "http"),), address="127.9.9.9")
        self.target = Agent(self.console.agents, target.workload, self.console.token(), keep_frames=False)
        await self.target.connect()
        self.agents = await fleet(self.console, count, listening=self.heard)
        await settled(self.agents)

    async def change(self, *, wait: bool = False) -> tuple[float, int]:
        """Seconds to the last ACK, and bytes to all agents together; `wait` notes also when the API says that it is programmed."""
        self.seconds += 1
        self.now = Measured(len(self.agents))
        begin = time.perf_counter()
        answer = await self.http.post("/api/v1/apply", content=CHANGE.format(seconds=self.seconds))
        self.committed.append(time.perf_counter() - begin)
        answer.raise_for_status()
        revision = answer.json()["revision"]
        await asyncio.wait_for(self.now.done.wait(), 60)
        seconds, size = self.now.last - begin, self.now.size
        while wait and (await self.http.get(f"/api/v1/revisions/{revision}/status")).json()["state"] != "programmed":
            await asyncio.sleep(0.02)
        if wait:
            self.programmed.append(time.perf_counter() - begin)
        self.now = None
        return seconds, size


class Raw:
    """The same count of bare sockets."""

    def __init__(self, core: int) -> None:
        self.port = free_port()
        words = [
            "-m",
            "uvicorn",
            "tests.benchmarks._raw_broadcast:application",
            "--port",
            str(self.port),
            "--loop",
            "uvloop",
            "--http",
            "httptools",
        ]
        words += ["--ws", "websockets-sansio", "--ws-per-message-deflate", "false", "--log-level", "warning", "--backlog", "4096"]
        self.process = subprocess.Popen([*pinned(core), sys.executable, *words], cwd=ROOT)
        self.http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=60, trust_env=False)
        self.now: Measured | None = None
        self.tasks: list[asyncio.Task] = []

    async def prepare(self, count: int) -> None:
        self.count = count
        for _ in range(count):
            while True:
                try:
                    socket = await connect(f"ws://127.0.0.1:{self.port}", compression=None, ping_interval=None, proxy=None, max_size=None)
                    break
                except OSError:
                    await asyncio.sleep(0.1)
            self.tasks.append(asyncio.create_task(self._reply(socket)))

    async def _reply(self, socket: ClientConnection) -> None:
        async for data in socket:
            await socket.send(ACK)
            if self.now is not None:
                self.now.one(len(data))

    async def change(self, size: int) -> float:
        self.now = Measured(self.count)
        begin = time.perf_counter()
        (await self.http.post("/", content=bytes(size))).raise_for_status()
        await asyncio.wait_for(self.now.done.wait(), 60)
        seconds, self.now = self.now.last - begin, None
        return seconds

    def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        self.process.terminate()
        self.process.wait(10)


async def measure(count: int, repetitions: int, valkey: bool) -> dict[str, Any]:
    if (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {0})
    raw = Raw(1)
    try:
        with Console(valkey=valkey, prefix=pinned(1)) as console:
            ours = Ours(console)
            begin = time.perf_counter()
            await ours.prepare(count)
            joined = time.perf_counter() - begin
            await raw.prepare(count)
            for _ in range(3):
                _, size = await ours.change()
                await raw.change(size // count)
            ours.programmed, ours.committed = [], []
            a: list[float] = []
            b: list[float] = []
            used = {"a": 0.0, "b": 0.0}
            for turn in range(repetitions):
                for side in ("ab", "ba")[turn % 2]:
                    before = console.cpu() if side == "a" else cpu(raw.process.pid)
                    if side == "a":
                        seconds, size = await ours.change()
                        a.append(seconds)
                    else:
                        b.append(await raw.change(size // count))
                    await asyncio.sleep(0.3)
                    used[side] += (console.cpu() if side == "a" else cpu(raw.process.pid)) - before
            committed = statistics.median(ours.committed)
            for _ in range(5):
                await ours.change(wait=True)
                await asyncio.sleep(0.3)
            ratios = sorted(x / y for x, y in zip(a, b, strict=True))
            cut = statistics.quantiles(ratios, n=4)
            return {
                "row": "push",
                "agents": count,
                "valkey": valkey,
                "joined_s": round(joined, 2),
                "push_p50_ms": ms(statistics.median(a)),
                "push_p99_ms": ms(percentile(a, 0.99)),
                "programmed_p50_ms": ms(statistics.median(ours.programmed)),
                "apply_answered_p50_ms": ms(committed),
                "raw_p50_ms": ms(statistics.median(b)),
                "raw_p99_ms": ms(percentile(b, 0.99)),
                "ratio": round(statistics.median(ratios), 2),
                "ratio_quartiles": [round(cut[0], 2), round(cut[2], 2)],
                "server_cpu_ms_per_push": ms(used["a"] / repetitions),
                "raw_server_cpu_ms_per_broadcast": ms(used["b"] / repetitions),
                "bytes_per_agent": size // count,
                "target": "p99 <= 150 ms and ratio <= 3",
                "cores": {"clients": 0, "server": 1, "of": os.cpu_count()},
                "load_average": round(os.getloadavg()[0], 1),
                "repetitions": [{"push_ms": ms(x), "raw_ms": ms(y)} for x, y in zip(a, b, strict=True)],
            }
    finally:
        raw.stop()


def ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def run(agents: int = 1000, repetitions: int = 30, valkey: bool = True) -> dict[str, Any]:
    import uvloop

    return uvloop.run(measure(agents, repetitions, valkey))


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--agents", type=int, default=1000)
    options.add_argument("--repetitions", type=int, default=30)
    options.add_argument("--no-valkey", action="store_true")
    chosen = options.parse_args()
    _results.save(run(chosen.agents, chosen.repetitions, not chosen.no_valkey))
