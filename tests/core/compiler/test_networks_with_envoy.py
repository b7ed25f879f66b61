"""A service in another network, through that network's gateway: three real Envoys, mesh TLS from end to end."""

import http.client
import http.server
import threading
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import pytest

from meshconsole.core.compiler import Compiler, Demand
from meshconsole.core.mesh.model import MeshConfig, ProxyKind, Workload, WorkloadPort
from meshconsole.core.mesh.snapshot import Snapshot
from meshconsole.core.policies import parse
from tests.golden import bootstrap

from .test_with_envoy import free_ports

pytestmark = pytest.mark.envoy
GATEWAY, REVIEWS = "127.0.43.1", "127.0.43.2"
POLICIES = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: east-west, namespace: istio-system}}
spec:
  selector: {{istio: eastwest}}
  servers:
  - port: {{number: {east}, name: tls, protocol: TLS}}
    bind: 127.0.43.1
    hosts: ["*.local"]
    tls: {{mode: AUTO_PASSTHROUGH}}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {{name: default, namespace: istio-system}}
spec: {{mtls: {{mode: STRICT}}}}
"""


class Application(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = (self.headers["x-forwarded-client-cert"] or "nobody").encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


def get(port: int, host: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/", headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_another_network_is_reached_through_its_gateway_and_both_ends_see_one_another(tmp_path: Path):
    number, east, outbound, *admins = free_ports(6)
    app = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Application)
    threading.Thread(target=app.serve_forever, daemon=True).start()
    port = WorkloadPort(number, "http", app_port=app.server_address[1])
    client = Workload("default", "client", service_account="client", outbound_port=outbound, network="home")
    reviews = Workload(
        "default",
        "reviews",
        service_account="reviews",
        address=REVIEWS,
        outbound_address=REVIEWS,
        services=("reviews",),
        ports=(port,),
        network="vms",
    )
    gateway = Workload("istio-system", "eastwest", ProxyKind.GATEWAY, labels={"istio": "eastwest"}, address=GATEWAY, network="vms")
    mesh = MeshConfig(networks=(("vms", ((GATEWAY, east),)),))
    policies, _ = parse(POLICIES.format(east=east))
    workloads = [client, reviews, gateway]
    snapshot, compiler, authority = Snapshot(mesh, policies, workloads, 1), Compiler(), bootstrap.Authority()
    with ExitStack() as stack:
        urls = []
        for workload, admin in zip(workloads, admins, strict=True):
            demand = Demand(frozenset({f"reviews:{number}"} if workload is client else ()))
            resources = compiler.compile(snapshot, workload, demand)
            secrets = authority.issue(workload.namespace, workload.service_account, workload=workload.name)
            static = bootstrap.static([(workload.name, resources)], secrets, admin=admin, apart=False)
            urls.append(stack.enter_context(bootstrap.running(static, tmp_path, workload.name)))
        end = time.monotonic() + 10
        while (found := get(outbound, f"reviews:{number}"))[0] != 200 and time.monotonic() < end:
            time.sleep(0.1)
        assert found[0] == 200 and "spiffe://cluster.local/ns/default/sa/client" in found[1]
        with urllib.request.urlopen(f"{urls[2]}/stats?filter=reviews.*upstream_cx_total") as answer:
            passed = answer.read().decode()
        assert passed.rpartition(":")[2].strip() not in ("", "0"), "it came through the gateway"
    app.shutdown()
    app.server_close()
