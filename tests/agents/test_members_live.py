"""A member of a WorkloadGroup as it will be: a real console, a real agent with a real Envoy, a real application that is ready or not."""

import http.server
import os
import subprocess
import sys
import threading

import pytest

from tests.benchmarks.console import free_port

from .conftest import workload
from .test_groups import Mesh

GROUP = """
apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: {{name: live, namespace: default}}
spec:
  metadata: {{annotations: {{meshconsole.io/services: live}}}}
  template: {{labels: {{app: live}}, ports: {{http: {port}}}}}
  probe: {{periodSeconds: 1, timeoutSeconds: 1, {method}}}
"""
NAME = "default/live-127.0.9.1"


class Application:
    """Ready or not."""

    def __init__(self):
        outer, self.ready = self, True

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200 if outer.ready else 503)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *a):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def application():
    made = Application()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def host(console, token, tmp_path):
    """Starts an agent that says no more than its group and its address."""
    running = []

    def start(*more: str) -> None:
        command = [
            sys.executable,
            "-m",
            "proxyagent",
            "--console",
            console.agents.removesuffix("/agent"),
            "--workload-group",
            "default/live",
        ]
        command += [
            "--address",
            "127.0.9.1",
            "--outbound-port",
            str(free_port()),
            "--state-dir",
            str(tmp_path / "state"),
            "--metrics-port",
            "0",
            *more,
        ]
        with (tmp_path / "agent.log").open("ab") as log:
            running.append(subprocess.Popen(command, env=os.environ | {"MESHCONSOLE_JOIN_TOKEN": token}, stdout=log, stderr=log))

    yield start
    for process in running:
        process.terminate()
    for process in running:
        process.wait(20)


@pytest.mark.envoy
async def test_a_failing_probe_takes_the_endpoint_out_and_a_good_one_brings_it_back(agent, console, host, application):
    mesh = Mesh(console)
    await mesh.say(GROUP.format(port=application.port, method=f"httpGet: {{port: {application.port}, path: /ready}}"))
    client = await agent(workload(), learned=(f"live:{application.port}",)).connect()
    cluster = f"outbound|{application.port}||live.default.svc.cluster.local"

    def there() -> bool:
        found = client.cache.of("eds").get(cluster)
        return found is not None and b"127.0.9.1" in found.body

    host()
    await client.until(there)
    application.ready = False
    await client.until(lambda: not there())
    assert not (await mesh.workloads())[NAME]["healthy"]
    application.ready = True
    await client.until(there)
    await mesh.say(GROUP.format(port=application.port, method="exec: {command: ['true']}"))
    await client.until(lambda: not there())  # this host does not let the console run programs
    await mesh.say(GROUP.format(port=application.port, method=f"tcpSocket: {{port: {application.port}}}"))
    await client.until(there)
