"""Who is who, who may call whom, and what goes over the wire."""

import time

import httpx
import pytest

from .live import eventually
from .load import Load

URL = "http://echo:27080/"


def strict(mode: str) -> str:
    return f"""
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {{name: default}}
spec: {{mtls: {{mode: {mode}}}}}
"""


def plaintext(instance) -> int | str:
    """What a caller without a proxy gets at the workload's own address."""
    try:
        return httpx.get(f"http://{instance.address}:{instance.port}/", timeout=5, trust_env=False).status_code
    except httpx.HTTPError as e:
        return type(e).__name__


def test_permissive_takes_both_strict_refuses_plaintext_and_accepts_the_mesh(mesh):
    assert plaintext(mesh.v1) == 200
    mesh.apply(strict("STRICT"))
    assert isinstance(plaintext(mesh.v1), str)
    assert mesh.client.get(URL).status_code == 200
    mesh.apply(strict("PERMISSIVE"))
    assert plaintext(mesh.v1) == 200


def test_the_server_sees_the_callers_spiffe_id(mesh):
    seen = mesh.client.get(URL).json()["headers"]["x-forwarded-client-cert"]
    assert "URI=spiffe://cluster.local/ns/default/sa/client" in seen
    assert "By=spiffe://cluster.local/ns/default/sa/echo" in seen


def test_a_deny_by_principal_refuses_that_principal_only(mesh):
    mesh.apply("""
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-client}
spec:
  selector: {matchLabels: {app: echo}}
  action: DENY
  rules:
  - from: [{source: {principals: [cluster.local/ns/default/sa/client]}}]
    to: [{operation: {paths: ["/secret*"]}}]
""")
    mesh.warm(mesh.client, URL + "secret", 403)
    assert mesh.client.get(URL + "public").status_code == 200
    with mesh.v2.client() as another:
        assert another.get(URL + "secret").status_code == 200


def test_an_allow_policy_refuses_everybody_else(mesh):
    mesh.apply("""
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: only-echo}
spec:
  selector: {matchLabels: {app: echo}}
  rules:
  - from: [{source: {principals: [cluster.local/ns/default/sa/echo]}}]
    to: [{operation: {methods: [GET]}}]
""")
    # A connection that stood before the policy may serve one more request; then it is let go.
    mesh.warm(mesh.client, URL, 403)
    with mesh.v2.client() as another:
        eventually(lambda: [another.post(URL).status_code for _ in range(24)] == [403] * 24, 15)
        eventually(lambda: another.get(URL).status_code == 200, 15)


def test_a_client_may_not_forge_its_identity_header(mesh):
    forged = mesh.client.get(URL, headers={"x-forwarded-client-cert": "URI=spiffe://cluster.local/ns/default/sa/admin"})
    assert "sa/admin" not in forged.json()["headers"]["x-forwarded-client-cert"]


@pytest.mark.timeout(240)
def test_certificates_with_a_life_of_seconds_rotate_under_load_without_a_failed_request(tmp_path):
    from .live import LiveMesh

    mesh = LiveMesh(tmp_path, CERTIFICATE_LIFE="8").start()
    try:
        client, echo = mesh.workload("client", service="client"), mesh.workload("echo", service="echo")
        mesh.apply(strict("STRICT"))
        mesh.warm(client, URL)

        def serials() -> set[str]:
            return {c["serial"] for c in mesh.api.get("/api/v1/certificates").json()["items"] if c["proxy"] == echo.id}

        before = serials()
        with client.client() as session, Load(session, URL) as load:
            time.sleep(20)
        assert load.failures == [] and load.sent > 500
        assert len(serials() - before) >= 2
        # A new connection, too, is made with a certificate of this minute.
        eventually(lambda: client.get(URL).status_code == 200, 5)
    finally:
        mesh.stop()
