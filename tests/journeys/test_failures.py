"""Whatever dies, traffic that flowed keeps flowing, and the mesh converges when it is back."""

import contextlib
import os
import signal
import socket
import time

import pytest

from .live import eventually
from .load import Load

URL = "http://echo:27080/"


def route_to(subset: str) -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: echo}}
spec:
  host: echo
  subsets:
  - {{name: v1, labels: {{version: v1}}}}
  - {{name: v2, labels: {{version: v2}}}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: echo}}
spec:
  hosts: [echo]
  http:
  - route: [{{destination: {{host: echo, subset: {subset}}}}}]
"""


@pytest.fixture
def mesh(fresh_mesh):
    fresh_mesh.client = fresh_mesh.workload("client", service="client")
    fresh_mesh.v1 = fresh_mesh.workload("echo-v1", service="echo", labels={"version": "v1"}, account="echo")
    fresh_mesh.v2 = fresh_mesh.workload("echo-v2", service="echo", labels={"version": "v2"}, account="echo")
    fresh_mesh.warm(fresh_mesh.client, URL)
    fresh_mesh.apply(route_to("v1"))
    return fresh_mesh


def kill(child) -> None:
    child.process.kill()
    child.process.wait()


@pytest.mark.timeout(240)
def test_traffic_survives_the_death_of_console_valkey_and_agents(mesh):
    with mesh.client.client() as session, Load(session, URL) as load:
        kill(mesh.web)
        time.sleep(2)
        kill(mesh.client.agent)
        kill(mesh.v1.agent)
        time.sleep(2)
        assert load.failures == []
        mesh.revive()
        mesh.wait_synced()
        kill(mesh.valkey)
        time.sleep(1)
        # A change made while Redis is away arrives all the same.
        mesh.apply(route_to("v2"))
        assert session.get(URL).headers["x-instance"] == "echo-v2"
        mesh.revive()
        time.sleep(1)
    assert load.failures == [] and load.sent > 200
    mesh.apply(route_to("v1"))
    assert mesh.client.get(URL).headers["x-instance"] == "echo-v1"


@pytest.mark.timeout(240)
def test_a_change_made_while_an_agent_was_away_arrives_when_it_is_back(mesh):
    kill(mesh.client.agent)
    assert mesh.client.get(URL).headers["x-instance"] == "echo-v1"
    mesh.apply(route_to("v2"), wait=False)
    assert mesh.client.get(URL).headers["x-instance"] == "echo-v1"
    mesh.revive()
    eventually(lambda: mesh.client.get(URL).headers["x-instance"] == "echo-v2")
    mesh.wait_synced()


@pytest.mark.timeout(240)
def test_a_killed_envoy_comes_back_with_its_configuration_even_without_a_console(mesh):
    kill(mesh.web)
    before = mesh.client.envoy_pid()
    with mesh.client.client() as session, Load(session, URL) as load:
        os.kill(before, signal.SIGKILL)
        eventually(lambda: mesh.client.envoy_pid() not in (0, before))
        eventually(lambda: mesh.client.get(URL).status_code == 200)
        failed = len(load.failures)
        time.sleep(2)
        assert len(load.failures) <= failed + 1, "requests still fail after Envoy is back"
    print(f"while Envoy was away {failed} of {load.sent} requests failed (50 a second)")
    assert mesh.client.get(URL).headers["x-instance"] == "echo-v1"
    mesh.revive()
    mesh.wait_synced()


@pytest.mark.timeout(240)
def test_a_host_that_reboots_while_the_console_is_away_serves_as_before(mesh):
    kill(mesh.web)
    mesh.children.list.remove(mesh.web)
    agent, envoy = mesh.client.agent, mesh.client.envoy_pid()
    kill(agent)
    os.kill(envoy, signal.SIGKILL)
    mesh.revive()
    eventually(lambda: mesh.client.get(URL).headers["x-instance"] == "echo-v1")
    mesh.start_console()
    mesh.wait_synced()


@pytest.mark.timeout(240)
def test_a_refused_change_leaves_traffic_as_it_was_and_says_why(mesh):
    gateway = mesh.workload("edge", kind="gateway", labels={"istio": "edge"})
    mesh.wait_synced()
    with socket.socket() as squatter:
        squatter.bind((gateway.address, 0))
        squatter.listen()
        port = squatter.getsockname()[1]
        with mesh.client.client() as session, Load(session, URL) as load:
            revision = mesh.apply(_gateway(port), wait=False)
            status = eventually(lambda: (s := mesh.status(revision))["state"] == "failed" and s)
            assert any("edge" in (p.get("proxy") or p.get("id")) and "in use" in p["error"].lower() for p in status["proxies"]), status
            proxy = mesh.proxy("edge")
            assert proxy["state"] == "NACKED"
            assert "Gateway default/edge" in str(proxy)
        assert load.failures == []
        mesh.wait_synced("client", "echo-v1", "echo-v2")
        # The way back: the resource goes, and the proxy is in sync again.
        assert mesh.api.delete("/apis/networking.istio.io/v1/namespaces/default/gateways/edge").is_success
        mesh.wait_synced("edge")
    # And the same again, where nobody is in the way.
    mesh.apply(_gateway(port))
    with contextlib.closing(socket.create_connection((gateway.address, port), 5)):
        pass


def _gateway(port: int) -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: edge}}
spec:
  selector: {{istio: edge}}
  servers:
  - {{port: {{number: {port}, name: http, protocol: HTTP}}, hosts: ["*"]}}
"""


@pytest.mark.timeout(240)
def test_an_unhealthy_application_leaves_the_load_balancing(mesh):
    mesh.apply("""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: echo}
spec:
  hosts: [echo]
  http: [{route: [{destination: {host: echo}}]}]
""")
    eventually(lambda: {mesh.client.get(URL).headers.get("x-instance") for _ in range(20)} == {"echo-v1", "echo-v2"})
    kill(mesh.v1.app)
    eventually(lambda: {mesh.client.get(URL).headers.get("x-instance") for _ in range(20)} == {"echo-v2"})
    mesh.revive()
    eventually(lambda: {mesh.client.get(URL).headers.get("x-instance") for _ in range(20)} == {"echo-v1", "echo-v2"}, 30)
