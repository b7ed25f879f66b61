"""Slow clients (slowloris) and endless headers, against a real uvicorn with the console's own HTTP protocol class."""

import asyncio
import contextlib
import socket
import threading
import time

import pytest
import uvicorn

from meshconsole import patience
from meshconsole.api import limits
from meshconsole.cli import processes


async def app(scope, receive, send):
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, more = body + message.get("body", b""), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
def port(monkeypatch):
    monkeypatch.setattr(patience, "HEAD_SECONDS", 0.6)
    monkeypatch.setattr(limits, "BODY_SECONDS", 0.6)
    door = limits.BodyLimit(app, 1000)
    server = uvicorn.Server(uvicorn.Config(door, port=0, http="meshconsole.patience:Http", lifespan="off", log_level="critical"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


def say(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    """Everything that the server answers until it closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
        for part in parts:
            with contextlib.suppress(OSError):
                s.sendall(part)
            time.sleep(pause)
        said = b""
        with contextlib.suppress(ConnectionResetError):
            while data := s.recv(65536):
                said += data
        return said


def until_ok(s: socket.socket) -> bool:
    said = b""
    while not said.endswith(b"ok"):
        if not (data := s.recv(65536)):
            return False
        said += data
    return b" 200 " in said


HEAD = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"


def test_the_command_starts_the_server_with_it(monkeypatch):
    words: list[str] = []
    monkeypatch.setattr(processes, "become", lambda module, *rest: words.extend(rest))
    monkeypatch.setattr(processes, "_many_files", lambda: None)
    processes.web()
    assert words[words.index("--http") + 1] == "meshconsole.patience:Http"
    assert "--no-proxy-headers" in words


def test_a_quick_client_is_served(port):
    assert say(port, HEAD + b"\r\n").endswith(b"ok")


def test_two_requests_on_one_connection_each_have_their_time(port):
    with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
        for _ in range(3):
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert until_ok(s)
            time.sleep(0.4)
        s.sendall(b"GET / HT")
        time.sleep(0.2)
        s.sendall(b"TP/1.1\r\nHost: x\r\n\r\n")
        assert until_ok(s)


@pytest.mark.parametrize("parts", [(b"",), (b"G",), (HEAD,), (HEAD, b"X-A: b\r\n", b"X-C: d\r\n", b"X-E: f\r\n")])
def test_a_head_that_does_not_end_is_not_waited_for(port, parts):
    began = time.monotonic()
    assert say(port, *parts, pause=0.15).startswith(b"HTTP/1.1 408")
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    "head", [b"GET / HTTP/1.1\r\nX: " + b"a" * 200_000, b"GET /" + b"a" * 200_000, b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 40_000]
)
def test_an_endless_head_is_not_kept(port, head):
    said = say(port, head)
    assert said == b"" or said.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400")), said[:80]


def test_a_body_that_does_not_come_is_not_waited_for(port):
    said = say(port, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n", b"a", b"a", b"a", pause=0.25)
    assert said.startswith(b"HTTP/1.1 408")
    assert b"did not arrive" in said
    chunked = say(port, b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
    assert chunked.startswith(b"HTTP/1.1 408")


def test_two_hundred_slow_clients_do_not_keep_a_quick_one_waiting(port, monkeypatch):
    monkeypatch.setattr(patience, "HEAD_SECONDS", 4.0)  # all of them are still there when the quick one asks

    def let_go(s: socket.socket) -> bool:
        try:
            return s.recv(100)[:12] in (b"HTTP/1.1 408", b"")
        except ConnectionResetError:
            return True

    slow = [socket.create_connection(("127.0.0.1", port), timeout=15) for _ in range(200)]
    try:
        for s in slow:
            s.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
        began = time.monotonic()
        assert say(port, HEAD + b"\r\n").endswith(b"ok")
        assert time.monotonic() - began < 2  # not after them
        assert all(map(let_go, slow))
    finally:
        for s in slow:
            s.close()
