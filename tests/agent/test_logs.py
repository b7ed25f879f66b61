"""The agent takes access-log records as Envoy exports them, and not more than it can carry."""

import asyncio
import contextlib
import time

import pytest
from grpclib.client import Channel, UnaryUnaryMethod

from proxyagent.protocol import Logs
from proxyagent.relay import logs


@pytest.fixture
async def relay(tmp_path):
    sent: list[Logs] = []
    made = logs.LogRelay(tmp_path / "logs.sock", send=sent.append, idle=lambda: True, rate=1000, burst=0.2)
    made.sent = sent
    await made.start()
    work = asyncio.create_task(made.outflow.run())
    channel = Channel(path=str(tmp_path / "logs.sock"), codec=logs._Raw())
    made.export = UnaryUnaryMethod(channel, logs.METHOD, bytes, bytes)
    yield made
    channel.close()
    work.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await work
    await made.stop()


async def test_what_is_exported_goes_to_the_console_as_it_came(relay):
    relay.outflow.console(True)
    assert await relay.export(b"one") == b""
    await relay.export(b"two")
    async with asyncio.timeout(5):
        while not relay.sent:
            await asyncio.sleep(0.01)
    assert relay.sent == [Logs(b"onetwo")]


async def test_a_flood_is_answered_slowly_so_that_envoy_drops_the_rest(relay):
    begun = time.monotonic()
    for _ in range(6):
        await relay.export(b"x" * 100)
    assert time.monotonic() - begun > 0.3
    assert relay.outflow.queue.size == 600
