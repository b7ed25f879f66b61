"""A user's own tools beside the mesh: Prometheus finds it, scrapes it, and says what the console says."""

import pytest

from .live import LiveMesh, eventually
from .prometheus import Prometheus

URL = "http://echo:27080/"


@pytest.fixture(scope="module")
def observed(tmp_path_factory):
    """`client` calls `echo`, and a Prometheus scrapes both and the console."""
    folder = tmp_path_factory.mktemp("observed")
    mesh = LiveMesh(folder).start()
    try:
        mesh.client = mesh.workload("client", service="client", options=("--metrics-interval", "1"))
        mesh.echo = mesh.workload("echo-v1", service="echo", labels={"version": "v1"}, account="echo", options=("--metrics-interval", "1"))
        mesh.prometheus = Prometheus(mesh, folder / "prometheus")
        try:
            mesh.warm(mesh.client, URL)
            yield mesh
        finally:
            mesh.prometheus.stop()
    finally:
        mesh.stop()


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
    [edge] = edges().values()
    for q in ("0.5", "0.95"):
        [(_, value)] = observed.prometheus.vector(
            f'histogram_quantile({q}, sum by (le) (istio_request_duration_milliseconds_bucket{{reporter="source", source_workload="client"}}))',
            (),
        ).items()
        assert value == pytest.approx(edge["p" + q[2:].ljust(2, "0")], rel=0.02)
    by_reporter = "sum by (reporter, response_code) (istio_requests_total)"

    def agree() -> bool:
        both = observed.prometheus.vector(by_reporter, ("reporter", "response_code"))
        assert {c: n for (r, c), n in both.items() if r == "source"} == {c: n for (r, c), n in both.items() if r == "destination"}, both
        return True

    eventually(agree, 10)
