"""A fake console, a real agent process with a real Envoy, and an origin behind it."""

import asyncio
import contextlib
import http.server
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import msgspec
import pytest

from proxyagent.supervisor import Trace, started

from . import envoy_config as config
from .fake_console import FakeConsole

ROOT = pathlib.Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Origin:
    def __init__(self, text="ok"):
        outer = self
        self.requests = 0
        self.delay = 0.0

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.requests += 1
                if self.path == "/slow":
                    time.sleep(1)
                self.send_response(200)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *a):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class RunningAgent:
    """One `proxyagent` process on its state directory."""

    def __init__(self, console, state, *more, token="mjt_test", port=None):
        self.console, self.state, self.token = console, pathlib.Path(state), token
        self.outbound = port or free_port()
        self.more = more
        self.process = None
        self.log = self.state / "agent.log"

    def start(self):
        self.state.mkdir(exist_ok=True)
        arguments = ["--console", self.console, "--namespace", "default", "--name", "reviews-v1", "--service", "reviews"]
        arguments += [
            "--label",
            "app=reviews",
            "--label",
            "version=v1",
            "--service-account",
            "reviews",
            "--outbound-port",
            str(self.outbound),
        ]
        arguments += ["--state-dir", str(self.state), "--concurrency", "1", "--metrics-interval", "0.3", "--drain-seconds", "2", *self.more]
        environment = os.environ | {"MESHCONSOLE_JOIN_TOKEN": self.token, "PYTHONPATH": str(ROOT)}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([sys.executable, "-m", "proxyagent", *arguments], env=environment, stdout=log, stderr=log)
        return self

    @property
    def envoy(self) -> int | None:
        """The pid of the living Envoy."""
        with contextlib.suppress(FileNotFoundError, msgspec.DecodeError):
            trace = msgspec.json.decode((self.state / "envoy").read_bytes(), type=Trace)
            return trace.pid if started(trace.pid) == trace.started else None
        return None

    async def envoy_runs(self, other_than=None, seconds=10.0) -> int:
        async with asyncio.timeout(seconds):
            while (pid := self.envoy) is None or pid == other_than:
                await asyncio.sleep(0.02)
        return pid

    def kill(self):
        self.process.kill()
        self.process.wait()

    def terminate(self, seconds=15):
        self.process.terminate()
        return self.process.wait(seconds)

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        if pid := self.envoy:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    async def get(self, host="reviews:9080", path="/"):
        """(status, x-version) through Envoy."""
        return await asyncio.to_thread(get, self.outbound, host, path)

    async def serves(self, host="reviews:9080", status=200, seconds=10.0):
        last = None
        try:
            async with asyncio.timeout(seconds):
                while True:
                    last = await self.get(host)
                    if last[0] == status:
                        return last
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"{host} answers {last}, not {status}\n{self.log.read_text()[-3000:]}") from None


def get(port, host, path="/"):
    try:
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Host": host})
        with urllib.request.urlopen(request, timeout=10) as f:
            f.read()
            return f.status, f.headers["x-version"]
    except urllib.error.HTTPError as e:
        return e.code, None
    except OSError as e:
        return 0, str(e)


@pytest.fixture
async def console():
    fake = await FakeConsole().start()
    yield fake
    await fake.stop()


@pytest.fixture
def origin():
    o = Origin()
    yield o
    o.stop()


@pytest.fixture
async def agents(tmp_path):
    """Start agents; what is left of them is ended."""
    made = []

    def start(console, *more, state=None, **kwargs):
        agent = RunningAgent(console if isinstance(console, str) else console.url, state or tmp_path / "state", *more, **kwargs)
        made.append(agent)
        return agent.start()

    yield start
    for agent in made:
        await asyncio.to_thread(agent.end)


def reviews(agent, origin, header="one"):
    """What makes `reviews:9080` answer."""
    return {
        "cds": [config.cluster("reviews")],
        "eds": [config.endpoints("reviews", origin.port, peer="reviews-v1;default;reviews;v1;reviews;v1")],
        "lds": [config.outbound(agent.outbound)],
        "rds": [config.ROUTES],
        "vhds": [config.INIT, config.virtual_host("reviews:9080", "reviews", header=header)],
    }
