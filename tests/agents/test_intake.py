"""What becomes of an agent's figures that cannot be stored."""

import asyncio

from django.db import DataError, OperationalError

from meshconsole.agents import intake
from proxyagent.protocol import Metrics, MetricsStored
from telemetry import samples


async def test_figures_that_are_never_stored_hold_up_neither_those_after_them_nor_the_agent(monkeypatch):
    said: list[MetricsStored] = []
    faults = {1: [DataError("too long")], 2: [RuntimeError("ours")] * 9, 3: [OperationalError("locked"), RuntimeError("once")]}
    stored: list[int] = []

    async def in_database(call, proxy, epoch, seq, batch):
        if faults.get(seq):
            raise faults[seq].pop()
        stored.append(seq)
        return seq

    async def sleep(_):
        pass

    monkeypatch.setattr(intake, "in_database", in_database)
    monkeypatch.setattr(intake.asyncio, "sleep", sleep)
    here = intake.Intake("default/a", said.append)  # type: ignore[arg-type]
    for seq in range(1, intake.MOST + 5):
        await asyncio.wait_for(here.put(Metrics("e", seq, samples.encode(samples.Batch(1.0, 2.0)))), 5)
    while here._task is not None:
        await asyncio.wait({here._task})
    assert stored == list(range(3, intake.MOST + 5))
    assert [frame.seq for frame in said] == list(range(1, intake.MOST + 5))
