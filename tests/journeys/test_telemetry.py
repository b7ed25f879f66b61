"""What a Telemetry says, real Envoys do: which requests are told of, which become traces, under which labels they are counted."""

import secrets

import httpx
import pytest

from .live import LiveMesh, eventually

ECHO = "http://echo:27080"
TELEMETRY = """
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: all, namespace: default}
spec:
  tracing:
  - providers: [{name: meshconsole}]
    randomSamplingPercentage: 100
    customTags: {team: {literal: {value: books}}, user: {header: {name: x-user, defaultValue: nobody}}}
  accessLogging:
  - {providers: [{name: meshconsole}], filter: {expression: "'x-debug' in request.headers"}}
  - {providers: [{name: envoy}], match: {mode: SERVER}}
  metrics:
  - overrides:
    - match: {metric: REQUEST_COUNT, mode: SERVER}
      tagOverrides: {request_method: {value: request.method}, source_principal: {operation: REMOVE}}
"""


@pytest.fixture(scope="module")
def mesh(tmp_path_factory):
    mesh = LiveMesh(tmp_path_factory.mktemp("telemetry"), ACCESS_LOG_SAMPLING="0").start()
    try:
        mesh.client = mesh.workload("client", service="client", account="client")
        mesh.echo = mesh.workload("echo-v1", service="echo", labels={"version": "v1"}, account="echo", options=("--metrics-port", "15020"))
        mesh.warm(mesh.client, f"{ECHO}/")
        done = mesh.cli("apply", "--wait", "-f", "-", stdin=TELEMETRY)
        assert done.returncode == 0, done.stdout + done.stderr
        yield mesh
    finally:
        mesh.stop()


def test_an_expression_selects_what_is_told_and_tags_are_on_the_spans(mesh):
    def told():
        mesh.client.get(f"{ECHO}/told", headers={"x-debug": "1", "x-user": "ann"})
        mesh.client.get(f"{ECHO}/silent?{secrets.token_hex(2)}")
        found = mesh.api.get("/api/v1/logs", params={"path": "/told", "reporter": "destination"}).json()["items"]
        return [item for item in found if item["trace"]]  # connections from before have the listener from before

    trace = eventually(told, 20, every=0.5)[0]["trace"]
    assert not mesh.api.get("/api/v1/logs", params={"path": "/silent"}).json()["items"]

    def spans():
        answer = mesh.api.get(f"/api/v1/traces/{trace}")
        return answer.is_success and len(answer.json()["spans"]) == 2 and answer.json()["spans"]

    for span in eventually(spans, 10):
        assert span["attributes"]["team"] == "books" and span["attributes"]["user"] == "ann"


def test_labels_are_added_and_taken_away(mesh):
    def labelled():
        with mesh.client.client() as client:
            client.post(f"{ECHO}/counted")
        page = httpx.get(f"http://{mesh.echo.address}:15020/metrics", trust_env=False).text
        lines = [line for line in page.splitlines() if line.startswith("istio_requests_total") and 'request_method="POST"' in line]
        return lines and lines[0]

    line = eventually(labelled, 20, every=0.5)
    assert "source_principal" not in line and 'source_workload="client"' in line and 'reporter="destination"' in line


def test_envoy_writes_lines_where_it_is_asked_to(mesh):
    def written():
        mesh.client.get(f"{ECHO}/line")
        text = (mesh.home / "agents" / "echo-v1" / "envoy.log").read_text(errors="replace")
        return '"GET /line HTTP/1.1" 200' in text

    eventually(written, 20, every=0.5)
