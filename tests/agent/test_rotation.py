"""Certificates with a life of seconds, renewed under load: no request fails."""

import asyncio
import ssl

import pytest

from proxyagent import protocol

from . import envoy_config as config
from .conftest import free_port, reviews

pytestmark = pytest.mark.envoy


class Client:
    """A peer with a certificate of the same mesh: one TLS connection per request, so that each one shakes hands."""

    def __init__(self, authority, port, folder):
        chain, key = authority.client("spiffe://cluster.local/ns/default/sa/productpage")
        (folder / "peer.pem").write_bytes(chain + key)
        (folder / "root.pem").write_bytes(authority.bundle)
        self.port = port
        self.tls = ssl.create_default_context(cafile=str(folder / "root.pem"))
        self.tls.check_hostname = False
        self.tls.load_cert_chain(folder / "peer.pem")

    async def get(self) -> tuple[str, str]:
        """Status line, and the serial of the server's certificate."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.tls)
        try:
            serial = writer.get_extra_info("peercert")["serialNumber"]
            writer.write(b"GET / HTTP/1.1\r\nHost: reviews\r\nConnection: close\r\n\r\n")
            return (await reader.read()).split(b"\r\n")[0].decode(), serial.lower()
        finally:
            writer.close()


async def test_a_certificate_with_a_life_of_seconds_rotates_under_load_without_a_failed_request(console, agents, origin, tmp_path):
    console.life = 6.0
    agent = agents(console)
    await console.until(protocol.State)
    port = free_port()
    resources = reviews(agent, origin)
    resources["lds"] = [*resources["lds"], config.inbound(port, "reviews")]
    assert not (await console.push(**resources)).errors
    await agent.serves()
    client = Client(console.authority, port, tmp_path)
    answers = []
    end = asyncio.get_running_loop().time() + 13
    while asyncio.get_running_loop().time() < end:
        answers.append(await client.get())
        await asyncio.sleep(0.01)
    assert {status for status, _ in answers} == {"HTTP/1.1 200 OK"}
    assert len({serial for _, serial in answers}) >= 3
    assert len(answers) > 80
    renewals = [f for f in console.frames if isinstance(f, protocol.SignRequest)]
    assert len(renewals) >= 3
    assert len({f.csr for f in renewals}) == len(renewals), "each renewal has a key of its own"


async def test_an_agent_whose_certificate_the_console_no_longer_knows_joins_again_by_token(console, agents, origin):
    agent = agents(console)
    await console.until(protocol.State)
    await agent.envoy_runs()
    await asyncio.to_thread(agent.terminate)
    console.authority.issued.clear()
    seen = len(console.frames)
    agent.start()
    await console.until(protocol.State, after=seen)
    kinds = [type(f).__name__ for f in console.frames[seen:]]
    assert kinds.index("Prove") < kinds.index("Join")


async def test_a_refused_token_is_said_clearly_and_ends_the_agent(console, agents):
    agent = agents(console, token="wrong")
    assert await asyncio.to_thread(agent.process.wait, 10) == 1
    assert "this join token is not known" in agent.log.read_text()
    assert agent.envoy is None


async def test_an_evicted_agent_says_so_and_keeps_serving(console, agents, origin):
    agent = agents(console)
    await console.until(protocol.State)
    assert not (await console.push(**reviews(agent, origin))).errors
    await agent.serves()
    await asyncio.to_thread(agent.terminate)
    console.refuse = protocol.Refused("revoked", "this agent was evicted by alice")
    agent.start()
    assert await agent.serves() == (200, "one")
    async with asyncio.timeout(10):
        while "this agent was evicted by alice" not in agent.log.read_text():
            await asyncio.sleep(0.05)
    assert agent.process.poll() is None
