"""A server that speaks first behind a port that declares no protocol: Istio's known trap, and meshConfig.protocolDetectionTimeout, the way out."""

import socket
import socketserver
import threading
from pathlib import Path

import pytest

from meshconsole.core.compiler import Compiler
from meshconsole.core.mesh.model import MeshConfig, WorkloadPort
from meshconsole.core.mesh.snapshot import Snapshot
from meshconsole.core.policies import parse
from tests.golden import bootstrap

from .mesh import workload
from .test_with_envoy import free_ports

pytestmark = pytest.mark.envoy
PATIENT = "apiVersion: meshconsole.io/v1\nkind: MeshConfig\nmetadata: {name: default, namespace: istio-system}\nspec: {protocolDetectionTimeout: 0.2s}\n"


class Greeter(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.sendall(b"220 ready\r\n")


def heard(port: int, patience: float) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as line:
        try:
            return line.recv(100)
        except TimeoutError:
            return b""


def test_a_server_that_speaks_first_is_heard_after_the_timeout_and_never_without_one(tmp_path: Path):
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Greeter) as app:
        threading.Thread(target=app.serve_forever, daemon=True).start()
        waiting, hearing, admin = free_ports(3)
        sets = []
        for name, port, mesh in (("waiting", waiting, MeshConfig()), ("hearing", hearing, parse(PATIENT)[0][0].onto(MeshConfig()))):
            one = workload(f"{name}-v1", ports=(WorkloadPort(port, "", app_address="127.0.0.1", app_port=app.server_address[1]),))
            compiled = Compiler().compile(Snapshot(mesh, [], [one], 1), one)
            sets.append((name, type(compiled)({key: blob for key, blob in compiled.blobs.items() if key[1] != "outbound"})))
        config = bootstrap.static(sets, bootstrap.Authority().issue("default", "a"), admin=admin, apart=False)
        with bootstrap.running(config, tmp_path, "detecting"):
            assert heard(hearing, 5) == b"220 ready\r\n"
            assert heard(waiting, 0.6) == b""
        app.shutdown()
