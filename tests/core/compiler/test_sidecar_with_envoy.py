"""A Sidecar's ingress and egress on real requests: listeners of its own, applications behind Unix sockets, limits, and an egress proxy."""

import http.client
import http.server
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from meshconsole.core.compiler import Compiler, Demand
from meshconsole.core.envoy.resource_set import ResourceSet
from meshconsole.core.mesh.model import Protocol, WorkloadPort
from meshconsole.core.policies import parse
from tests.certificates import pair
from tests.golden import bootstrap

from .mesh import snapshot, workload
from .test_with_envoy import free_ports

pytestmark = pytest.mark.envoy

POLICIES = """
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: client}
spec:
  workloadSelector: {labels: {app: client}}
  egress:
  - {port: {number: ${egress}, protocol: HTTP}, bind: 127.0.0.1, hosts: ["./server.default.svc.cluster.local", "./early.test"]}
  - {port: {protocol: HTTP}, bind: "unix://${folder}/egress.sock", hosts: ["./*"]}
  - {hosts: ["./other.default.svc.cluster.local"]}
  outboundTrafficPolicy: {mode: ALLOW_ANY, egressProxy: {host: other, port: {number: ${other}}}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: early}
spec: {hosts: [early.test], http: [{directResponse: {status: 418}}]}
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: server}
spec:
  workloadSelector: {labels: {app: server}}
  ingress:
  - {port: {number: ${egress}, protocol: HTTP, name: http}, defaultEndpoint: "unix://${folder}/app.sock"}
  - port: {number: ${secure}, protocol: HTTPS, name: https}
    defaultEndpoint: "127.0.0.1:${app}"
    tls: {mode: SIMPLE, serverCertificate: ${folder}/server.pem, privateKey: ${folder}/server.key}
  inboundConnectionPool: {tcp: {maxConnections: 1}, http: {http1MaxPendingRequests: 1}}
"""


class Hello(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self) -> None:
        if self.path == "/slow":
            time.sleep(0.4)
        words = {key.lower(): value for key, value in self.headers.items()}
        body = json.dumps([self.server.name, words]).encode()  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return ""

    def log_message(self, *_: object) -> None:
        pass


class UnixServer(http.server.ThreadingHTTPServer):
    address_family = socket.AF_UNIX

    def server_bind(self) -> None:
        self.socket.bind(self.server_address)


@dataclass
class Sides:
    ports: dict[str, int]
    folder: Path

    def get(self, port: str, host: str, path: str = "/", *, context: ssl.SSLContext | None = None) -> tuple[int, list]:
        if port == "unix":
            asked = http.client.HTTPConnection("localhost", timeout=5)
            asked.sock = socket.socket(socket.AF_UNIX)
            asked.sock.connect(str(self.folder / "egress.sock"))
        elif context is not None:
            asked = http.client.HTTPConnection("127.0.0.42", self.ports[port], timeout=5)
            asked.sock = context.wrap_socket(socket.create_connection(("127.0.0.42", self.ports[port])), server_hostname=host)
        else:
            asked = http.client.HTTPConnection("127.0.0.1", self.ports[port], timeout=5)
        asked.request("GET", path, headers={"Host": host, "x-forwarded-client-cert": "By=me;URI=spiffe://cluster.local/ns/default/sa/boss"})
        answer = asked.getresponse()
        body = answer.read()
        asked.close()
        return answer.status, json.loads(body) if answer.status == 200 else []


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    folder = tmp_path_factory.mktemp("sides")
    with ExitStack() as stack:
        names = ("egress", "other", "secure", "outbound", "unused", "unused_too", "admin_a", "admin_b")
        ports = dict(zip(names, free_ports(len(names)), strict=True))
        apps = [UnixServer(str(folder / "app.sock"), Hello), http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hello)]  # type: ignore[arg-type]
        for name, app in zip(("unix", "other"), apps, strict=True):
            app.name = name  # type: ignore[union-attr]
            threading.Thread(target=app.serve_forever, daemon=True).start()
            stack.callback(app.server_close)
            stack.callback(app.shutdown)
        listening = apps[1].server_address[1]
        own = pair("server.test")
        (folder / "server.pem").write_text(own.certificate)
        (folder / "server.key").write_text(own.key)
        text = POLICIES.replace("${folder}", str(folder)).replace("${app}", str(listening))
        for name, number in ports.items():
            text = text.replace(f"${{{name}}}", str(number))
        client = workload("client-v1", ports=(), outbound_port=ports["outbound"])
        declared = (WorkloadPort(ports["egress"], "http", Protocol.HTTP), WorkloadPort(ports["secure"], "https", Protocol.HTTPS))
        server = workload("server-v1", address="127.0.0.42", ports=declared, outbound_port=ports["unused"])
        carried = (WorkloadPort(ports["other"], "http", Protocol.HTTP, "127.0.0.1", listening),)
        other = workload("other-v1", address="127.0.0.43", ports=carried, outbound_port=ports["unused_too"], service_account="server")
        mesh = snapshot(parse(text)[0], [client, server, other])
        compiler, authority = Compiler(), bootstrap.Authority()
        sets = [
            compiler.compile(mesh, client, Demand(frozenset({"www.test"}))),
            compiler.compile(mesh, server),
            compiler.compile(mesh, other),
        ]
        assert not any(each.failures for each in sets)
        both = ResourceSet({**sets[2].blobs, **sets[1].blobs})
        for these, account, admin in ((sets[0], "client", "admin_a"), (both, "server", "admin_b")):
            config = bootstrap.static([(account, these)], authority.issue("default", account), admin=ports[admin], apart=False)
            if account == "server":
                for chain in (c for each in config["static_resources"]["listeners"] for c in each["filter_chains"] if c["name"] == "tls"):
                    chain["transport_socket"]["typed_config"]["common_tls_context"]["tls_certificates"] = [
                        {"certificate_chain": {"filename": f"{folder}/server.pem"}, "private_key": {"filename": f"{folder}/server.key"}}
                    ]
            stack.enter_context(bootstrap.running(config, folder, account))
        yield Sides(ports, folder)


def test_a_port_of_egress_knows_its_own_hosts_by_every_spelling_and_ingress_finds_a_unix_socket(sides: Sides):
    for host in ("server", f"server:{sides.ports['egress']}", "server.default", "server.default.svc.cluster.local"):
        status, (name, words) = sides.get("egress", host)
        assert (status, name) == (200, "unix") and "sa/client" in words["x-forwarded-client-cert"]


def test_a_unix_socket_of_egress_serves_every_port(sides: Sides):
    assert sides.get("unix", f"server:{sides.ports['egress']}")[1][0] == "unix"
    assert sides.get("unix", f"other:{sides.ports['other']}")[1][0] == "other"


def test_other_hosts_go_to_the_egress_proxy(sides: Sides):
    for port in ("outbound", "egress"):
        assert sides.get(port, "www.test")[1][0] == "other"


def test_a_host_that_only_a_route_speaks_of_is_known_where_it_is_shown(sides: Sides):
    assert sides.get("egress", "early.test")[0] == 418


def test_limits_in_front_of_the_application_hold(sides: Sides):
    with ThreadPoolExecutor(5) as pool:
        statuses = sorted(pool.map(lambda _: sides.get("egress", "server", "/slow")[0], range(5)))
    assert statuses == [200, 200, 503, 503, 503]


def test_the_proxy_ends_tls_of_callers_outside_the_mesh_and_drops_what_they_claim(sides: Sides):
    context = ssl.create_default_context(cafile=str(sides.folder / "server.pem"))
    status, (name, words) = sides.get("secure", "server.test", context=context)
    assert (status, name) == (200, "other") and "x-forwarded-client-cert" not in words
