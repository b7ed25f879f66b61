"""Compiled resources carry real requests through two real Envoys."""

import http.server
import json
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from meshconsole.core.compiler import Compiler, Demand
from meshconsole.core.mesh.model import MeshConfig
from proxyagent.relay import counting
from tests.golden import bootstrap

from .mesh import snapshot, workload

pytestmark = pytest.mark.envoy


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Origin(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps(dict(self.headers.items())).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@dataclass
class Pair:
    outbound: int
    inbound: int
    client_admin: str
    server_admin: str
    authority: bootstrap.Authority
    stranger: str

    def get(self, host: str, path: str = "/", **headers: str) -> tuple[int, dict[str, str]]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.outbound}{path}", headers={"Host": host, **headers})
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status, json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            return error.code, {}

    def counted(self, admin: str, *words: str) -> set[str]:
        """Names of the figures that bear these words, as the agent reads them; Envoy brings its histograms together every few seconds."""
        end = time.monotonic() + 15
        while not (found := {figure.partition("{")[0] for figure in self._figures(admin) if all(word in figure for word in words)}):
            assert time.monotonic() < end, list(self._figures(admin))
            time.sleep(0.2)
        return found

    def _figures(self, admin: str) -> Iterator[str]:
        with urllib.request.urlopen(f"{admin}/stats/prometheus?usedonly&filter={counting.WANTED}", timeout=5) as answer:
            totals = counting.read(answer.read().decode())
        for name, tags, _ in counting.figures(totals):
            yield name + "{" + ",".join(f'{tag}="{value}"' for tag, value in tags.items()) + "}"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    app = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Origin)
    threading.Thread(target=app.serve_forever, daemon=True).start()
    inbound, outbound, unused, admin_a, admin_b = free_ports(5)
    client = workload("productpage-v1", ports=(), outbound_port=outbound)
    server = workload("reviews-v1", port=inbound, app_port=app.server_address[1], outbound_port=unused)
    mesh = snapshot([], [client, server], MeshConfig())
    compiler, authority = Compiler(), bootstrap.Authority()
    hosts = frozenset({f"reviews:{inbound}", f"127.0.0.1:{app.server_address[1]}"})
    sides = []
    for each, admin, demand in ((client, admin_a, Demand(hosts)), (server, admin_b, Demand())):
        secrets = authority.issue("default", each.service_account, workload=each.name)
        resources = compiler.compile(mesh, each, demand)
        sides.append(bootstrap.static([(each.name, resources)], secrets, admin=admin, apart=False))
    with bootstrap.running(sides[0], folder, "client") as a, bootstrap.running(sides[1], folder, "server") as b:
        yield Pair(outbound, inbound, a, b, authority, f"127.0.0.1:{app.server_address[1]}")
    app.shutdown()
    app.server_close()


def test_a_request_goes_by_mutual_tls_through_both_proxies(pair: Pair):
    status, seen = pair.get(f"reviews:{pair.inbound}")
    assert status == 200
    assert "URI=spiffe://cluster.local/ns/default/sa/productpage" in seen["x-forwarded-client-cert"]


def test_request_ids_and_trace_context_pass_through(pair: Pair):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    _, seen = pair.get(f"reviews:{pair.inbound}", **{"x-request-id": "7b674f6d-2a4b-4f7e-9f3a-1e7f4e9d3c11", "traceparent": trace})
    assert seen["x-request-id"] == "7b674f6d-2a4b-4f7e-9f3a-1e7f4e9d3c11"
    assert seen["traceparent"] == trace


def test_an_absolute_request_line_is_what_an_http_proxy_gets(pair: Pair):
    with socket.create_connection(("127.0.0.1", pair.outbound), 5) as s:
        s.sendall(f"GET http://reviews:{pair.inbound}/ HTTP/1.1\r\nHost: reviews:{pair.inbound}\r\nConnection: close\r\n\r\n".encode())
        assert s.recv(200).startswith(b"HTTP/1.1 200")


def test_plaintext_is_taken_too_when_nothing_says_strict(pair: Pair):
    with urllib.request.urlopen(f"http://127.0.0.1:{pair.inbound}/", timeout=5) as answer:
        assert "x-forwarded-client-cert" not in {key.lower() for key in json.loads(answer.read())}


def test_what_a_plaintext_caller_claims_of_its_certificate_is_dropped(pair: Pair):
    forged = {"x-forwarded-client-cert": "URI=spiffe://cluster.local/ns/default/sa/admin"}
    with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{pair.inbound}/", headers=forged), timeout=5) as answer:
        assert "x-forwarded-client-cert" not in {key.lower() for key in json.loads(answer.read())}


def test_a_client_of_another_authority_is_refused(pair: Pair, tmp_path: Path):
    for issuer, account, welcome in ((pair.authority, "productpage", True), (bootstrap.Authority(), "productpage", False)):
        secrets = issuer.issue("default", account)
        (tmp_path / "cert").write_text(secrets.chain)
        (tmp_path / "key").write_text(secrets.key)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
        try:
            with urllib.request.urlopen(f"https://127.0.0.1:{pair.inbound}/", timeout=5, context=context) as answer:
                taken = answer.status == 200
        except (urllib.error.URLError, OSError):
            taken = False
        assert taken is welcome


def test_both_sides_count_the_request_with_istios_words(pair: Pair):
    pair.get(f"reviews:{pair.inbound}")
    names = pair.counted(
        pair.client_admin,
        'reporter="source"',
        'peer="reviews-v1;default;reviews;v1;reviews;v1"',
        'service="reviews.default.svc.cluster.local;reviews;default"',
        'peer_principal="spiffe://cluster.local/ns/default/sa/reviews"',
        'request_protocol="http"',
        'response_code="200"',
        'response_flags="-"',
    )
    sizes = {f"istio_{n}_bucket" for n in ("request_duration_milliseconds", "request_bytes", "response_bytes")}
    assert {"istio_requests_total", *sizes} <= names
    assert "istio_requests_total" in pair.counted(
        pair.server_admin,
        'reporter="destination"',
        'service="reviews.default.svc.cluster.local;reviews;default"',
        'peer_principal="spiffe://cluster.local/ns/default/sa/productpage"',
        "CN=productpage-v1",
    )


def test_an_unknown_address_is_passed_through_in_plaintext(pair: Pair):
    status, seen = pair.get(pair.stranger)
    assert status == 200 and "x-forwarded-client-cert" not in seen
    assert pair.counted(pair.client_admin, "PassthroughCluster", 'response_code="200"')


def test_a_host_that_was_never_delivered_is_404_and_counted(pair: Pair):
    assert pair.get("never.heard.of")[0] == 404
    assert "istio_requests_total" in pair.counted(pair.client_admin, 'response_code="404"', 'response_flags="NR"')
