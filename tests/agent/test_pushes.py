"""Pushes into a real Envoy: taken, refused, asked for."""

import asyncio
import time

import pytest
from envoy.config.listener.v3 import listener_pb2

from meshconsole.core.envoy.resource_set import Blob, ResourceSet, XdsType
from meshconsole.xds import unbound
from proxyagent import protocol

from . import envoy_config as config
from .conftest import Origin, reviews

pytestmark = pytest.mark.envoy


@pytest.fixture
async def agent(console, agents, origin):
    agent = agents(console)
    await console.until(protocol.State)
    assert not (await console.push(**reviews(agent, origin))).errors
    await agent.serves()
    return agent


async def test_a_change_of_one_virtual_host_is_taken_and_acknowledged(console, agent):
    applied = await console.push(vhds=[config.virtual_host("reviews:9080", "reviews", header="two")])
    assert applied.errors == {}
    assert await agent.get() == (200, "two")


async def test_a_new_cluster_is_warm_before_the_route_leads_to_it(console, agent):
    other = Origin("other")
    failed, stop = [], asyncio.Event()

    async def load():
        while not stop.is_set():
            if (answer := await agent.get())[0] != 200:
                failed.append(answer)

    load_ = asyncio.create_task(load())
    try:
        for i in range(10):
            name = f"reviews-{i}"
            applied = await console.push(
                cds=[config.cluster(name)],
                eds=[config.endpoints(name, other.port)],
                vhds=[config.virtual_host("reviews:9080", name, header=name)],
                removed={"cds": (f"reviews-{i - 1}",), "eds": (f"reviews-{i - 1}",)} if i else {},
            )
            assert applied.errors == {}
            assert (await agent.get()) == (200, name)
    finally:
        stop.set()
        await load_
        other.stop()
    assert failed == []


async def test_a_changed_cluster_is_sent_its_endpoints_again_and_serves(console, agent):
    began = time.monotonic()
    applied = await console.push(cds=[config.cluster("reviews", connect_timeout="3s")])
    assert applied.errors == {}
    assert time.monotonic() - began < 5, "without its endpoints the cluster warms for Envoy's 15 s"
    assert await agent.get() == (200, "one")


async def test_a_domain_moves_between_virtual_hosts_in_one_push(console, agent):
    assert not (await console.push(vhds=[config.virtual_host("other:1", "reviews", "other", header="x")])).errors
    applied = await console.push(
        vhds=[config.virtual_host("third:1", "reviews", "other", header="moved")], removed={"vhds": ("outbound/other:1",)}
    )
    assert applied.errors == {}
    assert await agent.get("other") == (200, "moved")


async def test_a_refused_push_leaves_traffic_and_disk_as_they_were(console, agent, origin):
    before = (agent.state / "configuration").read_bytes()
    applied = await console.push(
        cds=[config.cluster("bad", connect_timeout="-1s"), config.cluster("reviews", connect_timeout="4s"), config.cluster("good")],
        eds=[config.endpoints("good", 1), config.endpoints("reviews", 1)],
        vhds=[config.virtual_host("reviews:9080", "good", header="never")],
    )
    assert "Expected positive duration" in applied.errors["cds"]
    for _ in range(20):
        assert await agent.get() == (200, "one")
    assert (agent.state / "configuration").read_bytes() == before


async def test_a_listener_whose_port_is_taken_is_refused_in_the_words_that_the_console_looks_for(console, agent, origin):
    body = {
        "name": f"127.0.0.1_{origin.port}",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": origin.port}},
        "enable_reuse_port": False,
        "filter_chains": [{"filters": []}],
    }
    taken = config.resource(body["name"], listener_pb2.Listener(), body)
    applied = await console.push(lds=[taken])
    found = unbound.named(applied.errors["lds"], ResourceSet({(XdsType.LDS, body["name"]): Blob(XdsType.LDS, body["name"], "1", b"")}))
    assert found == {body["name"]: "Address already in use"}


async def test_a_refusal_late_in_a_push_undoes_its_beginning_and_the_way_on_works(console, agent):
    doubled = [config.virtual_host("a:1", "new", "same.example"), config.virtual_host("b:1", "new", "same.example")]
    applied = await console.push(cds=[config.cluster("new")], eds=[config.endpoints("new", 1)], vhds=doubled)
    assert "same.example" in applied.errors["vhds"]
    assert await agent.get() == (200, "one")
    applied = await console.push(vhds=[config.virtual_host("reviews:9080", "reviews", header="after")])
    assert applied.errors == {}
    assert await agent.get() == (200, "after")


async def test_a_host_that_envoy_has_never_heard_of_is_asked_for_and_served(console, agent, origin):
    host = config.virtual_host("ratings.default.svc.cluster.local:9080", "ratings", "ratings", "ratings:9080", header="found")
    console.hosts["ratings:9080"] = protocol.Push(
        0,
        {"cds": (config.cluster("ratings"),), "eds": (config.endpoints("ratings", origin.port),), "vhds": (host,)},
        aliases={"ratings:9080": host.name},
    )
    assert await agent.get("ratings:9080") == (200, "found")
    demand = await console.until(protocol.Demand)
    assert demand.virtual_hosts == ("ratings:9080",)


async def test_a_host_that_nobody_knows_ends_in_404_at_once(console, agent):
    console.hosts["nobody"] = protocol.Push(0, aliases={"nobody": ""})
    for _ in range(3):
        assert (await agent.get("nobody"))[0] == 404
    demands = [f for f in console.frames if isinstance(f, protocol.Demand)]
    assert len(demands) == 1


async def test_a_host_asked_for_while_the_console_is_away_ends_in_404_and_is_told_later(console, agent):
    await console.stop()
    async with asyncio.timeout(5):
        assert (await agent.get("later:80"))[0] == 404
    assert await agent.get() == (200, "one")
