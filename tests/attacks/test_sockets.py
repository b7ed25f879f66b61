"""WebSockets: strange pages, frames that are too long or no frames at all, floods. Each refused, each logged, the others undisturbed."""

import asyncio
import contextlib
import json
import random
import re
import time
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from proxyagent import protocol


def at(web, path: str) -> str:
    return web.url.replace("http", "ws", 1) + path


async def refused(web, path: str, **headers: str) -> int:
    try:
        async with connect(at(web, path), additional_headers=headers, proxy=None):
            return 101
    except InvalidStatus as e:
        return e.response.status_code


@pytest.mark.parametrize("path", ["/agent", "/ws/topology"])
@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1:1", "null"])
async def test_another_site_s_page_opens_no_socket(undisturbed, path, origin):
    assert await refused(undisturbed, path, Origin=origin) == 403
    assert "may not open a WebSocket" in undisturbed.log.read_text()


async def test_our_own_page_without_a_session_is_told_to_sign_in(undisturbed):
    async with connect(at(undisturbed, "/ws/topology"), additional_headers={"Origin": undisturbed.url}, proxy=None) as socket:
        with pytest.raises(ConnectionClosed) as told:
            await socket.recv()
    assert told.value.rcvd.code == 4401


def hello() -> bytes:
    workload = protocol.Workload("default", "mallory", service_account="mallory", address="127.0.0.1")
    return protocol.encode(protocol.Hello(protocol.PROTOCOL, "0", "0", workload))


LONG = b"\0" * (300 * 1024)
STRANGE = {
    "nothing": b"",
    "noise": random.Random(7).randbytes(5000),
    "too long before anybody is known": LONG,
    "JSON": b'{"hello": true}',
    "a frame of the console's own": protocol.encode(protocol.Refused("busy", "y")),
    "half of a frame": hello()[:20],
    "text": "hello",
    "deep nesting": b"\x81\xa1a" * 100_000,
}


@pytest.mark.parametrize("what", STRANGE)
async def test_what_is_no_hello_ends_the_conversation(undisturbed, what):
    async with connect(at(undisturbed, "/agent"), proxy=None, max_size=None) as socket:
        await socket.send(STRANGE[what])
        with pytest.raises(ConnectionClosed):
            while True:
                await asyncio.wait_for(socket.recv(), 10)
    assert "refused" in undisturbed.log.read_text()


async def test_a_frame_over_the_protocol_s_limit_is_cut_off_by_the_server(undisturbed):
    async with connect(at(undisturbed, "/agent"), proxy=None, max_size=None) as socket:
        with pytest.raises(ConnectionClosed) as told:
            await socket.send(b"\0" * (17 * 1024 * 1024))
            await asyncio.wait_for(socket.recv(), 15)
    assert told.value.rcvd.code == 1009


async def test_hundreds_of_sockets_that_say_nothing_do_not_keep_others_waiting(undisturbed):
    sockets = await asyncio.gather(*(connect(at(undisturbed, "/agent"), proxy=None) for _ in range(300)))
    try:
        slowest = 0.0
        for _ in range(10):
            began = time.monotonic()
            answer = await asyncio.to_thread(undisturbed.api.get, "/healthz")
            slowest = max(slowest, time.monotonic() - began)
            assert answer.status_code == 200
        assert slowest < 2
    finally:
        await asyncio.gather(*(s.close() for s in sockets))


async def test_a_flood_of_joins_with_made_up_tokens_joins_nobody(undisturbed):
    async def knock() -> None:
        async with connect(at(undisturbed, "/agent"), proxy=None) as socket:
            await socket.send(hello())
            await asyncio.wait_for(socket.recv(), 20)  # the challenge
            await socket.send(protocol.encode(protocol.Join("mjt_guess", b"")))
            with pytest.raises(ConnectionClosed):
                while True:
                    await asyncio.wait_for(socket.recv(), 20)

    await asyncio.gather(*(knock() for _ in range(60)))
    assert undisturbed.api.get("/api/v1/workloads").json()["items"] == []


def cookie(web, name: str, password: str) -> str:
    """The session of somebody who signed in by the page."""
    with httpx.Client(base_url=web.url, trust_env=False, timeout=30) as browser:
        token = browser.get("/login/").text.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
        assert browser.post("/login/", data={"username": name, "password": password, "csrfmiddlewaretoken": token}).status_code == 302
        return f"sessionid={browser.cookies['sessionid']}"


async def asked(web, session: str, question: str) -> dict:
    async with connect(at(web, "/ws/topology"), additional_headers={"Origin": web.url, "Cookie": session}, proxy=None) as socket:
        await socket.send(question)
        return json.loads(await asyncio.wait_for(socket.recv(), 20))


def test_every_socket_of_browsers_is_walked_here():
    """A new one needs a row of who may ask it what."""
    source = (Path(__file__).resolve().parents[2] / "meshconsole/asgi.py").read_text()
    assert re.findall(r'path\("([^"]*)"', source) == ["topology", "agent", "^ws/"]


async def test_each_person_sees_of_the_topology_what_they_may(undisturbed):
    api, password = undisturbed.api, "correct horse battery staple"
    for name, roles in {"outsider": {}, "viewer": {"default": "viewer"}, "editor": {"default": "editor"}, "all": {"*": "viewer"}}.items():
        answer = api.post("/api/v1/people", json={"username": name, "password": password, "roles": roles})
        assert answer.status_code in (201, 400)
    everything, theirs = '{"subscribe": {}}', '{"subscribe": {"namespaces": ["payments"]}}'
    for name, may in {"outsider": False, "viewer": False, "editor": False, "all": True}.items():
        session = await asyncio.to_thread(cookie, undisturbed, name, password)
        assert "graph" in await asked(undisturbed, session, everything), name
        said = await asked(undisturbed, session, theirs)
        assert ("graph" in said) is may, (name, said)
    assert "not understood" in (await asked(undisturbed, session, "[" * 5000))["error"]["message"]
    with pytest.raises(ConnectionClosed) as told:
        await asked(undisturbed, session, "x" * 70_000)
    assert told.value.rcvd.code == 1009
    assert api.delete("/api/v1/people/all/sessions").status_code == 200
    with pytest.raises(ConnectionClosed) as told:
        await asked(undisturbed, session, everything)
    assert told.value.rcvd.code == 4401


async def test_a_flood_of_questions_is_read_slowly_and_others_go_on(undisturbed):
    session = await asyncio.to_thread(cookie, undisturbed, undisturbed.username, undisturbed.password)
    async with connect(
        at(undisturbed, "/ws/topology"), additional_headers={"Origin": undisturbed.url, "Cookie": session}, proxy=None
    ) as socket:
        for _ in range(400):
            await socket.send('{"subscribe": {}}')
        began = time.monotonic()
        assert (await asyncio.to_thread(undisturbed.api.get, "/healthz")).status_code == 200
        assert time.monotonic() - began < 2
        heard = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(3):
                while True:
                    await socket.recv()
                    heard += 1
        assert heard < 100  # twenty at once, then two a second
