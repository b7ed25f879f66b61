"""10,000 requests through the mesh are 10,000 in the store, whatever dies meanwhile."""

import os
import signal
import threading
import time

import httpx
import pytest

from .live import LiveMesh, eventually

URL = "http://echo:27080/"
WANTED = 10_000
OUTAGE = 60.0
"""Seconds without a console: its batches wait on the agents' disks."""


class Callers:
    """Threads that call until so many answers have come; a call without an answer is no request that Envoy could have counted."""

    def __init__(self, mesh: LiveMesh, wanted: int, threads: int = 4):
        self.mesh, self.wanted, self.answers, self.unanswered = mesh, wanted, 0, 0
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._call, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def _take(self) -> bool:
        with self._lock:
            if self.answers >= self.wanted:
                return False
            self.answers += 1
            return True

    def _call(self) -> None:
        with self.mesh.client.client() as client:
            while self._take():
                try:
                    client.get(URL)
                except httpx.HTTPError:
                    with self._lock:
                        self.answers -= 1
                        self.unanswered += 1
                    time.sleep(0.05)

    def until(self, answers: int, seconds: float = 120) -> None:
        eventually(lambda: self.answers >= answers or not any(t.is_alive() for t in self._threads), seconds)

    def done(self) -> None:
        for thread in self._threads:
            thread.join(120)
        assert self.answers == self.wanted


def counted(mesh: LiveMesh) -> int:
    """What the store holds of the client's calls, those that reached nobody among them."""
    items = mesh.api.get("/api/v1/metrics", params={"window": "15m"}).json()["items"]
    return sum(e["requests"] for e in items if e["source"]["workload"] == "client")


def restart(mesh: LiveMesh, agent, signal_: int) -> None:
    agent.process.send_signal(signal_)
    agent.process.wait(20)
    mesh.revive(agent)


@pytest.mark.timeout(240)
def test_ten_thousand_requests_are_counted_through_restarts_and_an_outage(fresh_mesh):
    mesh = fresh_mesh
    mesh.client = mesh.workload("client", service="client", options=("--metrics-interval", "1"))
    mesh.echo = mesh.workload("echo-v1", service="echo", account="echo", options=("--metrics-interval", "1"))
    eventually(lambda: mesh.client.get(URL).status_code == 200)
    eventually(lambda: counted(mesh) > 0)
    time.sleep(3)
    before = counted(mesh)

    callers = Callers(mesh, WANTED)
    callers.until(1500)
    envoy = mesh.client.envoy_pid()
    restart(mesh, mesh.client.agent, signal.SIGKILL)
    assert mesh.client.envoy_pid() == envoy, "an agent that died leaves its Envoy serving"
    mesh.wait_synced("client")
    callers.until(2500)
    # A restart of both: the agent drains its Envoy, which serves on meanwhile, reads it a last time, and ends it.
    restart(mesh, mesh.client.agent, signal.SIGTERM)
    eventually(lambda: mesh.client.envoy_pid() not in (0, envoy))
    mesh.wait_synced("client")
    callers.until(callers.answers + 500)
    mesh.web.process.kill()
    mesh.web.process.wait()
    died = time.monotonic()
    callers.until(callers.answers + 500)
    restart(mesh, mesh.echo.agent, signal.SIGKILL)
    time.sleep(max(0.0, OUTAGE - (time.monotonic() - died)))
    mesh.revive()
    callers.done()
    mesh.wait_synced("client", "echo-v1")

    def all_there() -> bool:
        found = counted(mesh) - before
        assert found == WANTED, (found, callers.unanswered)
        return True

    eventually(all_there, 20)
    # One that is killed loses only what was counted since it was last read: here nothing.
    envoy = mesh.client.envoy_pid()
    assert envoy > 0
    os.kill(envoy, signal.SIGKILL)
    eventually(lambda: mesh.client.envoy_pid() not in (0, envoy))
    mesh.wait_synced("client")
    eventually(lambda: mesh.client.get(URL).status_code == 200)
    eventually(lambda: counted(mesh) - before > WANTED)
    time.sleep(2)
    assert counted(mesh) - before == WANTED + 1
