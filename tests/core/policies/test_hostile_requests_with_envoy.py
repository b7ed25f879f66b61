"""What a stranger may try with a request, before a real Envoy: path tricks, smuggling, forged headers, too much, too slowly."""

import http.server
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from meshconsole.core.compiler import Compiler, Demand
from meshconsole.core.mesh.model import MeshConfig, Protocol, ProxyKind, Workload, WorkloadPort
from meshconsole.core.mesh.snapshot import Snapshot
from meshconsole.core.policies import parse
from meshconsole.core.policies.mesh_config import MeshConfig as MeshConfigPolicy
from tests.core.compiler.test_with_envoy import free_ports
from tests.golden import bootstrap

pytestmark = pytest.mark.envoy

DENY = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-admin, namespace: default}
spec:
  action: DENY
  rules: [{to: [{operation: {paths: ["/admin*"]}}]}]
"""
EDGE = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: edge, namespace: edge}}
spec:
  selector: {{istio: ingressgateway}}
  servers:
    - {{port: {{number: {port}, name: http, protocol: HTTP}}, hosts: ["*"], bind: 127.0.0.1}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: all, namespace: edge}}
spec:
  hosts: ["*"]
  gateways: [edge]
  http: [{{route: [{{destination: {{host: app.example.com}}}}]}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: app, namespace: edge}}
spec:
  hosts: [app.example.com]
  resolution: STATIC
  ports: [{{number: 80, name: http, protocol: HTTP}}]
  endpoints: [{{address: 127.0.0.1, ports: {{http: {app}}}}}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: office, namespace: edge}}
spec:
  action: DENY
  rules: [{{from: [{{source: {{notRemoteIpBlocks: [10.0.0.0/8]}}}}], to: [{{operation: {{paths: [/office]}}}}]}}]
"""


class Application(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        body = json.dumps({"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def app() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Application)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def mesh_config(**spec: Any) -> MeshConfig:
    said = {
        "apiVersion": "meshconsole.io/v1",
        "kind": "MeshConfig",
        "metadata": {"name": "default", "namespace": "istio-system"},
        "spec": spec,
    }
    return MeshConfigPolicy.model_validate(said).onto(MeshConfig())


@contextmanager
def workload(app: int, folder: Path, mesh: MeshConfig) -> Iterator[int]:
    inbound, outbound, admin = free_ports(3)
    port = WorkloadPort(inbound, "http", Protocol.HTTP, "127.0.0.1", app)
    own = Workload("default", "app-v1", labels={"app": "app"}, services=("app",), ports=(port,), outbound_port=outbound)
    resources = Compiler().compile(Snapshot(mesh, parse(DENY)[0], [own], 1), own, Demand())
    static = bootstrap.static([("app", resources)], bootstrap.Authority().issue("default", "default"), admin=admin, apart=False)
    with bootstrap.running(static, folder, "app"):
        yield inbound


@contextmanager
def gateway(app: int, folder: Path, mesh: MeshConfig) -> Iterator[int]:
    port, admin = free_ports(2)
    own = Workload("edge", "gw", ProxyKind.GATEWAY, labels={"istio": "ingressgateway"})
    policies = parse(EDGE.format(port=port, app=app))[0]
    resources = Compiler().compile(Snapshot(mesh, policies, [own], 1), own, Demand())
    static = bootstrap.static([("gw", resources)], bootstrap.Authority().issue("edge", "gw"), admin=admin, apart=False)
    with bootstrap.running(static, folder, "gw"):
        yield port


def send(port: int, request: bytes, seconds: float = 5) -> bytes:
    """The first answer, or what came until the other side closed; Envoy closes a second later."""
    said = b""
    with socket.create_connection(("127.0.0.1", port), seconds) as raw:
        raw.settimeout(seconds)
        raw.sendall(request)
        try:
            while chunk := raw.recv(65536):
                said += chunk
                head, end, body = said.partition(b"\r\n\r\n")
                length = re.search(rb"content-length: (\d+)", head)
                if end and len(body) >= int(length[1] if length else 0):
                    break
        except (TimeoutError, ConnectionError):
            pass
    return said


def status(said: bytes) -> int:
    """0: the connection was closed without an answer."""
    found = re.match(rb"HTTP/1\.1 (\d\d\d)", said)
    return int(found[1]) if found else 0


def get(port: int, path: str, *headers: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: app", "Connection: close", *headers]
    return send(port, ("\r\n".join(lines) + "\r\n\r\n").encode())


@pytest.fixture(scope="module")
def base(app: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Istio's default normalisation."""
    with workload(app, tmp_path_factory.mktemp("base"), mesh_config()) as port:
        yield port


@pytest.fixture(scope="module")
def strictest(app: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with workload(
        app, tmp_path_factory.mktemp("strict"), mesh_config(pathNormalization={"normalization": "DECODE_AND_MERGE_SLASHES"})
    ) as port:
        yield port


@pytest.fixture(scope="module")
def edge(app: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with gateway(app, tmp_path_factory.mktemp("edge"), mesh_config()) as port:
        yield port


@pytest.mark.parametrize(
    "path", ["/admin", "/admin/x", "/a/../admin", "/./admin", "/%2e%2e/admin", "/a/%2E%2E/admin", "/%61dmin", "/admin;x", "/a\\..\\admin"]
)
def test_no_spelling_of_a_denied_path_reaches_it(base: int, path: str):
    assert status(get(base, path)) in (400, 403)


def test_istios_default_leaves_double_and_encoded_slashes_as_they_are(base: int):
    """BASE: so says Istio's documentation, and so does ours; MERGE_SLASHES and DECODE_AND_MERGE_SLASHES are for this."""
    assert status(get(base, "//admin")) == 200
    assert json.loads(get(base, "/x%2Fadmin").partition(b"\r\n\r\n")[2])["path"] == "/x%2Fadmin"


@pytest.mark.parametrize(
    "path", ["//admin", "///admin", "/\\admin", "/x/..//admin", "/%2Fadmin", "/%5cadmin", "/x%2f..%2fadmin", "/a%2F%2e%2e%2Fadmin"]
)
def test_the_strictest_normalisation_sees_through_slashes_too(strictest: int, path: str):
    assert status(get(strictest, path)) in (400, 403)


@pytest.mark.parametrize("request_", [
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 40\r\n\r\nabcdGET /admin HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\nabcd",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n 0\r\n\r\nabcd",
    b"GET / HTTP/1.1\r\nHost: a\r\nX-A: a\x00b\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET /\xff\xfe HTTP/9.9\r\nHost: a\r\n\r\n",
])  # fmt: skip
def test_a_request_that_two_servers_could_read_differently_is_refused(base: int, request_: bytes):
    """Request smuggling: what Envoy takes must be what the application gets."""
    said = send(base, request_, 2)
    assert status(said) in (0, 400, 501, 505), said[:200]
    assert said.count(b"HTTP/1.1 200") == 0


def test_of_two_hosts_the_application_gets_the_one_that_was_judged(base: int):
    said = send(base, b"GET /who HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n")
    assert status(said) in (0, 400) or json.loads(said.partition(b"\r\n\r\n")[2])["headers"]["host"] in ("a", "a,b")


def test_a_callers_claims_about_itself_are_dropped(base: int):
    forged = 'By=spiffe://cluster.local/ns/default/sa/default;URI="spiffe://cluster.local/ns/default/sa/admin"'
    said = get(base, "/who", f"X-Forwarded-Client-Cert: {forged}", "x-envoy-original-path: /admin", "x-envoy-expected-rq-timeout-ms: 1")
    assert "sa/admin" not in json.dumps(json.loads(said.partition(b"\r\n\r\n")[2])["headers"])


def test_more_headers_than_anybody_needs_are_refused(base: int, edge: int):
    for port in (base, edge):
        assert status(get(port, "/", "X-A: " + "a" * 70_000)) in (0, 431)
        assert status(get(port, "/", *(f"X-{n}: a" for n in range(120)))) in (0, 431)
        assert status(get(port, "/")) == 200


def test_a_gateway_believes_its_peer_and_not_what_it_says_of_itself(edge: int):
    assert status(get(edge, "/office", "X-Forwarded-For: 10.0.0.1")) == 403
    headers = json.loads(get(edge, "/", "X-Forwarded-For: 10.0.0.1", "X-Envoy-Internal: true").partition(b"\r\n\r\n")[2])["headers"]
    assert headers["x-forwarded-for"].split(",")[-1] != "10.0.0.1" and headers["x-forwarded-proto"] == "http"


def test_a_trusted_proxy_before_the_gateway_is_believed(app: int, tmp_path: Path):
    with gateway(app, tmp_path, mesh_config(defaultConfig={"gatewayTopology": {"numTrustedProxies": 1}})) as port:
        assert status(get(port, "/office", "X-Forwarded-For: 10.0.0.1")) == 200
        assert status(get(port, "/office", "X-Forwarded-For: 10.0.0.1, 192.0.2.1")) == 403


def test_a_client_that_sends_its_headers_drop_by_drop_is_let_go_and_disturbs_nobody(edge: int):
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", edge), 30) as slow:
        slow.settimeout(0.5)
        slow.sendall(b"GET / HTTP/1.1\r\nHost: app\r\n")
        answered: Callable[[], bool] = lambda: status(get(edge, "/")) == 200  # noqa: E731
        while time.monotonic() - begun < 20:
            assert answered()
            try:
                slow.sendall(b"X-A: b\r\n")
                said = slow.recv(1000)
            except TimeoutError:
                continue
            except ConnectionError:
                break
            assert status(said) in (0, 408)
            break
    assert 8 < time.monotonic() - begun < 15
