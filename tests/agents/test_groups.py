"""Members of a WorkloadGroup: a real web process, agents that say no more than their address and their group; the last with a real Envoy."""

import http.server
import os
import subprocess
import sys
import threading

import pytest
from cryptography.x509.oid import NameOID

from proxyagent.options import member_name
from proxyagent.protocol import Assigned, Health, HttpProbe, Probe, Workload
from proxyagent.session import Elapsed
from tests.benchmarks.console import free_port

from .conftest import workload
from .test_pushes import Api

GROUP = """
apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: {{name: {name}, namespace: default}}
spec:
  metadata:
    labels: {{team: payments}}
    annotations: {{meshconsole.io/services: "{name}"}}
  template:
    serviceAccount: {account}
    labels: {{app: {name}, version: {version}}}
    ports: {{http: 9080, grpc-api: 9090}}
    locality: eu/eu-1
    network: vms
    weight: 3
"""
PROBE = """
  probe: {periodSeconds: 1, httpGet: {port: 9080, path: /ready}}
"""
SELECTING = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}, namespace: default}}
spec:
  hosts: [{name}.example.com]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: 9080}}]
  workloadSelector: {{labels: {{app: {name}}}}}
"""


def group(name: str, version: str = "v1", account: str = "default") -> str:
    return GROUP.format(name=name, version=version, account=account)


def member(name: str, address: str, **fields) -> Workload:
    return Workload(
        "default", member_name(name, address, ""), **({"service_account": "", "weight": 0, "address": address} | fields), group=name
    )


class Mesh(Api):
    async def say(self, text: str) -> None:
        await self._call("POST", "/api/v1/apply", content=text)

    async def drop(self, name: str) -> None:
        await self._call("DELETE", f"/apis/networking.istio.io/v1/namespaces/default/workloadgroups/{name}")


@pytest.fixture
def mesh(console) -> Mesh:
    return Mesh(console)


def label(agent) -> str:
    return agent.certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)[0].value


class TestJoining:
    async def test_a_member_needs_only_its_address_and_its_group(self, agent, mesh):
        await mesh.say(group("vm"))
        one = await agent(member("vm", "127.0.3.1")).connect()
        await one.until(lambda: one.of(Assigned))
        (told,) = one.of(Assigned)
        assert told.workload.labels == {"team": "payments", "app": "vm", "version": "v1"} and told.workload.services == ("vm",)
        assert {p.number: p.name for p in told.workload.ports} == {9080: "http", 9090: "grpc-api"} and told.probe is None
        found = (await mesh.workloads())["default/vm-127.0.3.1"]
        assert (found["group"], found["locality"], found["network"], found["weight"]) == ("vm", "eu/eu-1", "vms", 3)
        assert label(one) == "v1", "peers read its labels in its certificate"

    async def test_a_service_entry_selects_it(self, agent, mesh):
        await mesh.say(group("shop") + "---" + SELECTING.format(name="shop"))
        one = await agent(member("shop", "127.0.3.2"), learned=("shop.example.com:80",)).connect()
        await one.until(lambda: "outbound|80||shop.example.com" in one.cache.versions().get("eds", {}))
        assert b"127.0.3.2" in one.cache.of("eds")["outbound|80||shop.example.com"].body

    async def test_what_the_agent_says_of_its_place_wins_and_of_its_labels_does_not(self, agent, mesh):
        await mesh.say(group("mixed"))
        one = await agent(member("mixed", "127.0.3.3", locality="us/us-1", weight=1, labels={"version": "v9", "rack": "7"})).connect()
        await one.until(lambda: one.of(Assigned))
        told = one.of(Assigned)[0].workload
        assert (told.locality, told.network, told.weight) == ("us/us-1", "vms", 1)
        assert told.labels["version"] == "v1" and told.labels["rack"] == "7"

    async def test_a_group_that_is_not_there_is_refused_with_what_to_do(self, agent):
        with pytest.raises(AssertionError, match="there is no WorkloadGroup default/nobody: apply one"):
            await agent(member("nobody", "127.0.3.4")).connect()

    async def test_the_join_token_governs_the_identity_whatever_the_group_says(self, agent, mesh):
        await mesh.say(group("rich", account="admin"))
        with pytest.raises(AssertionError, match="token"):
            await agent(member("rich", "127.0.3.5")).connect()

    async def test_an_agent_cannot_ask_for_another_account_than_its_group_has(self, agent, mesh):
        await mesh.say(group("plain"))
        with pytest.raises(AssertionError, match="leave --service-account out"):
            await agent(member("plain", "127.0.3.6", service_account="admin")).connect()

    async def test_who_joined_is_in_the_audit_log(self, agent, mesh):
        await mesh.say(group("noted"))
        await agent(member("noted", "127.0.3.7")).connect()
        entries = (await mesh._call("GET", "/api/v1/audit"))["items"]
        assert any("default/noted-127.0.3.7 (WorkloadGroup default/noted)" in e["object"] and e["action"] == "register" for e in entries)


class TestChanges:
    async def test_a_changed_group_changes_its_members(self, agent, mesh):
        await mesh.say(group("moving"))
        one = await agent(member("moving", "127.0.3.8")).connect()
        await mesh.say(group("moving", "v2"))
        await one.until(lambda: len(one.of(Assigned)) == 2)
        assert one.of(Assigned)[1].workload.labels["version"] == "v2"
        assert (await mesh.workloads())["default/moving-127.0.3.8"]["labels"]["version"] == "v2"

    async def test_its_next_certificate_says_so(self, agent, mesh):
        await mesh.say(group("renewed"))
        one = await agent(member("renewed", "127.0.3.9")).connect()
        await mesh.say(group("renewed", "v2"))
        await one.until(lambda: len(one.of(Assigned)) == 2)
        await one._do(Elapsed())
        await one.until(lambda: label(one) == "v2")

    async def test_a_deleted_group_keeps_what_runs_and_lets_nobody_in(self, agent, mesh):
        await mesh.say(group("gone"))
        one = await agent(member("gone", "127.0.3.10")).connect()
        await mesh.drop("gone")
        with pytest.raises(AssertionError, match="there is no WorkloadGroup default/gone"):
            await agent(member("gone", "127.0.3.11")).connect()
        one.cut()
        await one.until_closed()
        await one.connect()
        assert (await mesh.workloads())["default/gone-127.0.3.10"]["labels"]["version"] == "v1"


class TestProbes:
    async def test_a_member_gets_no_requests_until_its_first_probe_has_succeeded(self, agent, mesh):
        await mesh.say(group("probed") + PROBE)
        one = await agent(member("probed", "127.0.3.12")).connect()
        await one.until(lambda: one.of(Assigned))
        assert one.of(Assigned)[0].probe == Probe(HttpProbe(9080, "/ready"), period=1)
        assert not (await mesh.workloads())["default/probed-127.0.3.12"]["healthy"]
        await one.say(Health(True))
        await mesh.until(mesh.workloads, lambda found: found["default/probed-127.0.3.12"]["healthy"])

    async def test_a_probe_that_the_group_gets_later_is_told(self, agent, mesh):
        await mesh.say(group("later"))
        one = await agent(member("later", "127.0.3.13")).connect()
        await mesh.say(group("later") + PROBE)
        await one.until(lambda: len(one.of(Assigned)) == 2)
        assert one.of(Assigned)[1].probe is not None


LIVE = """
apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: {{name: live, namespace: default}}
spec:
  metadata: {{annotations: {{meshconsole.io/services: live}}}}
  template: {{labels: {{app: live}}, ports: {{http: {port}}}}}
  probe: {{periodSeconds: 1, timeoutSeconds: 1, {method}}}
"""
LIVE_NAME = "default/live-127.0.9.1"


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
    await mesh.say(LIVE.format(port=application.port, method=f"httpGet: {{port: {application.port}, path: /ready}}"))
    client = await agent(workload(), learned=(f"live:{application.port}",)).connect()
    cluster = f"outbound|{application.port}||live.default.svc.cluster.local"

    def there() -> bool:
        found = client.cache.of("eds").get(cluster)
        return found is not None and b"127.0.9.1" in found.body

    host()
    await client.until(there)
    application.ready = False
    await client.until(lambda: not there())
    assert not (await mesh.workloads())[LIVE_NAME]["healthy"]
    application.ready = True
    await client.until(there)
    await mesh.say(LIVE.format(port=application.port, method="exec: {command: ['true']}"))
    await client.until(lambda: not there())  # this host does not let the console run programs
    await mesh.say(LIVE.format(port=application.port, method=f"tcpSocket: {{port: {application.port}}}"))
    await client.until(there)
