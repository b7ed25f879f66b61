"""A Gateway in a real Envoy, before services that ServiceEntries declare: who gets in by TLS, who is redirected, where requests land."""

import http.client
import http.server
import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from meshconsole.core.compiler import Compiler, Demand
from meshconsole.core.mesh.model import MeshConfig, ProxyKind, Workload
from meshconsole.core.mesh.snapshot import Snapshot
from meshconsole.core.policies import parse
from tests.golden import bootstrap

pytestmark = pytest.mark.envoy

POLICIES = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: edge, namespace: shop}}
spec:
  selector: {{istio: ingressgateway}}
  servers:
    - port: {{number: {plain}, name: http, protocol: HTTP}}
      hosts: ["*.example.com"]
      bind: 127.0.0.1
      tls: {{httpsRedirect: true}}
    - port: {{number: {secure}, name: simple, protocol: HTTPS}}
      hosts: [shop.example.com]
      bind: 127.0.0.1
      tls: {{mode: SIMPLE, serverCertificate: /cert.pem, privateKey: /key.pem, minProtocolVersion: TLSV1_3}}
    - port: {{number: {secure}, name: mutual, protocol: HTTPS}}
      hosts: [partners.example.com]
      bind: 127.0.0.1
      tls: {{mode: MUTUAL, serverCertificate: /cert.pem, privateKey: /key.pem, caCertificates: /ca.pem}}
    - port: {{number: {secure}, name: optional, protocol: HTTPS}}
      hosts: [optional.example.com]
      bind: 127.0.0.1
      tls: {{mode: OPTIONAL_MUTUAL, serverCertificate: /cert.pem, privateKey: /key.pem, caCertificates: /ca.pem}}
    - port: {{number: {secure}, name: named, protocol: HTTPS}}
      hosts: [named.example.com]
      bind: 127.0.0.1
      tls:
        mode: MUTUAL
        serverCertificate: /cert.pem
        privateKey: /key.pem
        caCertificates: /ca.pem
        subjectAltNames: ["spiffe://cluster.local/ns/default/sa/partner"]
    - port: {{number: {secure}, name: mesh, protocol: HTTPS}}
      hosts: [mesh.example.com]
      bind: 127.0.0.1
      tls: {{mode: ISTIO_MUTUAL}}
    - port: {{number: {secure}, name: ciphers, protocol: HTTPS}}
      hosts: [ciphers.example.com]
      bind: 127.0.0.1
      tls:
        mode: SIMPLE
        serverCertificate: /cert.pem
        privateKey: /key.pem
        maxProtocolVersion: TLSV1_2
        cipherSuites: [ECDHE-ECDSA-AES256-GCM-SHA384]
    - port: {{number: {secure}, name: unrouted, protocol: HTTPS}}
      hosts: [unrouted.example.com]
      bind: 127.0.0.1
      tls: {{mode: SIMPLE, serverCertificate: /cert.pem, privateKey: /key.pem}}
    - port: {{number: 0, name: local, protocol: HTTP}}
      hosts: ["*"]
      bind: unix://{folder}/edge.sock
    - port: {{number: 0, name: nameless, protocol: HTTP}}
      hosts: ["*"]
      bind: unix://@{folder}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: shop, namespace: shop}}
spec:
  hosts: [shop.example.com, partners.example.com, optional.example.com, named.example.com, mesh.example.com, ciphers.example.com]
  gateways: [edge]
  http:
    - match: [{{uri: {{prefix: /dns}}}}]
      route: [{{destination: {{host: localhost.svc.example.com}}}}]
    - route: [{{destination: {{host: static.example.com, port: {{number: 80}}}}}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: static, namespace: shop}}
spec:
  hosts: [static.example.com]
  resolution: STATIC
  ports: [{{number: 80, name: http, protocol: HTTP}}, {{number: 81, name: other, protocol: HTTP}}]
  workloadSelector: {{labels: {{app: static}}}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {{name: static, namespace: shop}}
spec: {{address: 127.0.0.1, ports: {{http: {app}, other: 1}}, labels: {{app: static}}}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: dns, namespace: shop}}
spec:
  hosts: [localhost.svc.example.com]
  resolution: DNS
  ports: [{{number: 80, name: http, protocol: HTTP}}]
  endpoints: [{{address: localhost, ports: {{http: {app}}}}}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: no-admin, namespace: edge}}
spec:
  action: DENY
  rules: [{{to: [{{operation: {{hosts: ["SHOP.example.com*"], paths: ["/admin*"]}}}}]}}]
"""


class Application(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = f"{self.headers['host']} {self.path}".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@dataclass
class Edge:
    plain: int
    secure: int
    authority: bootstrap.Authority
    folder: Path

    def get(
        self,
        host: str,
        path: str = "/",
        *,
        client: str = "",
        newest: ssl.TLSVersion | None = None,
        issuer: bootstrap.Authority | None = None,
        ciphers: str = "",
    ) -> tuple[int, str]:
        secrets = (issuer or self.authority).issue("default", client or "nobody")
        context = ssl.create_default_context(cadata=self.authority.issue("default", "nobody").roots)
        context.check_hostname = False  # the test's certificates bear SPIFFE ids
        if newest:
            context.maximum_version = newest
        if ciphers:
            context.set_ciphers(ciphers)
        if client:
            pem = self.folder / f"{client}.pem"
            pem.write_text(secrets.chain + secrets.key)
            context.load_cert_chain(pem)
        with socket.create_connection(("127.0.0.1", self.secure), 5) as raw, context.wrap_socket(raw, server_hostname=host) as tls:
            tls.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            answer = http.client.HTTPResponse(tls)
            answer.begin()
            return answer.status, answer.read().decode()


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    folder = tmp_path_factory.mktemp("edge")
    app = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Application)
    threading.Thread(target=app.serve_forever, daemon=True).start()
    with socket.socket() as a, socket.socket() as b, socket.socket() as c:
        for each in (a, b, c):
            each.bind(("127.0.0.1", 0))
        plain, secure, admin = (each.getsockname()[1] for each in (a, b, c))
    policies, _ = parse(POLICIES.format(plain=plain, secure=secure, app=app.server_address[1], folder=folder))
    gateway = Workload("edge", "gw", ProxyKind.GATEWAY, labels={"istio": "ingressgateway"})
    resources = Compiler().compile(Snapshot(MeshConfig(), policies, [gateway], 1), gateway, Demand())
    authority = bootstrap.Authority()
    static = bootstrap.static([("gw", resources)], authority.issue("edge", "gw"), admin=admin, apart=False)
    with bootstrap.running(static, folder, "gw"):
        yield Edge(plain, secure, authority, folder)
    app.shutdown()
    app.server_close()


def test_simple_tls_needs_no_client_certificate_and_reaches_a_selected_workload_entry(edge: Edge):
    assert edge.get("shop.example.com", "/a") == (200, "shop.example.com /a")


def test_a_host_behind_dns_is_resolved_by_envoy(edge: Edge):
    assert edge.get("shop.example.com", "/dns") == (200, "shop.example.com /dns")


def test_a_client_with_an_older_tls_version_is_refused(edge: Edge):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        edge.get("shop.example.com", newest=ssl.TLSVersion.TLSv1_2)


def test_what_is_older_than_tls_1_2_is_refused_unasked(edge: Edge):
    """The server's own word, an alert: the client itself would speak TLS 1.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"),
        socket.create_connection(("127.0.0.1", edge.secure), 5) as raw,
        context.wrap_socket(raw, server_hostname="partners.example.com"),
    ):
        pass


def test_mutual_tls_refuses_who_has_no_certificate(edge: Edge):
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.HTTPException)):
        edge.get("partners.example.com")
    assert edge.get("partners.example.com", "/a", client="partner")[0] == 200


def test_a_name_that_no_server_has_gets_no_connection(edge: Edge):
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.HTTPException)):
        edge.get("stranger.example.com")


_REFUSED = (ssl.SSLError, ConnectionError, http.client.HTTPException)


def test_optional_mutual_takes_who_shows_nothing_and_refuses_a_strangers_certificate(edge: Edge):
    assert edge.get("optional.example.com")[0] == 200
    assert edge.get("optional.example.com", client="partner")[0] == 200
    with pytest.raises(_REFUSED):
        edge.get("optional.example.com", client="stranger", issuer=bootstrap.Authority())


def test_mutual_tls_with_names_lets_only_those_in(edge: Edge):
    assert edge.get("named.example.com", client="partner")[0] == 200
    with pytest.raises(_REFUSED):
        edge.get("named.example.com", client="somebody")


def test_istio_mutual_takes_workloads_of_the_mesh_only(edge: Edge):
    assert edge.get("mesh.example.com", client="productpage")[0] == 200
    with pytest.raises(_REFUSED):
        edge.get("mesh.example.com")
    with pytest.raises(_REFUSED):
        edge.get("mesh.example.com", client="stranger", issuer=bootstrap.Authority("elsewhere.test"))


def test_only_the_ciphers_that_are_named_are_spoken(edge: Edge):
    assert edge.get("ciphers.example.com", ciphers="ECDHE-ECDSA-AES256-GCM-SHA384")[0] == 200
    with pytest.raises(_REFUSED):
        edge.get("ciphers.example.com", ciphers="ECDHE-ECDSA-AES128-GCM-SHA256")


def test_a_server_without_a_virtual_service_answers_404(edge: Edge):
    assert edge.get("unrouted.example.com")[0] == 404


def test_plain_requests_are_sent_to_https(edge: Edge):
    connection = http.client.HTTPConnection("127.0.0.1", edge.plain, timeout=5)
    connection.request("GET", "/a", headers={"Host": "shop.example.com"})
    answer = connection.getresponse()
    assert (answer.status, answer.headers["location"]) == (301, "https://shop.example.com/a")
    connection.close()


def test_a_gateway_denies_too_and_hosts_have_no_case(edge: Edge):
    assert edge.get("shop.example.com", "/admin/x")[0] == 403
    assert edge.get("partners.example.com", "/admin/x", client="partner")[0] == 200


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_a_server_listens_to_a_unix_socket(edge: Edge, abstract: bool):
    with socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(5)
        raw.connect(f"\0{edge.folder}" if abstract else f"{edge.folder}/edge.sock")
        raw.sendall(b"GET / HTTP/1.1\r\nHost: shop.example.com\r\nConnection: close\r\n\r\n")
        answer = http.client.HTTPResponse(raw)
        answer.begin()
        assert answer.status == 200
