"""A real web process for the tests of one module, and agents that speak the real protocol to it."""

import itertools
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from proxyagent.protocol import Workload, WorkloadPort
from tests.benchmarks.console import Console
from tests.benchmarks.fleet import Agent

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def console() -> Iterator[Console]:
    with Console() as running:
        yield running


@pytest.fixture(scope="module")
def token(console: Console) -> str:
    return console.token()


def workload(name: str = "", **fields) -> Workload:
    name = name or f"w{next(_numbers)}"
    fields = {"services": (name,), "ports": (WorkloadPort(9080, "http"),), "labels": {"app": name, "version": "v1"}} | fields
    return Workload(fields.pop("namespace", "default"), name, **fields)


@pytest.fixture
async def agent(console: Console, token: str) -> AsyncIterator[Callable[..., Agent]]:
    """`agent(workload(), …)` makes one, not connected yet; all are cut in the end."""
    made: list[Agent] = []

    def make(spec: Workload | None = None, **options) -> Agent:
        made.append(Agent(console.agents, spec or workload(), **{"token": token, **options}))
        return made[-1]

    yield make
    for one in made:
        await one.leave()
