"""What a newcomer sees: `meshconsole up --demo`, Bookinfo in the browser's reach, a first policy, and Ctrl-C."""

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest

from meshconsole.cli.up import free_port

from .live import ROOT, eventually

POLICIES = ROOT / "meshconsole" / "demo" / "policies"
WORKLOADS = {"productpage-v1", "details-v1", "reviews-v1", "reviews-v2", "reviews-v3", "ratings-v1"}


_nets = itertools.count(0)
"""Each demo has loopback addresses of its own."""


class Demo:
    def __init__(self, home):
        self.home = home
        self.port, self.gateway_port = free_port(), free_port()
        self.environment = {
            **os.environ,
            "MESHCONSOLE_HOME": str(home),
            "MESHCONSOLE_DEMO_NET": f"127.{100 + os.getpid() % 100 + next(_nets)}",
            "PYTHONPATH": str(ROOT),
        }
        self.environment.pop("REDIS_URL", None)

    def start(self) -> "Demo":
        command = [
            sys.executable,
            "-m",
            "meshconsole.cli",
            "up",
            "--demo",
            "--port",
            str(self.port),
            "--gateway-port",
            str(self.gateway_port),
        ]
        self.output = (self.home / "up.txt").open("w+")
        self.process = subprocess.Popen(
            command, env=self.environment, cwd=ROOT, stdout=self.output, stderr=subprocess.STDOUT, start_new_session=True
        )
        eventually(lambda: "Ctrl-C stops everything" in self.said() or self.process.poll() is not None, 150)
        assert self.process.poll() is None, self.said()
        self.facts = json.loads((self.home / "demo.json").read_text())
        self.api = httpx.Client(
            base_url=self.facts["url"], headers={"authorization": f"Bearer {self.facts['token']}"}, timeout=30, trust_env=False
        )
        return self

    def said(self) -> str:
        return (self.home / "up.txt").read_text()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(60) == 0, self.said()

    def processes(self) -> list[str]:
        """Every process that names this demo's home in its environment or command line."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
            except OSError:
                continue
            if str(self.home).encode() in words and int(pid) != os.getpid():
                found.append(words.split(b"\0MESHCONSOLE")[0].replace(b"\0", b" ").decode(errors="replace")[:160])
        return found

    def page(self, **headers: str) -> str:
        return httpx.get(
            f"{self.facts['gateway']}/productpage",
            headers={k.replace("_", "-"): v for k, v in headers.items()},
            timeout=20,
            trust_env=False,
        ).text

    def cli(self, *words: str) -> subprocess.CompletedProcess:
        environment = {**self.environment, "MESHCONSOLE_URL": self.facts["url"], "MESHCONSOLE_TOKEN": self.facts["token"]}
        return subprocess.run(
            [sys.executable, "-m", "meshconsole.cli", *words], env=environment, capture_output=True, text=True, cwd=ROOT, timeout=60
        )


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    running = Demo(tmp_path_factory.mktemp("demo")).start()
    yield running
    if running.process.poll() is None:
        running.stop()


def served(page: str) -> str:
    return re.search(r"served by: (reviews-v\d)", page)[1]


def test_the_demo_serves_bookinfo_and_writes_down_how_to_reach_it(demo):
    assert {"url", "gateway", "username", "password", "token"} <= demo.facts.keys()
    assert (demo.home / "demo.json").stat().st_mode & 0o777 == 0o600
    assert {served(demo.page()) for _ in range(30)} == {"reviews-v1", "reviews-v2", "reviews-v3"}


def test_a_90_10_split_applied_by_the_command_shows_at_the_gateway(demo):
    done = demo.cli("apply", "--wait", "-f", str(POLICIES / "reviews-90-10.yaml"))
    assert done.returncode == 0, done.stdout + done.stderr
    count = Counter(served(demo.page()) for _ in range(200))
    assert set(count) <= {"reviews-v1", "reviews-v3"} and count["reviews-v1"] > 150, count
    begin = time.monotonic()
    assert demo.cli("apply", "--wait", "-f", str(POLICIES / "reviews-v3.yaml")).returncode == 0
    assert served(demo.page()) == "reviews-v3"
    print(f"apply --wait to the page: {time.monotonic() - begin:.2f} s")
    assert demo.cli("delete", "virtualservice", "reviews").returncode == 0


def test_the_page_says_when_ratings_is_unavailable(demo):
    assert demo.cli("apply", "--wait", "-f", str(POLICIES / "ratings-abort.yaml")).returncode == 0
    assert demo.cli("apply", "--wait", "-f", str(POLICIES / "reviews-v3.yaml")).returncode == 0
    assert "ratings service is currently unavailable" in demo.page()
    assert demo.cli("delete", "virtualservice", "ratings", "reviews").returncode == 0
    eventually(lambda: "currently unavailable" not in demo.page())


def test_the_graph_has_the_six_workloads_with_live_rates_and_mtls_on_each_hop(demo):
    def complete():
        graph = demo.api.get("/api/v1/topology", params={"window": "60s", "kind": "workload"}).json()
        names = {n["id"]: n["name"] for n in graph["nodes"]}
        edges = {(names[e["source"]], names[e["target"]]): e for e in graph["edges"]}
        wanted = {("productpage-v1", "details-v1"), ("reviews-v2", "ratings-v1"), ("reviews-v3", "ratings-v1")}
        wanted |= {("productpage-v1", f"reviews-v{n}") for n in (1, 2, 3)}
        live = set(names.values()) >= WORKLOADS and edges.keys() >= wanted and all(edges[w]["rate"] > 0 for w in wanted)
        # The proof of identity comes from the destination's report, which arrives a scrape later than the source's.
        return live and all(edges[w]["mtlsShare"] == 1.0 for w in wanted) and {w: edges[w] for w in wanted}

    edges = eventually(complete, 40, 1)
    for (source, target), edge in edges.items():
        assert edge["sourcePrincipals"] == [f"spiffe://cluster.local/ns/default/sa/bookinfo-{source.split('-')[0]}"], edge
        assert edge["targetPrincipals"] == [f"spiffe://cluster.local/ns/default/sa/bookinfo-{target.split('-')[0]}"], edge


def test_ctrl_c_stops_everything_and_a_second_start_keeps_the_data(tmp_path):
    demo = Demo(tmp_path).start()
    assert demo.cli("apply", "--wait", "-f", str(POLICIES / "reviews-v3.yaml")).returncode == 0
    token = demo.facts["token"]
    demo.stop()
    assert demo.processes() == []
    begin = time.monotonic()
    demo.start()
    try:
        print(f"second start: {time.monotonic() - begin:.1f} s")
        assert demo.facts["token"] == token
        assert served(demo.page()) == "reviews-v3"
    finally:
        demo.stop()
    assert demo.processes() == []
