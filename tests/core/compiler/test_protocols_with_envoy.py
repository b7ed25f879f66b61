"""gRPC, gRPC-Web, WebSocket, HTTP/2 and what is not declared, with real clients and servers through two real Envoys and mutual TLS."""

import http.client
import http.server
import json
import socket
import socketserver
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import httpx
import pytest
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve

from meshconsole.core.compiler import Compiler, Demand
from meshconsole.core.mesh.model import Protocol, WorkloadPort
from meshconsole.core.mesh.services import declared_protocol
from meshconsole.core.policies import parse
from tests.golden import bootstrap

from .mesh import snapshot, workload
from .test_with_envoy import free_ports

pytestmark = pytest.mark.envoy
HERE = Path(__file__).parent
PORTS = {"grpc": "grpc", "other": "grpc", "webgrpc": "grpc-web", "chat": "ws", "web": "http", "any": "", "plain": "", "echo": "", "raw": ""}
"""Which port, and by what name its protocol is declared."""


class Calc(grpc.GenericRpcHandler):
    """Answers with its own name and the method's; Flaky fails twice for each that succeeds, Slow takes a second."""

    def __init__(self, name: str):
        self.name, self.calls = name, 0

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        method = details.method.rpartition("/")[2]
        if method == "Stream":
            return grpc.stream_stream_rpc_method_handler(lambda requests, _: (b"<" + each + b">" for each in requests))
        return grpc.unary_unary_rpc_method_handler(lambda request, context: self._answer(method, context))

    def _answer(self, method: str, context: grpc.ServicerContext) -> bytes:
        self.calls += 1
        if method in ("Flaky", "Once") and self.calls % 3:
            context.abort(grpc.StatusCode.UNAVAILABLE, "try again")
        if method == "Slow":
            time.sleep(1)
        words = dict(context.invocation_metadata())
        return json.dumps([self.name, method, words.get("x-forwarded-client-cert", "")]).encode()


class Hello(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self) -> None:
        body = json.dumps({key.lower(): value for key, value in self.headers.items()}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(65536):
            self.request.sendall(data[::-1])


def converse(chat: ServerConnection) -> None:
    for message in chat:
        chat.send(f"{chat.request.headers['x-forwarded-client-cert'].count('URI=')} {message}")  # type: ignore[union-attr]


@dataclass
class Two:
    outbound: int
    ports: dict[str, int]
    calc: Calc
    channels: list[grpc.Channel] = field(default_factory=list)

    def authority(self, name: str, service: str = "server") -> str:
        return f"{service}:{self.ports[name]}"

    def call(self, method: str, port: str = "grpc", timeout: float = 5) -> list[str]:
        channel = grpc.insecure_channel(
            f"127.0.0.1:{self.outbound}", [("grpc.default_authority", self.authority(port)), ("grpc.enable_retries", 0)]
        )
        with channel:
            return json.loads(channel.unary_unary(f"/calc.Calc/{method}")(b"", timeout=timeout))


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    with ExitStack() as stack:
        apps: dict[str, int] = {}
        calc, other = Calc("server"), Calc("other")
        for one in (calc, other):
            server = grpc.server(ThreadPoolExecutor(4), handlers=[one])
            apps[one.name] = server.add_insecure_port("127.0.0.1:0")
            server.start()
            stack.callback(lambda each=server: each.stop(None).wait())
        for name, made in (
            ("hello", http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hello)),
            ("echo", socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo)),
            ("chat", serve(converse, "127.0.0.1", 0)),
        ):
            threading.Thread(target=made.serve_forever, daemon=True).start()
            stack.callback(made.shutdown)
            apps[name] = made.socket.getsockname()[1] if name == "chat" else made.server_address[1]
        behind = {"webgrpc": "server", "grpc": "server", "any": "server", "web": "hello", "plain": "hello", "raw": "echo"}
        numbers = free_ports(len(PORTS) + 5)
        ports = dict(zip(PORTS, numbers, strict=False))
        outbound, unused, unused_too, admin_a, admin_b = numbers[len(PORTS) :]

        def made_of(*names: str) -> tuple[WorkloadPort, ...]:
            return tuple(WorkloadPort(ports[n], PORTS[n], declared_protocol(PORTS[n]), "127.0.0.1", apps[behind.get(n, n)]) for n in names)

        client = workload("client-v1", ports=(), outbound_port=outbound)
        at = "127.0.0.41"  # of its own: the client listens for the server's ports at 127.0.0.1
        serving = workload("server-v1", address=at, ports=made_of(*(n for n in PORTS if n not in ("other", "raw"))), outbound_port=unused)
        text = (HERE / "protocols.yaml").read_text()
        for name, number in ports.items():
            text = text.replace(f"${{{name}}}", str(number))
        apart = workload("other-v1", address=at, service_account="server", ports=made_of("other", "raw"), outbound_port=unused_too)
        mesh = snapshot(parse(text)[0], [client, serving, apart])
        compiler, authority = Compiler(), bootstrap.Authority()
        hosts = frozenset({f"server:{n}" for n in ports.values()})
        folder = tmp_path_factory.mktemp("protocols")
        caller = compiler.compile(mesh, client, Demand(hosts))
        called = [(each.name, compiler.compile(mesh, each)) for each in (serving, apart)]
        assert not caller.failures
        del called[1][1].blobs[next(key for key in called[1][1].blobs if key[1] == "outbound")]
        for sets, account, admin, name in (([("client", caller)], "client", admin_a, "client"), (called, "server", admin_b, "server")):
            config = bootstrap.static(sets, authority.issue("default", account), admin=admin, apart=False)
            stack.enter_context(bootstrap.running(config, folder, name))
        yield Two(outbound, ports, calc)


def test_a_grpc_call_goes_by_mutual_tls(two: Two):
    name, method, peer = two.call("Plain")
    assert (name, method) == ("server", "Plain") and "URI=spiffe://cluster.local/ns/default/sa/client" in peer


def test_a_method_has_a_route_of_its_own(two: Two):
    assert two.call("Other")[0] == "other"


def test_a_grpc_status_is_tried_again_where_retry_on_names_it(two: Two):
    two.calc.calls = 0
    assert two.call("Flaky")[1] == "Flaky" and two.calc.calls == 3
    two.calc.calls = 0
    with pytest.raises(grpc.RpcError) as failed:
        two.call("Once")
    assert failed.value.code() is grpc.StatusCode.UNAVAILABLE and two.calc.calls == 1


def test_the_shorter_of_the_routes_timeout_and_the_callers_deadline_holds(two: Two):
    for timeout in (5, 0.2):
        began = time.monotonic()
        with pytest.raises(grpc.RpcError) as failed:
            two.call("Slow", timeout=timeout)
        assert failed.value.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)
        assert time.monotonic() - began < 0.9


def test_a_fault_is_a_grpc_status(two: Two):
    with pytest.raises(grpc.RpcError) as failed:
        two.call("Broken")
    assert failed.value.code() is grpc.StatusCode.NOT_FOUND


def test_a_stream_goes_both_ways(two: Two):
    channel = grpc.insecure_channel(f"127.0.0.1:{two.outbound}", [("grpc.default_authority", two.authority("grpc"))])
    with channel:
        answers = channel.stream_stream("/calc.Calc/Stream")(iter([b"a", b"b"]), timeout=5)
        assert list(answers) == [b"<a>", b"<b>"]


def test_a_browsers_grpc_web_becomes_grpc(two: Two):
    asked = http.client.HTTPConnection("127.0.0.1", two.outbound, timeout=5)
    words = {"Host": two.authority("webgrpc"), "content-type": "application/grpc-web+proto", "x-grpc-web": "1"}
    asked.request("POST", "/calc.Calc/Plain", struct.pack(">BI", 0, 0), words)
    answer = asked.getresponse()
    body = answer.read()
    asked.close()
    assert answer.headers["content-type"].startswith("application/grpc-web") and b"grpc-status:0" in body
    assert json.loads(body[5 : 5 + struct.unpack(">I", body[1:5])[0]])[0] == "server"


def test_a_websocket_is_upgraded_through_both_proxies(two: Two):
    sock = socket.create_connection(("127.0.0.1", two.outbound))
    with connect(f"ws://{two.authority('chat')}/", sock=sock, open_timeout=5) as chat:
        for word in ("one", "two"):
            chat.send(word)
            assert chat.recv(timeout=5) == f"1 {word}"


def test_http2_without_tls_is_understood_and_the_application_keeps_its_http1(two: Two):
    with httpx.Client(http1=False, http2=True) as client:
        answer = client.get(f"http://127.0.0.1:{two.outbound}/", headers={"Host": two.authority("web")})
    assert answer.http_version == "HTTP/2" and "x-forwarded-client-cert" in answer.json()


def test_an_undeclared_port_is_spoken_to_as_the_caller_speaks(two: Two):
    name, method, peer = two.call("Plain", port="any")
    assert (name, method) == ("server", "Plain") and "sa/client" in peer
    answer = httpx.get(f"http://127.0.0.1:{two.outbound}/", headers={"Host": two.authority("plain")})
    assert answer.http_version == "HTTP/1.1" and answer.json()["x-route"] == "sniffed"
    assert "sa/client" in answer.json()["x-forwarded-client-cert"]


def test_what_is_no_http_on_an_undeclared_egress_port_is_carried_as_it_is(two: Two):
    with socket.create_connection(("127.0.0.1", two.ports["echo"]), timeout=5) as line:
        line.sendall(b"\x00\x01 not http")
        assert line.recv(100) == b"ptth ton \x01\x00"


def test_an_undeclared_port_takes_plaintext_and_the_applications_own_tls_where_mutual_tls_is_no_must(two: Two):
    hello = ssl.MemoryBIO()
    context = ssl.create_default_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), hello, server_hostname="app.test").do_handshake()
    for said in (b"\x00 neither HTTP nor TLS", hello.read()):
        with socket.create_connection(("127.0.0.41", two.ports["raw"]), timeout=5) as line:
            line.sendall(said)
            heard = b""
            while len(heard) < len(said):
                heard += line.recv(4096)
            assert heard == said[::-1]


def test_http_on_an_undeclared_egress_port_is_routed(two: Two):
    answer = httpx.get(f"http://127.0.0.1:{two.ports['plain']}/", headers={"Host": two.authority("plain")})
    assert answer.json()["x-route"] == "sniffed"


def test_words_for_protocols():
    assert [declared_protocol(word) for word in ("h2c", "kubernetes.io/h2c", "ws", "kubernetes.io/ws", "wss")] == [
        Protocol.HTTP2, Protocol.HTTP2, Protocol.HTTP, Protocol.HTTP, Protocol.HTTPS,
    ]  # fmt: skip
