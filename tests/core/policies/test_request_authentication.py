"""Tokens and rules before a real application, in a real Envoy: who is let in, and who gets 401 or 403."""

import base64
import http.server
import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from meshconsole.core.compiler import Compiler, Demand
from meshconsole.core.mesh.model import MeshConfig, Protocol, Workload, WorkloadPort
from meshconsole.core.mesh.snapshot import Snapshot
from meshconsole.core.policies import parse
from meshconsole.core.policies.request_authentication import RequestAuthentication, config
from tests.golden import bootstrap

ISSUER = "https://issuer.example.com"
KEY = ec.generate_private_key(ec.SECP256R1())
STRANGER = ec.generate_private_key(ec.SECP256R1())


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def jwks(key: ec.EllipticCurvePrivateKey = KEY) -> str:
    numbers = key.public_key().public_numbers()
    x, y = (encoded(n.to_bytes(32, "big")) for n in (numbers.x, numbers.y))
    return json.dumps({"keys": [{"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "a", "x": x, "y": y}]})


def token(key: ec.EllipticCurvePrivateKey = KEY, header: dict[str, str] | None = None, **claims: Any) -> str:
    head = encoded(json.dumps(header or {"alg": "ES256", "typ": "JWT", "kid": "a"}).encode())
    body = encoded(json.dumps({"iss": ISSUER, "sub": "jason", "aud": "bookinfo", "exp": int(time.time()) + 600, **claims}).encode())
    r, s = decode_dss_signature(key.sign(f"{head}.{body}".encode(), ec.ECDSA(hashes.SHA256())))
    return f"{head}.{body}.{encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


POLICIES = f"""
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {{name: tokens, namespace: default}}
spec:
  jwtRules:
    - issuer: {ISSUER}
      audiences: [bookinfo]
      jwks: '{jwks()}'
      outputClaimToHeaders: [{{header: x-user, claim: sub}}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: no-keys, namespace: default}}
spec:
  action: DENY
  rules:
    - to: [{{operation: {{paths: ["/tenants/{{*}}/keys/{{**}}", "/admin*"]}}}}]
      when: [{{key: "request.headers[x-break-glass]", notValues: ["yes"]}}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: readers, namespace: default}}
spec:
  rules:
    - to: [{{operation: {{paths: ["/public/*"], methods: [GET]}}}}]
    - from: [{{source: {{requestPrincipals: ["{ISSUER}/*"]}}}}]
      when:
        - {{key: "request.auth.claims[groups]", values: [readers], notValues: [banned]}}
    - from: [{{source: {{requestPrincipals: ["*"]}}}}]
      to: [{{operation: {{paths: [/scoped]}}}}]
      when: [{{key: "request.auth.claims[scope]", values: [write]}}]
    - to: [{{operation: {{paths: ["/tenants/*", "/admin*"]}}}}]
"""


class Application(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps(dict(self.headers.items())).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


Call = Callable[..., tuple[int, dict[str, str]]]


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Call]:
    app = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Application)
    threading.Thread(target=app.serve_forever, daemon=True).start()
    with socket.socket() as a, socket.socket() as b, socket.socket() as c:
        ports = [s.bind(("127.0.0.1", 0)) or s.getsockname()[1] for s in (a, b, c)]  # type: ignore[func-returns-value]
    inbound, outbound, admin = ports
    port = WorkloadPort(inbound, "http", Protocol.HTTP, "127.0.0.1", app.server_address[1])
    workload = Workload("default", "app-v1", labels={"app": "app"}, services=("app",), ports=(port,), outbound_port=outbound)
    policies, _ = parse(POLICIES)
    resources = Compiler().compile(Snapshot(MeshConfig(), policies, [workload], 1), workload, Demand())
    secrets = bootstrap.Authority().issue("default", "default")
    static = bootstrap.static([("app", resources)], secrets, admin=admin, apart=False)

    def get(path: str, bearer: str = "", method: str = "GET", **headers: str) -> tuple[int, dict[str, str]]:
        if bearer:
            headers["authorization"] = f"Bearer {bearer}"
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(f"http://127.0.0.1:{inbound}{path}", headers=names, method=method)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status, {key.lower(): value for key, value in json.loads(answer.read()).items()}
        except urllib.error.HTTPError as error:
            return error.code, {}

    folder: Path = tmp_path_factory.mktemp("tokens")
    with bootstrap.running(static, folder, "app"):
        yield get
    app.shutdown()
    app.server_close()


pytestmark = pytest.mark.envoy


def test_without_a_token_one_may_do_what_asks_for_none(call: Call):
    assert call("/public/a")[0] == 200
    assert call("/public/a", method="POST")[0] == 403
    assert call("/private")[0] == 403


def test_a_valid_token_with_the_right_claim_is_let_in(call: Call):
    status, seen = call("/private", token(groups=["readers", "others"]))
    assert status == 200
    assert seen["x-user"] == "jason"
    assert "authorization" not in seen


def test_a_valid_token_without_the_claim_is_known_but_not_let_in(call: Call):
    assert call("/private", token(groups=["others"]))[0] == 403
    assert call("/private", token(groups=["readers", "banned"]))[0] == 403


def test_scope_is_a_list_parted_by_spaces(call: Call):
    assert call("/scoped", token(scope="read write"))[0] == 200
    assert call("/scoped", token(scope="rewrite"))[0] == 403


@pytest.mark.parametrize(
    "bad",
    [
        token(STRANGER, groups=["readers"]),
        token(groups=["readers"], exp=int(time.time()) - 600),
        token(groups=["readers"], nbf=int(time.time()) + 600),
        token(groups=["readers"], iss="https://evil.example.com"),
        token(header={"alg": "none", "typ": "JWT"}, groups=["readers"]),
        token(header={"alg": "HS256", "typ": "JWT", "kid": "a"}, groups=["readers"]),
        "not.a.token",
    ],
    ids=["stranger's key", "expired", "not yet valid", "issuer", "alg none", "key confusion", "garbage"],
)
def test_a_token_that_nobody_vouches_for_is_refused_even_where_none_is_needed(call: Call, bad: str):
    assert call("/public/a", bad)[0] == 401


def test_a_token_for_another_audience_is_forbidden_as_envoy_answers_it(call: Call):
    assert call("/public/a", token(groups=["readers"], aud="another"))[0] == 403


def test_a_claim_header_cannot_be_forged(call: Call):
    assert "x-user" not in call("/public/a", x_user="admin")[1]


def test_a_template_denies_what_it_describes(call: Call):
    assert call("/tenants/a/keys/b/c")[0] == 403
    assert call("/tenants/a/locks/b")[0] == 200
    assert call("/tenants/a/keys/b/c", x_break_glass="yes")[0] == 200


@pytest.mark.parametrize("path", ["/public/../admin", "/public/%2e%2e/admin", "/./admin", "/%61dmin"])
def test_tricks_with_dots_do_not_reach_a_denied_path(call: Call, path: str):
    assert call(path)[0] in (400, 403)


def rule(**fields: Any) -> dict[str, Any]:
    return {"issuer": ISSUER, "jwks": jwks(), **fields}


def policy(*rules: dict[str, Any]) -> RequestAuthentication:
    data = {
        "apiVersion": "security.istio.io/v1",
        "kind": "RequestAuthentication",
        "metadata": {"name": "a"},
        "spec": {"jwtRules": list(rules)},
    }
    return RequestAuthentication.model_validate(data)


def test_the_default_places_are_envoys():
    (provider,) = config(policy(rule()).spec.jwt_rules)["providers"].values()
    assert not {"from_headers", "from_params", "from_cookies"} & set(provider)


def test_a_private_key_is_refused():
    assert ["is a private key" in m.text for m in policy(rule(jwks='{"keys": [{"kty": "EC", "d": "x"}]}')).check()] == [True]
