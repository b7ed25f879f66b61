"""The authority rotates under load, and whoever is not trusted any more is refused: real console, agents and Envoys, short times."""

import datetime
import threading
import time

import httpx
import pytest
from cryptography import x509

from tests.ca.authorities import authority

from .live import LiveMesh, eventually

STRICT = """
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default}
spec: {mtls: {mode: STRICT}}
"""


@pytest.fixture
def mesh(tmp_path):
    made = LiveMesh(tmp_path, CA_RENEWAL_SPREAD="1").start()
    try:
        yield made
    finally:
        made.stop()


class Load:
    """Requests through the client's Envoy, each to an Envoy that is told to close its connections: every one a new handshake."""

    def __init__(self, client, url: str):
        self.client, self.url = client, url
        self.made, self.failures = 0, []  # type: int, list[str]
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(2)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(15)

    def _run(self) -> None:
        with self.client.client() as http:
            while not self._stop.is_set():
                try:
                    answer = http.get(self.url)
                    if answer.status_code != 200:
                        self.failures.append(f"{answer.status_code} {answer.text[:200]}")
                except httpx.HTTPError as e:
                    self.failures.append(repr(e))
                self.made += 1
                time.sleep(0.01)


ONE_REQUEST_EACH = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: echo}
spec:
  host: echo
  trafficPolicy: {connectionPool: {http: {maxRequestsPerConnection: 1}}}
"""


def states(mesh) -> dict[int, str]:
    return {i["number"]: i["state"] for r in mesh.api.get("/api/v1/ca").json()["roots"] for i in r["intermediates"]}


@pytest.mark.timeout(180)
def test_the_root_rotates_twice_under_load_without_a_failed_request_the_second_time_to_one_of_our_own(mesh, tmp_path):
    now = datetime.datetime.now(datetime.UTC)
    corporate = authority("Corporate Root", now)
    middle = authority("Corporate Mesh CA", now, corporate, path_length=0)
    (tmp_path / "chain.pem").write_text(middle.pem + corporate.pem)
    (tmp_path / "key.pem").write_text(middle.key_pem)
    own = ("import", "--chain", str(tmp_path / "chain.pem"), "--key", str(tmp_path / "key.pem"))
    client = mesh.workload("client", service="client")
    mesh.workload("echo", service="echo")
    mesh.apply(STRICT + "---" + ONE_REQUEST_EACH)
    mesh.warm(client, "http://echo:27080/")
    with Load(client, "http://echo:27080/") as load:
        for number, words in ((2, ("rotate",)), (3, own)):
            begun = mesh.cli("ca", *words, "--wait", "--timeout", "30")
            assert begun.returncode == 0 and f"intermediate {number} is active" in begun.stdout, begun.stdout + begun.stderr
            eventually(lambda number=number: states(mesh)[number - 1] == "removed", 30)
        time.sleep(0.5)
    assert load.failures == []
    assert load.made > 200
    assert states(mesh) == {1: "removed", 2: "removed", 3: "active"}
    roots = x509.load_pem_x509_certificates(mesh.api.get("/api/v1/ca").json()["bundle"].encode())
    assert [r.subject.rfc4514_string() for r in roots] == ["CN=Corporate Root"]
    assert mesh.proxy("client")["state"] == "SYNCED"
    said = " ".join(f"{e['action']} {e['object']}" for e in mesh.api.get("/api/v1/audit").json()["items"])
    for words in ("rotate Intermediate 2", "activate Intermediate 2", "remove Intermediate 1", "remove Intermediate 2"):
        assert words in said


def ask(client, url: str = "http://echo:27080/") -> int:
    return client.get(url).status_code


@pytest.mark.timeout(180)
def test_an_evicted_workload_is_cut_and_refused_by_its_peers_and_loses_its_endpoint_while_others_lose_nothing(mesh):
    client = mesh.workload("client", service="client")
    thief = mesh.workload("thief", service="thief")
    mesh.workload("echo", service="echo")
    mesh.apply(STRICT + "---" + ONE_REQUEST_EACH)
    mesh.warm(client, "http://echo:27080/")
    mesh.warm(thief, "http://echo:27080/")
    mesh.warm(client, "http://thief:27080/")
    with Load(client, "http://echo:27080/") as load:
        begun = time.monotonic()
        said = mesh.cli("agents", "evict", "default/thief", "--reason", "stolen laptop")
        assert said.returncode == 0 and "1 certificates revoked" in said.stdout, said.stdout + said.stderr
        eventually(lambda: not mesh.proxy("thief")["connected"], 5)
        eventually(lambda: "stolen laptop" in (mesh.home / "log" / "agent-thief.log").read_text(), 5)
        # Its Envoy still runs with the certificate that it has: no peer takes it any more.
        eventually(lambda: [ask(thief) for _ in range(8)] == [503] * 8, 10)
        eventually(lambda: ask(client, "http://thief:27080/") == 503, 10)
        assert time.monotonic() - begun < 20
        # Others rotate and renew with CRLs in force as without.
        assert mesh.cli("ca", "rotate", "--intermediate", "--wait", "--timeout", "30").returncode == 0
        eventually(lambda: states(mesh)[1] == "removed", 30)
        assert [ask(thief) for _ in range(4)] == [503] * 4
    assert load.failures == [] and load.made > 100

    assert mesh.cli("agents", "readmit", "default/thief").returncode == 0
    thief.agent.environment["MESHCONSOLE_JOIN_TOKEN"] = mesh.join_token("default", "thief")
    thief.agent.process.terminate()
    thief.agent.process.wait(20)
    mesh.revive()
    mesh.wait_synced("thief")
    eventually(lambda: ask(thief) == 200, 20)


REVOKE = """
from django.utils import timezone
from meshconsole.accounts.author import Author
from meshconsole.ca import revoking
revoking.revoke({serial!r}, Author("another process"), timezone.now())
"""


@pytest.mark.timeout(120)
def test_a_certificate_revoked_by_its_serial_is_refused_also_when_redis_is_dead(mesh):
    client = mesh.workload("client", service="client")
    mesh.workload("echo", service="echo")
    mesh.apply(STRICT + "---" + ONE_REQUEST_EACH)
    mesh.warm(client, "http://echo:27080/")
    mesh.valkey.process.kill()
    (found,) = mesh.api.get("/api/v1/certificates", params={"proxy": "default/client"}).json()["items"]
    # By another process: what the web process does not hear, it finds in the database.
    mesh.manage("shell", "-v", "0", "-c", REVOKE.format(serial=found["serial"]))
    eventually(lambda: [ask(client) for _ in range(8)] == [503] * 8, 15)
    eventually(lambda: "its certificate was revoked" in (mesh.home / "log" / "agent-client.log").read_text(), 10)
    assert not mesh.proxy("client")["connected"]
