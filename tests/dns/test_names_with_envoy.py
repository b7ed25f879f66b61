"""What becomes of names: STRICT_DNS, LOGICAL_DNS and the dynamic forward proxy of a real Envoy before a real DNS server that changes its mind."""

import http.client
import http.server
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from meshconsole.core.compiler import Compiler, Demand
from meshconsole.core.mesh.model import MeshConfig, Workload
from meshconsole.core.mesh.snapshot import Snapshot
from meshconsole.core.policies import parse
from proxyagent.bootstrap import Sockets
from proxyagent.bootstrap import bootstrap as agents
from tests.core.compiler.test_with_envoy import free_ports
from tests.golden import bootstrap

from .names import Names

pytestmark = pytest.mark.envoy
ONE, TWO = "127.0.5.1", "127.0.5.2"

POLICIES = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: strict, namespace: default}}
spec:
  hosts: [strict.test, late.test]
  resolution: DNS
  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: {app}}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: endpoints, namespace: default}}
spec:
  hosts: ["both.test"]
  resolution: DNS
  ports: [{{number: 80, name: http, protocol: HTTP}}]
  endpoints:
    - {{address: one.test, ports: {{http: {app}}}, weight: 1}}
    - {{address: two.test, ports: {{http: {app}}}, weight: 9}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: logical, namespace: default}}
spec:
  hosts: [logical.test]
  resolution: DNS_ROUND_ROBIN
  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: {app}}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: wild, namespace: default}}
spec:
  hosts: ["*.wild.test"]
  resolution: DYNAMIC_DNS
  ports: [{{number: {app}, name: http, protocol: HTTP}}, {{number: {secure}, name: tls, protocol: TLS}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: passed, namespace: default}}
spec:
  hosts: [passed.test]
  resolution: STATIC
  ports: [{{number: {app}, name: http, protocol: HTTP}}]
  endpoints: [{{address: 127.0.5.1, ports: {{http: {app}}}}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: passed, namespace: default}}
spec: {{host: passed.test, trafficPolicy: {{loadBalancer: {{simple: PASSTHROUGH}}}}}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: none, namespace: default}}
spec:
  hosts: ["*.none.test"]
  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: {app}}}, {{number: {secure}, name: tls, protocol: TLS}}]
"""


class Application(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = f"{self.server.server_address[0]} {self.headers['Host']}".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.send_header("connection", "close")  # what is asked next is asked by a new connection
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@dataclass(frozen=True)
class Client:
    outbound: int
    app: int
    secure: int
    names: Names

    def get(self, host: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.outbound, timeout=10)
        try:
            connection.request("GET", "/", headers={"Host": host})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def served_by(self, host: str, times: int = 1) -> set[str]:
        return {self.get(host)[1].partition(" ")[0] for _ in range(times)}

    def until(self, true, seconds: float = 15) -> None:
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, "it did not come about"
            time.sleep(0.1)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("dns")
    app, secure, outbound, admin = free_ports(4)
    authority = bootstrap.Authority()
    secrets = authority.issue("default", "app", names=("a.wild.test",))
    (folder / "pair.pem").write_text(secrets.chain + secrets.key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "pair.pem")
    servers = [http.server.ThreadingHTTPServer((address, port), Application) for address in (ONE, TWO) for port in (app, secure)]
    for server in servers:
        if server.server_address[1] == secure:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    policies, _ = parse(POLICIES.format(app=app, secure=secure))
    workload = Workload("default", "client", outbound_port=outbound)
    hosts = [
        "strict.test",
        "late.test",
        "both.test",
        "logical.test",
        f"a.wild.test:{app}",
        "a.wild.test",
        "x.none.test",
        f"stranger.test:{app}",
        f"passed.test:{app}",
    ]
    mesh = MeshConfig(allow_any_dynamic=True)
    resources = Compiler().compile(Snapshot(mesh, policies, [workload], 1), workload, Demand(frozenset(hosts)))
    with Names() as names:
        names.records = {"strict.test": [ONE], "logical.test": [ONE, TWO], "one.test": [ONE], "two.test": [TWO]}
        names.records |= {"passed.test": [TWO], "a.wild.test": [ONE], "b.wild.test": [TWO], "x.none.test": [TWO], "stranger.test": [TWO]}
        static = bootstrap.static([("client", resources)], authority.issue("default", "client"), admin=admin, apart=False)
        sockets = Sockets(*(str(folder / f"{n}.sock") for n in range(4)))
        whole = agents(proxy_id="a", cluster="a", locality="", metadata={}, sockets=sockets, resolvers=[("127.0.0.1", names.port)])
        static["typed_dns_resolver_config"] = whole["typed_dns_resolver_config"]
        with bootstrap.running(static, folder, "client"):
            yield Client(outbound, app, secure, names)
    for server in servers:
        server.shutdown()
        server.server_close()


def test_dns_takes_every_address_and_follows_each_change(client: Client):
    client.until(lambda: client.served_by("strict.test", 5) == {ONE})
    client.names.records["strict.test"] = [ONE, TWO]
    client.until(lambda: client.served_by("strict.test", 10) == {ONE, TWO})
    client.names.records["strict.test"] = [TWO]
    client.until(lambda: client.served_by("strict.test", 10) == {TWO})


def test_a_name_that_comes_to_be_is_found_within_seconds(client: Client):
    assert client.get("late.test")[0] == 503
    client.names.records["late.test"] = [ONE]
    client.until(lambda: client.get("late.test")[0] == 200)


def test_endpoints_are_names_of_their_own_with_weights(client: Client):
    client.until(lambda: client.served_by("both.test", 5) <= {ONE, TWO})
    came = [client.get("both.test")[1].partition(" ")[0] for _ in range(60)]
    assert 0 < came.count(ONE) < came.count(TWO)


def test_dns_round_robin_has_one_address_at_a_time_and_follows_it(client: Client):
    client.until(lambda: client.get("logical.test")[0] == 200)
    first = client.served_by("logical.test", 10)
    assert len(first) == 1
    client.names.records["logical.test"] = [TWO] if first == {ONE} else [ONE]
    client.until(lambda: client.served_by("logical.test", 5) == {ONE, TWO} - first)


def test_dynamic_dns_looks_each_name_of_a_wildcard_up_when_it_is_called(client: Client):
    assert client.get(f"a.wild.test:{client.app}") == (200, f"{ONE} a.wild.test:{client.app}")
    assert client.get(f"b.wild.test:{client.app}") == (200, f"{TWO} b.wild.test:{client.app}")
    assert "b.wild.test" in client.names.asked
    assert client.get(f"nobody.wild.test:{client.app}")[0] == 503


def test_passthrough_goes_where_the_name_leads_and_not_to_the_endpoints(client: Client):
    client.until(lambda: client.served_by(f"passed.test:{client.app}", 5) == {TWO})


def test_dynamic_dns_goes_to_the_services_port_where_the_host_names_none(client: Client):
    assert client.get("a.wild.test") == (200, f"{ONE} a.wild.test")


def test_dynamic_dns_follows_a_change(client: Client):
    client.names.records["c.wild.test"] = [ONE]
    assert client.served_by(f"c.wild.test:{client.app}") == {ONE}
    client.names.records["c.wild.test"] = [TWO]
    client.until(lambda: client.served_by(f"c.wild.test:{client.app}") == {TWO})


def test_a_wildcards_server_name_of_tls_is_looked_up_with_dynamic_dns_and_with_none(client: Client):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for name, address in (("a.wild.test", ONE), ("b.wild.test", TWO), ("x.none.test", TWO)):
        with socket.create_connection(("127.0.0.1", client.secure), 10) as raw, context.wrap_socket(raw, server_hostname=name) as tls:
            tls.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = http.client.HTTPResponse(tls)
            answer.begin()
            assert answer.read().decode().startswith(address)


def test_none_reaches_a_name_of_its_wildcard_as_the_caller_said_it(client: Client):
    client.until(lambda: client.get("x.none.test")[0] == 200)
    assert client.served_by("x.none.test") == {TWO}


def test_allow_any_dynamic_dns_reaches_hosts_that_nobody_declared(client: Client):
    assert client.get(f"stranger.test:{client.app}") == (200, f"{TWO} stranger.test:{client.app}")
