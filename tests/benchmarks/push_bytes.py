"""
Row `push_bytes`: bytes on the WebSocket to each affected agent for one route change, beside the bytes of that agent's whole state; and
bytes to agents that do not use the host: none.

Every agent uses 20 services of the 200 that there are, and the changed one is among them for half of the agents.
"""

import argparse
import asyncio
import os
import statistics
from typing import Any

from proxyagent.protocol import Workload, WorkloadPort

from . import _results
from .console import Console
from .fleet import Agent, gather_in_turn
from .push import Ours, pinned, settled

SERVICES, USED = 200, 20


async def measure(count: int, changes: int) -> dict[str, Any]:
    with Console(prefix=pinned(1)) as console:
        ours = Ours(console)
        token = console.token()
        services = [
            Agent(
                console.agents,
                Workload(
                    "default", f"{name}-1", services=(name,), labels={"app": name, "version": "v1"},
                    ports=(WorkloadPort(9080, "http"),), address=f"127.7.{i // 250}.{1 + i % 250}",
                ),
                token, keep_frames=False,
            )
            for i, name in enumerate(["target", *(f"service-{n}" for n in range(1, SERVICES))])
        ]  # fmt: skip
        await gather_in_turn(services)
        await settled(services)
        first: dict[str, int] = {}
        agents = []
        for i in range(count):
            used = [f"service-{1 + (i * 7 + k) % (SERVICES - 1)}:9080" for k in range(USED - 1)]
            learned = ("target:9080" if i % 2 == 0 else "target.elsewhere.example:80", *used)
            spec = Workload("default", f"client-{i}", labels={"app": f"client-{i}"}, address=f"127.8.{i // 250}.{1 + i % 250}")
            agents.append(Agent(console.agents, spec, token, learned=tuple(learned), keep_frames=False))
        await gather_in_turn(agents)
        await settled(agents)
        affected, others = agents[::2], agents[1::2]
        for agent in agents:
            first[agent.id] = sum(len(r.body) + len(r.name) for names in agent.cache.resources.values() for r in names.values())
        ours.agents = affected
        for agent in affected:
            agent.listening = ours.heard
        per_change = []
        before = sum(a.bytes_received for a in [*others, *services])
        await ours.change()
        before_others = sum(a.bytes_received for a in [*others, *services])
        for _ in range(changes):
            start = [a.bytes_received for a in affected]
            await ours.change()
            await asyncio.sleep(0.5)
            per_change += [a.bytes_received - b for a, b in zip(affected, start, strict=True)]
        await asyncio.sleep(2.5)
        stray = sum(a.bytes_received for a in [*others, *services]) - min(before, before_others)
        state = statistics.median(first[a.id] for a in affected)
        one = statistics.median(per_change)
        return {
            "row": "push_bytes",
            "agents": count,
            "services": SERVICES,
            "services_used_by_each": USED,
            "changes": changes,
            "bytes_per_affected_agent": one,
            "most_bytes_to_an_affected_agent": max(per_change),
            "bytes_of_the_whole_state": state,
            "share": f"1/{state / one:.0f}",
            "bytes_to_unaffected_agents": stray,
            "target": "<= 1 KB and <= 1/500 of the state; exactly 0 to the others",
            "load_average": round(os.getloadavg()[0], 1),
        }


def run(agents: int = 200, changes: int = 10) -> dict[str, Any]:
    import uvloop

    return uvloop.run(measure(agents, changes))


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--agents", type=int, default=200)
    options.add_argument("--changes", type=int, default=10)
    chosen = options.parse_args()
    _results.save(run(chosen.agents, chosen.changes))
