"""
TCP and TLS through real Envoys: two clients, two servers behind mutual TLS, a gateway, and applications that the mesh only passes on to.

Each server workload has three ports: one that echoes, one whose server speaks first, one whose application speaks TLS itself.
"""

import re
import socket
import ssl
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from meshconsole.core.compiler import Compiler, Demand
from meshconsole.core.mesh.model import Protocol, ProxyKind, Workload, WorkloadPort
from meshconsole.core.policies import parse
from tests.golden import bootstrap

from .mesh import snapshot, workload
from .test_with_envoy import free_ports

pytestmark = pytest.mark.envoy
CLIENT, BATCH, EDGE = "127.0.41.10", "127.0.41.11", "127.0.41.1"


class Application:
    """Listens at a free port and does with each connection what `serve` does."""

    def __init__(self, serve: Callable[[socket.socket], None], context: ssl.SSLContext | None = None):
        self._serve, self._context = serve, context
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        with connection:
            try:
                if self._context is None:
                    return self._serve(connection)
                with self._context.wrap_socket(connection, server_side=True) as tls:
                    self._serve(tls)
            except OSError:
                pass


def echo(name: str) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        while data := connection.recv(1000):
            connection.sendall(f"{name} ".encode() + data)

    return serve


def greet(name: str) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        connection.sendall(f"{name} at your service\n".encode())
        echo(name)(connection)

    return serve


@dataclass
class Mesh:
    ports: dict[str, int]
    admins: dict[str, str]
    authority: bootstrap.Authority
    folder: Path

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.authority.issue("default", "nobody").roots)

    def tls(self, address: str, port: str, name: str, context: ssl.SSLContext | None = None) -> str:
        """What the application behind the server name says; its certificate has been verified to be of that name."""
        with (
            socket.create_connection((address, self.ports[port]), 5) as raw,
            (context or self.trust()).wrap_socket(raw, server_hostname=name) as tls,
        ):
            tls.sendall(b"hello")
            return tls.recv(100).decode()

    def counted(self, proxy: str, metric: str, *words: str, least: int = 1) -> int:
        """The sum of a metric's series that bear the words, once it is `least` (a connection is counted when it ends)."""
        deadline = time.monotonic() + 5
        while True:
            with urllib.request.urlopen(f"{self.admins[proxy]}/stats/prometheus?filter=istio", timeout=5) as answer:
                lines = answer.read().decode().splitlines()
            found = sum(
                int(line.rpartition(" ")[2])
                for line in lines
                if line.startswith(f"envoy_istio_{metric}{{") and all(w in line for w in words)
            )
            if found >= least or time.monotonic() > deadline:
                return found
            time.sleep(0.05)


def said(address: str, port: int, data: bytes = b"hello") -> str:
    with socket.create_connection((address, port), 5) as connection:
        connection.sendall(data)
        return connection.recv(100).decode()


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    folder, authority, compiler = tmp_path_factory.mktemp("tcp"), bootstrap.Authority(), Compiler()

    def certified(name: str) -> ssl.SSLContext:
        found = authority.issue("default", "app", names=(name, "originated.test", "any.localhost", "localhost"))
        (folder / name).write_text(found.chain + found.key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / name)
        return context

    words = ["echo", "first", "tls", "one", "dead", "none", "originated", "plain", "secure", "east", "outbound", "closed", "unused"]
    ports = dict(zip(words, free_ports(len(words)), strict=True))
    apps = {v: [Application(echo(v)), Application(greet(v)), Application(echo(v), certified("a.inside.test"))] for v in ("v1", "v2")}
    outside = Application(echo("outside"), certified("outside.test"))
    ports |= {"outside": outside.port, "app": apps["v1"][1].port}
    clients = [
        workload(n, address=a, outbound_address=a, outbound_port=ports["outbound"], ports=(), labels={"app": n})
        for n, a in (("client", CLIENT), ("batch", BATCH))
    ]
    servers = [
        workload(
            f"echo-{v}",
            address=f"127.0.41.{20 + i}",
            outbound_address=f"127.0.41.{20 + i}",
            outbound_port=ports["unused"],
            ports=tuple(
                WorkloadPort(ports[word], name, protocol, "127.0.0.1", app.port)
                for (word, name, protocol), app in zip(
                    [("echo", "tcp", Protocol.TCP), ("first", "mysql", Protocol.TCP), ("tls", "tls", Protocol.TLS)], apps[v], strict=True
                )
            ),
        )
        for i, v in enumerate(("v1", "v2"))
    ]
    gateway = Workload("default", "gw", ProxyKind.GATEWAY, labels={"istio": "ingressgateway"}, address=EDGE)
    text = re.sub(r"\$\{(\w+)\}", lambda found: str(ports[found[1]]), (Path(__file__).parent / "tcp.yaml").read_text())
    everybody = [*clients, *servers, gateway]
    whole = snapshot(parse(text)[0], everybody)
    asked = frozenset({f"echo:{ports['first']}", f"outside.test:{ports['tls']}", f"127.0.0.1:{ports['outside']}"})
    with ExitStack() as running:
        admins = {}
        for each, admin in zip(everybody, free_ports(len(everybody)), strict=True):
            secrets = authority.issue("default", each.service_account, workload=each.name, names=("echo.test", "web.test"))
            static = bootstrap.static([(each.name, compiler.compile(whole, each, Demand(asked)))], secrets, admin=admin, apart=False)
            admins[each.name] = running.enter_context(bootstrap.running(static, folder, each.name))
        yield Mesh(ports, admins, authority, folder)
    for app in (*apps["v1"], *apps["v2"], outside):
        app.listening.close()


def test_connections_go_where_the_weights_say_by_mutual_tls(mesh: Mesh):
    served = Counter(said(CLIENT, mesh.ports["echo"]).split()[0] for _ in range(200))
    assert 115 < served["v1"] < 185 and served["v1"] + served["v2"] == 200
    service = 'service="echo.default.svc.cluster.local;echo;default"'
    words = ('reporter="source"', 'peer="echo-v1;default;', service, 'flags="-"')
    assert mesh.counted("client", "tcp_connections_opened_total", *words, least=served["v1"]) == served["v1"]
    who = 'peer_principal="spiffe://cluster.local/ns/default/sa/client"'
    assert (
        mesh.counted("echo-v1", "tcp_connections_closed_total", 'reporter="destination"', who, service, least=served["v1"]) == served["v1"]
    )
    assert mesh.counted("echo-v2", "tcp_received_bytes_total", who, least=5 * served["v2"]) == 5 * served["v2"]
    assert mesh.counted("echo-v2", "tcp_sent_bytes_total", who, least=8 * served["v2"]) == 8 * served["v2"]


def test_who_calls_decides_by_its_labels(mesh: Mesh):
    assert {said(BATCH, mesh.ports["echo"]) for _ in range(10)} == {"v2 hello"}


def test_a_server_that_speaks_first_is_heard(mesh: Mesh):
    with socket.create_connection((CLIENT, mesh.ports["first"]), 5) as connection:
        assert connection.recv(100).decode().endswith("at your service\n")


def test_what_a_denied_identity_says_is_not_heard(mesh: Mesh):
    """Envoy asks at a client's first bytes, as in Istio: the greeting of a server that speaks first is out by then."""
    heard = b""
    with socket.create_connection((BATCH, mesh.ports["first"]), 5) as connection:
        connection.sendall(b"let me in")
        try:
            while data := connection.recv(100):
                heard += data
        except ConnectionResetError:
            pass
    assert b"let me in" not in heard
    assert said(BATCH, mesh.ports["echo"]) == "v2 hello"


def test_plaintext_is_taken_from_outside_the_mesh(mesh: Mesh):
    assert said("127.0.41.20", mesh.ports["echo"]) == "v1 hello"


def test_the_applications_own_tls_is_taken_from_outside_the_mesh_too(mesh: Mesh):
    assert mesh.tls("127.0.41.21", "tls", "a.inside.test") == "v2 hello"


def test_the_applications_own_tls_is_told_apart_by_server_name(mesh: Mesh):
    assert mesh.tls(CLIENT, "tls", "outside.test") == "outside hello"
    assert {mesh.tls(CLIENT, "tls", "a.inside.test") for _ in range(4)} == {"v2 hello"}
    with pytest.raises(ssl.SSLCertVerificationError):  # the service's own name leads there too; its certificate is another's
        mesh.tls(CLIENT, "tls", "echo.default.svc.cluster.local")


def test_a_wildcard_and_a_name_that_nobody_declared_are_resolved_and_passed_through(mesh: Mesh):
    """The application listens at 127.0.0.1 and bears that port's number; `localhost` and all names below it are that address."""
    for name in ("any.localhost", "localhost"):
        assert mesh.tls(CLIENT, "outside", name) == "outside hello"
    assert mesh.counted("client", "tcp_connections_closed_total", 'service="*.localhost;*.localhost;default"')
    assert mesh.counted(
        "client", "tcp_connections_closed_total", 'service="PassthroughCluster;PassthroughCluster;"', 'request_protocol="tcp"'
    )


def test_a_server_name_that_nobody_has_gets_no_connection_and_is_counted(mesh: Mesh):
    for client in (CLIENT, BATCH):  # it does not resolve; it is not looked for (REGISTRY_ONLY)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            mesh.tls(client, "tls", "stranger.invalid")
    assert mesh.counted("batch", "tcp_connections_closed_total", 'response_flags="NR"', 'reporter="source"')


def test_a_service_is_reached_at_its_own_address_and_no_more_often_than_allowed(mesh: Mesh):
    with socket.create_connection(("127.0.41.99", mesh.ports["one"]), 5) as first:
        assert first.recv(100) == b"v1 at your service\n"
        with socket.create_connection(("127.0.41.99", mesh.ports["one"]), 5) as second:
            assert second.recv(100) == b""  # the circuit breaker's limit is 1
        began = time.monotonic()
        assert first.recv(100) == b""  # idleTimeout: 1s
        assert time.monotonic() - began < 3
    assert mesh.counted("client", "tcp_connections_closed_total", "numbered.test", 'response_flags="UO"')


@pytest.mark.parametrize(("port", "service", "flags"), [("dead", "numbered.test", "UF"), ("none", "nobody.test", "UH")])
def test_a_connection_that_fails_is_counted_with_the_reason(mesh: Mesh, port: str, service: str, flags: str):
    with socket.create_connection((CLIENT, mesh.ports[port]), 5) as connection:
        assert connection.recv(100) == b""
    assert mesh.counted("client", "tcp_connections_closed_total", service, f'response_flags="{flags}')


def test_the_proxy_speaks_tls_where_a_destination_rule_says_so(mesh: Mesh):
    assert said(CLIENT, mesh.ports["originated"]) == "outside hello"


def test_a_gateway_passes_tcp_on_by_weights(mesh: Mesh):
    served = Counter(said(EDGE, mesh.ports["plain"]).split()[0] for _ in range(100))
    assert 50 < served["v1"] < 98 and served["v2"] == 100 - served["v1"]


def test_a_gateway_ends_tls_before_tcp_beside_what_it_passes_on_and_https(mesh: Mesh):
    assert mesh.tls(EDGE, "secure", "echo.test") == "v1 hello"
    assert mesh.tls(EDGE, "secure", "outside.test") == "outside hello"
    with mesh.trust().wrap_socket(socket.create_connection((EDGE, mesh.ports["secure"]), 5), server_hostname="web.test") as web:
        web.sendall(b"GET / HTTP/1.1\r\nHost: web.test\r\n\r\n")
        assert web.recv(100).startswith(b"HTTP/1.1 404")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        mesh.tls(EDGE, "secure", "stranger.example.com")


def test_an_east_west_gateway_lets_mesh_tls_through_to_the_service_that_its_name_spells(mesh: Mesh):
    """As a sidecar of another network calls: its own certificate, the name in SNI; the server at the end is the one that is proven."""
    own = mesh.authority.issue("default", "far", workload="far-v1")
    (mesh.folder / "far.pem").write_text(own.chain + own.key)
    context = ssl.create_default_context(cadata=own.roots)
    context.check_hostname = False
    context.load_cert_chain(mesh.folder / "far.pem")
    context.set_alpn_protocols(["istio"])
    name = f"outbound_.{mesh.ports['echo']}_.v2_.echo.default.svc.cluster.local"
    assert {mesh.tls(EDGE, "east", name, context) for _ in range(4)} == {"v2 hello"}
    assert mesh.counted("echo-v2", "tcp_connections_closed_total", "ns/default/sa/far", "CN=far-v1")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        mesh.tls(EDGE, "east", "outbound_.1_._.echo.default.svc.cluster.local", context)


def test_an_http_proxys_client_tunnels_to_tcp_and_tls_services(mesh: Mesh):
    def tunnel(authority: str) -> socket.socket:
        connection = socket.create_connection((CLIENT, mesh.ports["outbound"]), 5)
        connection.sendall(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += connection.recv(1)
        assert answer.startswith(b"HTTP/1.1 200"), answer
        return connection

    with tunnel(f"echo:{mesh.ports['first']}") as connection:
        assert connection.recv(100).decode().endswith("at your service\n")
    with mesh.trust().wrap_socket(tunnel(f"outside.test:{mesh.ports['tls']}"), server_hostname="outside.test") as tls:
        tls.sendall(b"hello")
        assert tls.recv(100) == b"outside hello"
    with mesh.trust().wrap_socket(tunnel(f"127.0.0.1:{mesh.ports['outside']}"), server_hostname="outside.test") as tls:
        tls.sendall(b"unknown")  # nobody declared that address: it is passed through
        assert tls.recv(100) == b"outside unknown"
    service = 'service="outside.test;outside.test;default"'
    assert mesh.counted("client", "tcp_connections_closed_total", service, 'request_protocol="tcp"')
    with pytest.raises(AssertionError, match="HTTP/1.1 404"):
        tunnel(f"stranger.test:{mesh.ports['tls']}")
