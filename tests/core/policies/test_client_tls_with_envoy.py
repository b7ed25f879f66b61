"""Each mode of a DestinationRule's TLS, with real certificates: to a server outside the mesh that says who called it how, and to a sidecar."""

import http.client
import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from meshconsole.core.compiler import Compiler, Demand
from meshconsole.core.mesh.model import Protocol, WorkloadPort
from meshconsole.core.policies import parse
from tests.certificates import pair
from tests.core.compiler.mesh import snapshot, workload
from tests.core.compiler.test_with_envoy import free_ports
from tests.golden import bootstrap

pytestmark = pytest.mark.envoy

# host -> (which server, `tls`). The server `known` has a certificate of the authority whose roots /roots.pem are; `own` signed its own.
OUTSIDE = {
    "unverified.test": ("own", "{mode: SIMPLE}"),
    "distrusted.test": ("own", "{mode: SIMPLE, caCertificates: /roots.pem}"),
    "skipped.test": ("own", "{mode: SIMPLE, insecureSkipVerify: true}"),
    "known.test": ("known", "{mode: SIMPLE, caCertificates: /roots.pem}"),
    "misnamed.test": ("known", "{mode: SIMPLE, caCertificates: /roots.pem}"),
    "renamed.test": ("known", "{mode: SIMPLE, caCertificates: /roots.pem, sni: other.test, subjectAltNames: [known.test]}"),
    "mutual.test": ("known", "{mode: MUTUAL, clientCertificate: /c.pem, privateKey: /k.pem, caCertificates: /roots.pem, subjectAltNames: [known.test]}"),
    "cleartext.test": ("known", "{mode: DISABLE}"),
}  # fmt: skip
MESH = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: server}
spec:
  host: server
  subsets:
  - {name: auto, labels: {app: server}}
  - {name: plain, labels: {app: server}, trafficPolicy: {tls: {mode: DISABLE}}}
  - {name: mutual, labels: {app: server}, trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: server}
spec:
  hosts: [server]
  http:
  - {match: [{uri: {prefix: /auto}}], route: [{destination: {host: server, subset: auto}}]}
  - {match: [{uri: {prefix: /plain}}], route: [{destination: {host: server, subset: plain}}]}
  - {match: [{uri: {prefix: /mutual}}], route: [{destination: {host: server, subset: mutual}}]}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: server}
spec: {selector: {matchLabels: {app: server}}, mtls: {mode: PERMISSIVE}, portLevelMtls: {${strict}: {mode: STRICT}}}
"""


class Telling(http.server.BaseHTTPRequestHandler):
    """Tells which name was called, which certificate it was shown, and what the proxy before it says of the caller."""

    def do_GET(self) -> None:
        tls = isinstance(self.connection, ssl.SSLSocket)
        shown = self.connection.getpeercert() if tls else None
        told = {
            "sni": getattr(self.connection, "called", None),
            "peer": [name for _, name in (shown or {}).get("subjectAltName", ())],
            "xfcc": self.headers["x-forwarded-client-cert"] or "",
        }
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


class Server(http.server.ThreadingHTTPServer):
    """With TLS where a context is given; a failed handshake is the client's word, and no noise."""

    def __init__(self, context: ssl.SSLContext | None = None):
        super().__init__(("127.0.0.1", 0), Telling)
        if context is not None:
            context.sni_callback = lambda connection, name, _: setattr(connection, "called", name)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=lambda: self.serve_forever(0.05), daemon=True).start()

    def handle_error(self, *_: object) -> None: ...


@dataclass
class Client:
    outbound: int
    ports: dict[str, int]

    def get(self, host: str, path: str = "/") -> tuple[int, dict[str, Any]]:
        asked = http.client.HTTPConnection("127.0.0.1", self.outbound, timeout=5)
        asked.request("GET", path, headers={"Host": host})
        answer = asked.getresponse()
        body = answer.read()
        asked.close()
        return answer.status, json.loads(body) if answer.status == 200 else {}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder: Path = tmp_path_factory.mktemp("client-tls")
    authority = bootstrap.Authority()
    trusted = authority.issue("default", "known", names=("known.test", "mutual.test"))
    own = pair("unverified.test")
    (folder / "known.pem").write_text(trusted.chain + trusted.key)
    (folder / "own.pem").write_text(own.certificate + own.key)
    (folder / "roots.pem").write_text(trusted.roots)
    with ExitStack() as stack:
        servers = {}
        for name in ("known", "own"):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(folder / f"{name}.pem")
            context.load_verify_locations(folder / "roots.pem")
            context.verify_mode = ssl.CERT_OPTIONAL
            servers[name] = Server(context)
        servers["app"] = Server()
        for each in servers.values():
            stack.callback(each.server_close)
            stack.callback(each.shutdown)
        outbound, unused, permissive, strict, admin_a, admin_b = free_ports(6)
        text = MESH.replace("${strict}", str(strict))
        for host, (server, tls) in OUTSIDE.items():
            port = servers[server].server_address[1]
            text += f"""
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {host}}}
spec:
  hosts: [{host}]
  ports: [{{number: 80, name: http, protocol: HTTP}}]
  resolution: STATIC
  endpoints: [{{address: 127.0.0.1, ports: {{http: {port}}}}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: {host}}}
spec: {{host: {host}, trafficPolicy: {{tls: {tls}}}}}
"""
        app = servers["app"].server_address[1]
        calling = workload("client-v1", ports=(), outbound_port=outbound)
        ports = tuple(WorkloadPort(n, "http", Protocol.HTTP, "127.0.0.1", app) for n in (permissive, strict))
        serving = workload("server-v1", ports=ports, outbound_port=unused)
        mesh, compiler = snapshot(parse(text)[0], [calling, serving]), Compiler()
        asked = Demand(frozenset({*OUTSIDE, f"server:{permissive}", f"server:{strict}"}))
        for each, demand, admin in ((calling, asked, admin_a), (serving, Demand(), admin_b)):
            resources = compiler.compile(mesh, each, demand)
            assert not resources.failures
            secrets = authority.issue("default", each.service_account, workload=each.name)
            config = bootstrap.static([(each.name, resources)], secrets, admin=admin, apart=False)
            stack.enter_context(bootstrap.running(config, folder, each.name))
        yield Client(outbound, {"permissive": permissive, "strict": strict})


def test_simple_without_authorities_verifies_nothing_and_names_who_is_called(client: Client):
    assert client.get("unverified.test") == (200, {"sni": "unverified.test", "peer": [], "xfcc": ""})


def test_with_authorities_a_strangers_certificate_is_refused_unless_verifying_is_skipped(client: Client):
    assert client.get("distrusted.test")[0] == 503
    assert client.get("skipped.test")[0] == 200


def test_a_certificate_must_bear_the_name_that_was_called_or_one_that_the_rule_names(client: Client):
    assert client.get("known.test") == (200, {"sni": "known.test", "peer": [], "xfcc": ""})
    assert client.get("misnamed.test")[0] == 503
    status, told = client.get("renamed.test")
    assert status == 200 and told["sni"] == "other.test"


def test_mutual_shows_the_certificate_of_its_files(client: Client):
    status, told = client.get("mutual.test")
    assert status == 200 and told["peer"] == ["spiffe://cluster.local/ns/default/sa/client"]


def test_disable_speaks_no_tls(client: Client):
    assert client.get("cleartext.test")[0] in (502, 503)


def test_mutual_tls_is_spoken_unasked_to_who_can_and_any_tls_of_a_rule_ends_that(client: Client):
    at = client.ports["permissive"]
    for path, mutual in (("/auto", True), ("/mutual", True), ("/plain", False)):
        status, told = client.get(f"server:{at}", path)
        assert status == 200 and ("sa/client" in told["xfcc"]) is mutual, path


def test_a_strict_port_takes_no_cleartext(client: Client):
    at = client.ports["strict"]
    assert [client.get(f"server:{at}", path)[0] for path in ("/auto", "/mutual", "/plain")] == [200, 200, 503]
