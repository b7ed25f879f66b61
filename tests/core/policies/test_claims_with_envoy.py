"""A gateway's routes are chosen by the claims of a token that a real Envoy has verified."""

import base64
import http.client
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from meshconsole.core.compiler import Compiler
from meshconsole.core.mesh.model import MeshConfig, ProxyKind, Workload
from meshconsole.core.mesh.snapshot import Snapshot
from meshconsole.core.policies import parse
from tests.core.compiler.test_with_envoy import free_ports
from tests.golden import bootstrap

pytestmark = pytest.mark.envoy

POLICIES = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: edge}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: ${port}, name: http, protocol: HTTP}, bind: 127.0.0.1, hosts: ["*"]}]
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: edge, namespace: edge}
spec: {jwtRules: [{issuer: me, jwks: '${jwks}'}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: edge}
spec:
  hosts: [shop.test]
  gateways: [edge]
  http:
  - match: [{headers: {"@request.auth.claims.groups": {exact: admin}}}]
    directResponse: {status: 201}
  - match: [{headers: {"@request.auth.claims[org][name]": {prefix: team}}}]
    directResponse: {status: 202}
  - match: [{headers: {"@request.auth.claims.sub": {}}}]
    directResponse: {status: 203}
  - directResponse: {status: 204}
---
# Another gateway, where somebody must have signed in.
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: strict, namespace: strict}
spec:
  selector: {istio: strict}
  servers: [{port: {number: ${strict}, name: http, protocol: HTTP}, bind: 127.0.0.1, hosts: ["*"]}]
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: strict, namespace: strict}
spec:
  targetRefs: [{kind: Service, name: door}]
  jwtRules:
  - {issuer: me, presence: REQUIRED, jwks: '${jwks}'}
  - {issuer: other, fromHeaders: [{name: x-token}], jwks: '${jwks}'}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: strict, namespace: strict}
spec: {hosts: [shop.test], gateways: [strict], http: [{directResponse: {status: 204}}]}
"""


class Issuer:
    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())

    def jwks(self) -> str:
        numbers = self.key.public_key().public_numbers()
        x, y = (_base64(n.to_bytes(32, "big")) for n in (numbers.x, numbers.y))
        return json.dumps({"keys": [{"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "a", "x": x, "y": y}]})

    def token(self, **claims: Any) -> str:
        head = {"alg": "ES256", "kid": "a", "typ": "JWT"}
        signed = ".".join(_base64(json.dumps(part).encode()) for part in (head, {"iss": "me", "exp": int(time.time()) + 600, **claims}))
        r, s = utils.decode_dss_signature(self.key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_base64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture(scope="module")
def ports(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    port, strict, admin = free_ports(3)
    text = POLICIES.replace("${port}", str(port)).replace("${strict}", str(strict)).replace("${jwks}", issuer.jwks())
    gateways = [
        Workload("edge", "gateway", ProxyKind.GATEWAY, labels={"istio": "ingressgateway"}),
        Workload("strict", "strict", ProxyKind.GATEWAY, labels={"istio": "strict"}, services=("door",)),
    ]
    mesh = Snapshot(MeshConfig(), parse(text)[0], gateways, 1)
    sets = [(each.name, Compiler().compile(mesh, each)) for each in gateways]
    config = bootstrap.static(sets, bootstrap.Authority().issue("edge", "a"), admin=admin, apart=False)
    with bootstrap.running(config, tmp_path_factory.mktemp("claims"), "gateway"):
        yield port, strict


@pytest.fixture(scope="module")
def port(ports: tuple[int, int]) -> int:
    return ports[0]


def answered(port: int, token: str = "", **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/", headers={"Host": "shop.test", **headers} | ({"Authorization": f"Bearer {token}"} if token else {}))
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"groups": "admin"}, 201),
        ({"groups": ["guest", "admin"]}, 201),
        ({"groups": ["guest"], "org": {"name": "team-a"}}, 202),
        ({"sub": "jason"}, 203),
        ({"groups": "administrators"}, 204),
    ],
)
def test_the_claims_of_a_verified_token_choose_the_route(port: int, issuer: Issuer, claims: dict[str, Any], status: int):
    assert answered(port, issuer.token(**claims)) == status


def test_without_a_token_no_claim_matches(port: int):
    assert answered(port) == 204


def test_a_forged_token_chooses_nothing(port: int):
    assert answered(port, Issuer().token(groups="admin")) == 401


def test_where_a_token_must_be_there_nobody_passes_without_one(ports: tuple[int, int], issuer: Issuer):
    """presence: REQUIRED, of a policy that is attached to the gateway's service by name. A token of another issuer does not stand in for it."""
    _, strict = ports
    assert answered(strict, issuer.token(sub="a")) == 204
    assert answered(strict) == 401
    assert answered(strict, Issuer().token(sub="a")) == 401
    other = issuer.token(iss="other")
    assert answered(strict, **{"x-token": other}) == 401
    assert answered(strict, issuer.token(sub="a"), **{"x-token": other}) == 204
