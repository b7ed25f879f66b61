"""Several web processes, and a Redis that is dead: guessing is slow all the same, behind a reverse proxy too, and who is evicted at
one process is cut by the other, which holds its socket."""

import asyncio
import subprocess
import time

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from proxyagent import protocol
from tests.browser.console import Console, free_port

from .conftest import Web


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Two processes on one database; the Redis that they are told of is not there. The first trusts loopback as a reverse proxy."""
    home = tmp_path_factory.mktemp("two")
    first = Web(home)
    first.environment |= {"REDIS_URL": f"redis://127.0.0.1:{free_port()}/0", "TRUSTED_PROXIES": "127.0.0.1/32"}
    first.start()
    second = Web(home)
    second.environment = {**first.environment, "TRUSTED_PROXIES": ""}
    second.log = home / "second.log"
    with second.log.open("w") as out:
        second.process = subprocess.Popen(second.command(), env=second.environment, stdout=out, stderr=out)
    second.api = httpx.Client(base_url=second.url, trust_env=False, timeout=30)
    try:
        await_(second)
        yield first, second
    finally:
        second.stop()
        first.stop()


def await_(console: Console) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            console.api.get("/login/")
            return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise AssertionError(console.log.read_text())


def attempt(console: Console, name: str, password: str = "guess", forwarded: str = "") -> httpx.Response:
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    with httpx.Client(base_url=console.url, trust_env=False, timeout=30, headers=headers) as browser:
        token = browser.get("/login/").text.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
        return browser.post("/login/", data={"username": name, "password": password, "csrfmiddlewaretoken": token})


def test_failures_at_one_process_are_known_to_the_other(two):
    first, second = two
    said = [attempt((first, second)[n % 2], "nobody").status_code for n in range(7)]
    assert said == [200] * 5 + [429] * 2


def test_behind_a_trusted_proxy_the_guesser_waits_and_not_everybody_behind_it(two):
    first, _ = two
    for _ in range(5):
        attempt(first, "admin", forwarded="203.0.113.66")
    assert attempt(first, "admin", forwarded="203.0.113.66").status_code == 429
    assert attempt(first, "admin", first.password, forwarded="203.0.113.67").status_code == 302
    entries = first.api.get("/api/v1/audit?action=lockout").json()["items"]
    assert entries[0]["address"] == "203.0.113.66"


def test_a_guesser_who_makes_addresses_up_is_not_believed(two):
    """The second process trusts nobody: the header changes nothing."""
    _, second = two
    said = [attempt(second, "somebody", forwarded=f"198.51.100.{n}").status_code for n in range(7)]
    assert said == [200] * 5 + [429] * 2


async def joined(console: Console, name: str) -> tuple[ClientConnection, str]:
    """An agent's socket at this process, welcomed; and the join token, good for a second time."""
    said = {"namespace": "default", "serviceAccount": name, "ttl": "1h", "uses": 2}
    token = (await asyncio.to_thread(console.api.post, "/api/v1/join-tokens", json=said)).json()["token"]
    return await join(console, name, token), token


async def join(console: Console, name: str, token: str) -> ClientConnection:
    socket = await connect(console.url.replace("http", "ws", 1) + "/agent", proxy=None)
    workload = protocol.Workload("default", name, service_account=name)
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    await socket.send(protocol.encode(protocol.Hello(protocol.PROTOCOL, "0", "0", workload)))
    assert isinstance(protocol.decode_from_console(await socket.recv()), protocol.Challenge)
    await socket.send(protocol.encode(protocol.Join(token, csr.public_bytes(serialization.Encoding.DER))))
    return socket


async def last_word(socket: ClientConnection, seconds: float) -> object:
    """What the console said last before it closed the socket. Raises TimeoutError when it stays open."""
    said: object = None
    async with asyncio.timeout(seconds):
        try:
            while True:
                said = protocol.decode_from_console(await socket.recv())
        except ConnectionClosed:
            return said


async def test_an_agent_that_is_evicted_at_one_process_is_cut_by_the_other_and_neither_takes_it_back(two):
    """Redis is dead: the process that holds the socket finds out by itself."""
    first, second = two
    thief, token = await joined(first, "thief")
    other, _ = await joined(first, "honest")
    for socket in (thief, other):
        assert isinstance(protocol.decode_from_console(await asyncio.wait_for(socket.recv(), 10)), protocol.Welcome)
        await socket.send(protocol.encode(protocol.State("")))
    await asyncio.wait_for(thief.recv(), 10)  # a push, or what it is asked: it is connected
    begun = time.monotonic()
    said = await asyncio.to_thread(
        second.api.post, "/api/v1/evictions", json={"namespace": "default", "name": "thief", "reason": "stolen"},
        headers={"authorization": f"Bearer {first.token}"},
    )  # fmt: skip
    assert said.status_code == 201, said.text
    assert await last_word(thief, 8) == protocol.Refused("revoked", "this agent was evicted: stolen")
    assert time.monotonic() - begun < 8
    for console in (first, second):
        refused = await last_word(await join(console, "thief", token), 10)
        assert isinstance(refused, protocol.Refused) and refused.code == "revoked"
    with pytest.raises(TimeoutError):
        await last_word(other, 1)
    await other.close()
