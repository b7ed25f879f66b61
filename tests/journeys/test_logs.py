"""The access log of a real mesh: who failed, where, why, and which policy said so."""

import pytest

from .live import LiveMesh, eventually

ECHO = "http://echo:27080"
POLICIES = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-secret, namespace: default}
spec:
  selector: {matchLabels: {version: v1}}
  action: DENY
  rules:
  - to: [{operation: {paths: ["/nothing"]}}]
  - to: [{operation: {paths: ["/secret"]}}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: try, namespace: default, annotations: {istio.io/dry-run: "true"}}
spec:
  selector: {matchLabels: {version: v1}}
  action: DENY
  rules: [{to: [{operation: {paths: ["/dry"]}}]}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: some, namespace: default}
spec:
  selector: {matchLabels: {version: v1}}
  rules: [{to: [{operation: {paths: ["/", "/dry", "/slow"]}}]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: echo, namespace: default}
spec:
  hosts: [echo]
  http:
  - match: [{uri: {prefix: /fail}}]
    fault: {abort: {httpStatus: 555, percentage: {value: 100}}}
    route: [{destination: {host: echo}}]
  - route: [{destination: {host: echo}}]
"""


@pytest.fixture(scope="module")
def mesh(tmp_path_factory):
    mesh = LiveMesh(tmp_path_factory.mktemp("logged"), ACCESS_LOG_SAMPLING="0").start()
    try:
        mesh.client = mesh.workload("client", service="client", account="client")
        mesh.echo = mesh.workload("echo-v1", service="echo", labels={"version": "v1"}, account="echo")
        mesh.warm(mesh.client, f"{ECHO}/")
        assert mesh.cli("apply", "--wait", "-f", "-", stdin=POLICIES).returncode == 0
        eventually(lambda: [mesh.client.get(f"{ECHO}/secret").status_code for _ in range(8)] == [403] * 8)
        yield mesh
    finally:
        mesh.stop()


def told(mesh, **query) -> dict:
    """The newest record that answers."""
    return eventually(lambda: mesh.api.get("/api/v1/logs", params=query).json()["items"], 10)[0]


def test_a_denial_names_the_policy_and_the_rule(mesh):
    record = told(mesh, denied="1", policy="default/no-secret")
    assert record["denied"] == "denied by default/no-secret, rule 1"
    assert record["line"] == "AuthorizationPolicy default/no-secret spec.rules[1]"
    assert (record["workload"], record["peer"], record["code"], record["path"]) == ("echo-v1", "client", 403, "/secret")
    assert record["principal"] == "spiffe://cluster.local/ns/default/sa/client"


def test_what_no_rule_allows_names_the_policies_that_could(mesh):
    assert mesh.client.get(f"{ECHO}/other").status_code == 403
    assert told(mesh, path="/other", reporter="destination")["denied"] == "denied: no ALLOW rule matches (of default/some)"


def test_a_dry_run_is_told_of_though_nothing_failed(mesh):
    assert mesh.client.get(f"{ECHO}/dry").status_code == 200
    record = told(mesh, would="1")
    assert record["wouldBeDeniedBy"] == ["default/try"] and record["code"] == 200 and not record["denied"]


def test_a_fault_names_the_route(mesh):
    assert mesh.client.get(f"{ECHO}/fail").status_code == 555
    record = told(mesh, flag="FI")
    assert record["policies"] == [{"kind": "VirtualService", "namespace": "default", "name": "echo"}]
    assert record["words"] == ["aborted by an injected fault"]


def test_ordinary_requests_never_leave_envoy(mesh):
    assert mesh.client.get(f"{ECHO}/").status_code == 200
    assert mesh.client.get(f"{ECHO}/fail?last").status_code == 555
    told(mesh, path="/fail?last")
    assert mesh.api.get("/api/v1/logs", params={"code": "200"}).json()["items"] == [
        i for i in mesh.api.get("/api/v1/logs", params={"would": "1"}).json()["items"] if i["code"] == 200
    ]


def test_the_command_prints_why(mesh):
    said = mesh.cli("logs", "--denied").stdout
    assert "denied by default/no-secret, rule 1" in said and "GET echo:27080/secret" in said


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [("/secret", 403, "denied by default/no-secret, rule 1"), ("/", 200, "is let in"), ("/fail", 555, "spec.http[0]")],
)
def test_what_is_explained_is_what_happens(mesh, path, code, words):
    assert mesh.client.get(f"{ECHO}{path}").status_code == code
    assert words in mesh.cli("explain-request", "client", f"echo:27080{path}").stdout
