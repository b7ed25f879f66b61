"""What DestinationRules say of connections and instances, and the rest of VirtualService's answers, on real requests through a real Envoy."""

import http.client
import http.server
import socket
import socketserver
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from meshconsole.core.compiler import Compiler, Demand
from meshconsole.core.envoy.resource_set import XdsType
from meshconsole.core.policies import parse
from tests.certificates import pair, secret
from tests.core.compiler.mesh import snapshot, workload
from tests.core.compiler.test_with_envoy import free_ports
from tests.golden import bootstrap

from .test_traffic_with_envoy import Answer, Handler, Instance, Proxy

pytestmark = pytest.mark.envoy
HERE = Path(__file__).parent


class Counting(Handler):
    """Names the connection that a request came by."""

    def setup(self) -> None:
        super().setup()
        self.server.connections.append(self.client_address)  # type: ignore[attr-defined]


class Proxied(socketserver.StreamRequestHandler):
    """Answers with what stood before the request."""

    def handle(self) -> None:
        said = b""
        while b"GET " not in said or not said.endswith(b"\r\n\r\n"):
            said += self.rfile.read(1)
        found = said.partition(b"GET ")[0].hex().encode()
        self.wfile.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(found), found))


class Tunnel(socketserver.StreamRequestHandler):
    """An HTTP proxy that knows CONNECT, and whose every target says what it was asked for."""

    def handle(self) -> None:
        asked = self.rfile.readline().strip()
        while self.rfile.readline().strip():
            pass
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        self.wfile.write(asked + b" | " + self.rfile.readline())


class Secured(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        subject = self.connection.getpeercert()["subject"][0][0][1]  # type: ignore[attr-defined, index]
        self.send_response(200)
        self.send_header("content-length", str(len(subject)))
        self.end_headers()
        self.wfile.write(subject.encode())

    def log_message(self, *_: object) -> None:
        pass


@dataclass
class Mesh:
    proxy: Proxy
    hidden: int

    def get(self, host: str, path: str = "/", source: str = "127.0.0.1") -> Answer:
        asked = http.client.HTTPConnection("127.0.0.1", self.proxy.port, timeout=10, source_address=(source, 0))
        asked.request("GET", path, headers={"Host": host})
        answer = asked.getresponse()
        body = answer.read()
        asked.close()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, body, 0)

    def __getitem__(self, name: str) -> Instance:
        return self.proxy.instances[name]


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    folder = tmp_path_factory.mktemp("connections")
    with ExitStack() as stack:
        instances = {name: Instance(name) for name in ("v1", "v2", "v3", "bad")}
        instances["v1"].RequestHandlerClass = Counting
        instances["v1"].connections = []  # type: ignore[attr-defined]
        server, client = pair("secured.test"), pair("partner")
        (folder / "server.pem").write_text(server.certificate + server.key)
        (folder / "clients.pem").write_text(client.certificate)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(folder / "clients.pem"))
        context.load_cert_chain(folder / "server.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        others = {
            "proxied": socketserver.ThreadingTCPServer(("127.0.0.1", 0), Proxied),
            "tunnel": socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tunnel),
            "secured": http.server.ThreadingHTTPServer(("127.0.0.1", 0), Secured),
        }
        others["secured"].socket = context.wrap_socket(others["secured"].socket, server_side=True, do_handshake_on_connect=False)
        for each in others.values():
            threading.Thread(target=each.serve_forever, daemon=True).start()
        for each in (*instances.values(), *others.values()):
            stack.callback(each.server_close)
            stack.callback(each.shutdown)
        outbound, admin, hidden = free_ports(3)
        text = (HERE / "connections.yaml").read_text().replace("${hidden}", str(hidden))
        for name, each in (*instances.items(), *others.items()):
            text = text.replace(f"${{{name}}}", str(each.server_address[1]))
        trust = "".join(f"    {line}\n" for line in server.certificate.strip().splitlines())
        text += f"---\n{secret('partner', client)}  ca.crt: |\n{trust}"
        policies, _ = parse(text)
        one = workload("client-v1", ports=(), outbound_port=outbound, locality="west/a")
        hosts = {p.spec.hosts[0] for p in policies if p.kind == "ServiceEntry"}
        resources = Compiler().compile(snapshot(policies, [one]), one, Demand(frozenset(hosts)))
        assert not resources.failures and (XdsType.SDS, "kubernetes://partner") in resources.blobs
        config = bootstrap.static([("a", resources)], bootstrap.Authority().issue("default", "a"), admin=admin, apart=False)
        with bootstrap.running(config, folder, "client"):
            asking = Proxy(outbound, instances)
            yield Mesh(asking, hidden)
            asking.connection.close()


def test_a_source_address_stays_with_one_instance(mesh: Mesh):
    by_source = {f"127.0.0.{n}": {mesh.get("ip.test", source=f"127.0.0.{n}").seen["instance"] for _ in range(3)} for n in range(10, 30)}
    assert all(len(found) == 1 for found in by_source.values())
    assert len(set.union(*by_source.values())) > 1


def test_a_query_parameter_stays_with_one_instance(mesh: Mesh):
    def instance(user: str) -> str:
        return mesh.get("query.test", f"/?user={user}").seen["instance"]

    assert all(len({instance(user) for _ in range(4)}) == 1 for user in "abcd")
    assert len({instance(f"u{n}") for n in range(30)}) == 3


def test_what_is_above_the_limit_of_connections_is_answered_503_at_once(mesh: Mesh):
    mesh["v1"].delay = 0.5
    try:
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda _: mesh.get("narrow.test"), range(6)))
            assert {answer.status for answer in pool.map(lambda _: mesh.get("many.test"), range(6))} == {200}
    finally:
        mesh["v1"].delay = 0.0
    refused = [answer for answer in answers if answer.status == 503]
    assert len(refused) == 4 and all(answer.headers["x-envoy-overloaded"] == "true" for answer in refused)


def test_one_request_per_connection_is_no_keep_alive(mesh: Mesh):
    def opened(host: str) -> int:
        before = len(mesh["v1"].connections)  # type: ignore[attr-defined]
        for _ in range(6):
            mesh.get(host)
        return len(mesh["v1"].connections) - before  # type: ignore[attr-defined]

    assert opened("once.test") == 6
    assert opened("many.test") <= 1


def test_a_retry_budget_of_nothing_retries_nothing(mesh: Mesh):
    mesh["bad"].status = 500
    try:
        for host, tries in (("budget.test", 1), ("eager.test", 4)):
            mesh["bad"].requests.clear()
            assert mesh.get(host).status in (500, 503)
            assert len(mesh["bad"].requests) == tries
    finally:
        mesh["bad"].status = 200


def test_a_connection_can_begin_with_a_proxy_header(mesh: Mesh):
    first = bytes.fromhex(mesh.get("one.test").body.decode())
    assert first.startswith(b"PROXY TCP4 127.0.0.1 ")
    assert bytes.fromhex(mesh.get("two.test").body.decode()).startswith(b"\r\n\r\n\0\r\nQUIT\n")


def test_a_connection_goes_through_a_tunnel(mesh: Mesh):
    with socket.create_connection(("127.0.0.1", mesh.hidden), timeout=5) as line:
        line.sendall(b"hello\n")
        heard = b""
        while not heard.endswith(b"hello\n"):
            heard += line.recv(1000)
    assert heard == b"CONNECT target.test:1234 HTTP/1.1 | hello\n"


def test_only_the_statuses_that_are_named_eject(mesh: Mesh):
    def seen() -> Counter[str]:
        return Counter(mesh.get("codes.test").seen["instance"] for _ in range(20))

    mesh["bad"].status = 500
    try:
        assert seen()["bad"] == 10
        mesh["bad"].status = 418
        deadline = time.monotonic() + 10
        while seen()["bad"]:
            assert time.monotonic() < deadline, "never ejected"
    finally:
        mesh["bad"].status = 200


def test_labels_rank_instances_and_the_next_take_over(mesh: Mesh):
    assert {mesh.get("near.test").seen["instance"] for _ in range(10)} == {"v1"}
    mesh["v1"].status = 500
    try:
        mesh.get("near.test")
        deadline = time.monotonic() + 5
        while "v1" in (served := {mesh.get("near.test").seen["instance"] for _ in range(10)}):
            assert time.monotonic() < deadline, "never ejected"
        served |= {mesh.get("near.test").seen["instance"] for _ in range(40)}  # ten may all go to one of the two
    finally:
        mesh["v1"].status = 200
    assert served - {"v1"} == {"v2", "v3"}


def test_places_get_the_shares_that_are_theirs(mesh: Mesh):
    served = Counter(mesh.get("shared.test").seen["instance"] for _ in range(300))
    assert served["v3"] == 0 and 170 < served["v1"] < 250 and served["v1"] + served["v2"] == 300


def test_warming_up_takes_nobody_out(mesh: Mesh):
    assert {mesh.get("warm.test").seen["instance"] for _ in range(30)} == {"v1", "v2", "v3"}


def test_a_named_credential_is_the_clients_certificate_and_names_who_is_trusted(mesh: Mesh):
    answer = mesh.get("secured.test")
    assert (answer.status, answer.body) == (200, b"partner")
    assert mesh.get("wrong.test").status == 503
    began = time.monotonic()
    assert mesh.get("missing.test").status == 503 and time.monotonic() - began < 2


def test_a_share_of_requests_is_mirrored(mesh: Mesh):
    before = len(mesh["v1"].requests)
    for _ in range(200):
        assert mesh.proxy.get("/half", host="shop.test").status == 200
    deadline = time.monotonic() + 3
    while (more := len(mesh["v1"].requests) - before) < 260 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert 250 < more < 350


def test_redirects_keep_what_they_do_not_name(mesh: Mesh):
    for path, status, location in (
        ("/moved/a?b=c", 301, "http://new.test/moved/a?b=c"),
        ("/secure/a", 301, "https://shop.test/secure/a"),
        ("/old/thing", 302, "http://shop.test/fixed"),
        ("/port/a", 307, "http://shop.test/elsewhere"),
    ):
        answer = mesh.get("shop.test", path)
        assert (answer.status, answer.headers["location"]) == (status, location)


def test_a_body_can_be_bytes_and_a_match_name_scheme_and_authority(mesh: Mesh):
    assert mesh.get("shop.test", "/bytes").body == b"\0\1\2"
    assert mesh.get("shop.test", "/matched").headers["x-matched"] == "yes"
    assert "x-matched" not in mesh.get("shop.test", "/other").headers
