"""A user's own tools beside the mesh: Prometheus finds it, scrapes it, and says what the console says."""

import contextlib
import socket
import socketserver
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from tests.grafana.queries import every, filled, variables

from .live import LiveMesh, eventually
from .prometheus import Prometheus

URL = "http://echo:27080/"


QUIET = {
    "Refusals by type",  # nobody refused anything,
    "Agents turned away",  # nobody was turned away,
    "Failed requests by service",  # and what failed may be out of the last 20 s
    "Response flags",
}
"""Panels that show trouble: empty in a mesh without any."""


@pytest.fixture(scope="module")
def observed(tmp_path_factory):
    """`client` calls `echo` by HTTP, gRPC and TCP, and a Prometheus scrapes both and the console, which has a worker."""
    folder = tmp_path_factory.mktemp("observed")
    mesh = LiveMesh(folder).start()
    try:
        mesh.children.start("worker", [sys.executable, "-m", "meshconsole.cli", "worker"], mesh.environment)
        with grpc_echo() as grpc_port, tcp_echo() as tcp_port:
            mesh.client = mesh.workload("client", service="client", options=("--metrics-interval", "1"))
            ports = ("--port", f"27082:grpc=127.0.0.1:{grpc_port}", "--port", f"27083:tcp-raw=127.0.0.1:{tcp_port}")
            mesh.echo = mesh.workload(
                "echo-v1", service="echo", labels={"version": "v1"}, account="echo", options=("--metrics-interval", "1", *ports)
            )
            mesh.prometheus = Prometheus(mesh, folder / "prometheus")
            try:
                mesh.warm(mesh.client, URL)
                yield mesh
            finally:
                mesh.prometheus.stop()
    finally:
        mesh.stop()


@contextlib.contextmanager
def grpc_echo():
    """Says each message back; `/Echo/Fail` is UNAVAILABLE."""

    class Handler(grpc.GenericRpcHandler):
        def service(self, call):
            if call.method == "/Echo/Fail":
                return grpc.unary_unary_rpc_method_handler(lambda message, context: context.abort(grpc.StatusCode.UNAVAILABLE, "no"))
            return grpc.stream_stream_rpc_method_handler(lambda messages, context: messages)

    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((Handler(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(0)


@contextlib.contextmanager
def tcp_echo():
    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            while data := self.request.recv(4096):
                self.request.sendall(data)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def grpc_calls(mesh, calls: int, messages: int, *, fail: bool = True) -> None:
    """Streams of so many messages each way, and one call that fails (which the mesh tries again, so the server sees it more than once)."""
    with grpc.insecure_channel(f"{mesh.client.address}:15001", options=[("grpc.default_authority", "echo:27082")]) as channel:
        stream = channel.stream_stream("/Echo/Stream")
        for _ in range(calls):
            assert len(list(stream(iter([b"m"] * messages), timeout=20))) == messages
        if fail:
            with pytest.raises(grpc.RpcError):
                channel.unary_unary("/Echo/Fail")(b"m", timeout=20)


def tcp_call(mesh, size: int) -> None:
    with socket.create_connection((mesh.client.address, 27083), 10) as connection:
        connection.sendall(b"x" * size)
        left = size
        while left:
            left -= len(connection.recv(65536))


def test_prometheus_discovers_every_agent_and_the_console(observed):
    wanted = {"client": "up", "echo-v1": "up", "meshconsole": "up"}
    eventually(lambda: observed.prometheus.targets() == wanted, 20)


def test_prometheus_and_the_console_count_the_same(observed):
    with observed.client.client() as client:
        for i in range(300):
            assert client.get(URL + ("missing?status=404" if i % 10 == 0 else "")).status_code in (200, 404)
    observed.echo.control(status=503)
    for _ in range(15):
        assert observed.client.get(URL).status_code == 503
    observed.echo.control(status=200)

    def edges() -> dict:
        items = observed.api.get("/api/v1/metrics", params={"window": "5m"}).json()["items"]
        return {e["destination"]["workload"]: e for e in items if e["source"]["workload"] == "client"}

    def same() -> bool:
        [edge] = edges().values()
        theirs = observed.prometheus.vector(
            'sum by (response_code) (istio_requests_total{reporter="source", source_workload="client", destination_workload="echo-v1"})',
            ("response_code",),
        )
        assert {code: n for (code,), n in theirs.items()} == edge["codes"], (theirs, edge["codes"])
        return edge["codes"]["503"] == 15 and edge["requests"] >= 315

    eventually(same, 20)

    def as_fast() -> bool:  # Envoy merges its histograms a second after it counts
        [edge] = edges().values()
        for q in (50, 95):
            buckets = 'sum by (le) (istio_request_duration_milliseconds_bucket{reporter="source", destination_workload="echo-v1"})'
            [value] = observed.prometheus.vector(f"histogram_quantile({q / 100}, {buckets})", ()).values()
            assert value == pytest.approx(edge[f"p{q}"], rel=0.02)
        return True

    eventually(as_fast, 10)
    by_reporter = "sum by (reporter, response_code) (istio_requests_total)"

    def agree() -> bool:
        both = observed.prometheus.vector(by_reporter, ("reporter", "response_code"))
        assert {c: n for (r, c), n in both.items() if r == "source"} == {c: n for (r, c), n in both.items() if r == "destination"}, both
        return True

    eventually(agree, 10)


def test_every_panel_of_every_dashboard_shows_something(observed):
    mesh = observed
    end = time.monotonic() + 20
    while time.monotonic() < end:  # rates need a while of traffic
        with mesh.client.client() as client:
            for _ in range(5):
                client.get(URL)
        grpc_calls(mesh, 2, 3)
        tcp_call(mesh, 10_000)
        time.sleep(1)
    wanting = {}
    for asked in every():
        if not mesh.prometheus.query(filled(asked.promql)) and asked.panel not in QUIET:
            wanting[asked.dashboard, asked.panel] = filled(asked.promql)
    assert wanting == {}, "\n".join(map(str, wanting.items()))
    for query in variables():
        metric, _, label = query.removeprefix("label_values(").rstrip(")").rpartition(", ")
        assert mesh.prometheus.query(filled(f"count by ({label}) ({metric})")), query


def test_grpc_messages_are_counted_at_both_ends(observed):
    def said(reporter: str, side: str) -> float:
        found = observed.prometheus.vector(
            f'sum by (destination_service) (istio_{side}_messages_total{{reporter="{reporter}"}})', ("destination_service",)
        )
        return found.get(("echo.default.svc.cluster.local",), 0.0)

    sides = [(reporter, side) for reporter in ("source", "destination") for side in ("request", "response")]
    # A proxy learns of its first gRPC host by the first call, which is under way before it counts messages.
    grpc_calls(observed, 1, 1, fail=False)
    time.sleep(3)
    before = {s: said(*s) for s in sides}
    grpc_calls(observed, 10, 7, fail=False)

    def counted() -> bool:
        now = {s: said(*s) - before[s] for s in sides}
        assert now == dict.fromkeys(sides, 70), now
        return True

    eventually(counted, 10)
