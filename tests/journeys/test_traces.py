"""A request's way through the mesh is one trace, which is there while one still remembers the request."""

import secrets
import time

import pytest

from .live import LiveMesh, eventually


@pytest.fixture(scope="module")
def traced(tmp_path_factory):
    """`client` calls `echo`; every request is sampled."""
    mesh = LiveMesh(tmp_path_factory.mktemp("traced"), TRACING_SAMPLING="100").start()
    try:
        mesh.client = mesh.workload("client", service="client")
        mesh.echo = mesh.workload("echo-v1", service="echo", labels={"version": "v1"}, account="echo")
        mesh.warm(mesh.client, "http://echo:27080/")
        yield mesh
    finally:
        mesh.stop()


def call(mesh: LiveMesh, path: str, trace: str = "") -> str:
    """One request with a trace id of our own; that id."""
    trace = trace or secrets.token_hex(16)
    parent = secrets.token_hex(8)
    mesh.client.get(f"http://echo:27080{path}", headers={"traceparent": f"00-{trace}-{parent}-01"})
    return trace


def complete(mesh: LiveMesh, trace: str, spans: int = 2, seconds: float = 10) -> dict:
    def there():
        answer = mesh.api.get(f"/api/v1/traces/{trace}")
        return answer.is_success and len(answer.json()["spans"]) >= spans and answer.json()

    return eventually(there, seconds, every=0.02)


def test_a_request_is_one_trace_with_a_span_of_each_hop_within_two_seconds(traced):
    complete(traced, call(traced, "/first"))
    took = []
    for n in range(5):
        begun = time.monotonic()
        found = complete(traced, call(traced, f"/hop/{n}?secret=1"))
        took.append(time.monotonic() - begun)
    assert sorted(took)[-1] < 2.0, took
    client, server = found["spans"]
    assert [s["service"] for s in (client, server)] == ["client", "echo"]
    assert server["parent"] == client["id"]
    assert client["kind"] == "client" and server["kind"] == "server"
    assert server["workload"] == "echo-v1" and server["version"] == "v1"
    assert client["attributes"]["meshconsole.service"] == "echo.default.svc.cluster.local;echo;default"
    assert server["attributes"]["meshconsole.principal"] == "spiffe://cluster.local/ns/default/sa/client"
    assert client["name"] == "GET /hop/4"
    assert client["criticalMs"] + server["criticalMs"] == pytest.approx(found["durationMs"], abs=0.01)


def test_a_request_without_a_trace_gets_one_that_the_application_sees(traced):
    headers = traced.client.get("http://echo:27080/new").json()["headers"]
    trace = headers["traceparent"].split("-")[1]
    assert len(complete(traced, trace)["spans"]) == 2


def test_a_fault_is_seen_in_its_trace_with_the_policy_that_made_it(traced):
    traced.apply("""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: echo, namespace: default}
spec:
  hosts: [echo]
  http:
    - fault: {abort: {httpStatus: 503, percentage: {value: 100}}}
      route: [{destination: {host: echo}}]
""")
    eventually(lambda: traced.client.get("http://echo:27080/").status_code == 503)
    trace = call(traced, "/faulty")
    found = complete(traced, trace, 1)
    [span] = found["spans"]
    assert span["error"] and span["code"] == "503" and span["flags"] == "FI"
    assert span["policies"] == [{"kind": "VirtualService", "namespace": "default", "name": "echo"}]
    ids = [t["id"] for t in traced.api.get("/api/v1/traces", params={"errors": "1", "service": "client"}).json()["items"]]
    assert trace in ids
    tagged = traced.api.get("/api/v1/traces", params={"tag": "response_flags=FI"}).json()["items"]
    assert trace in [t["id"] for t in tagged]
    traced.clear()


def test_the_page_shows_the_trace(traced):
    trace = call(traced, "/shown")
    eventually(lambda: traced.api.get(f"/api/v1/traces/{trace}").is_success)
    assert traced.api.get("/api/v1/traces/" + "0" * 32).status_code == 404


def test_spans_wait_at_the_agent_while_the_console_is_away(traced):
    traced.warm(traced.client, "http://echo:27080/")
    traced.web.process.kill()
    traced.web.process.wait()
    time.sleep(0.5)
    trace = call(traced, "/away")
    time.sleep(1.5)
    traced.revive()
    assert len(complete(traced, trace, seconds=40)["spans"]) == 2
