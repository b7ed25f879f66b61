"""The same traffic through a real Prometheus and through the embedded store: the same answers, within 2 %."""

import contextlib
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from meshconsole.cli.up import free_port
from telemetry import ingest, query
from tests.benchmarks._prometheus import lines

from .traffic import HOST, batch, connections, messages, requests

EVERY = (
    requests("a-v1", "b-v1", 40, 7.0),
    requests("a-v1", "b-v1", 4, 80.0, code="503", response_flags="UF"),
    requests("a-v1", "b-v2", 10, 30.0),
    requests("b-v1", "unknown", 2, 0.4, service="c", code="500", response_flags="FI"),
    requests("a-v1", "b-v1", 44, 7.0, reporter="destination"),
    requests("a-v1", "b-v2", 10, 30.0, reporter="destination", connection_security_policy="none"),
    requests("unknown", "b-v2", 5, 30.0, reporter="destination"),
    connections("a-v1", "db-v1", 6, 60_000, 3_000),
    connections("a-v1", "db-v1", 6, 60_000, 3_000, reporter="destination"),
    messages("a-v1", "b", 35, 20),
    messages("b-v1", "b", 35, 20, reporter="destination"),
)
"""Five seconds of it."""
STEP, STEPS = 5, 72
END = time.time() // 3600 * 3600 - 7200
"""Long enough ago for Prometheus to take it as a block."""


def openmetrics(body: bytes) -> str:
    """What an agent would have said at each scrape, with its time: no waiting, and nothing depends on how busy this machine is."""
    said = []
    for series, value in lines(body):
        said += [f"{series} {value * i} {END - STEP * (STEPS - i)}" for i in range(STEPS + 1)]
    return "\n".join(sorted(said, key=lambda line: line.split("{")[0])) + "\n# EOF\n"


@pytest.fixture(scope="module", params=["prometheus", "victoria-metrics"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Prometheus, and a real VictoriaMetrics, that hold six minutes of steady traffic."""
    folder: Path = tmp_path_factory.mktemp(request.param)
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    start = prometheus if request.param == "prometheus" else victoria_metrics
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(start(folder, port), stdout=subprocess.DEVNULL, stderr=log)
    try:
        for _ in range(300):
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{address}{'/-/ready' if start is prometheus else '/health'}", trust_env=False).is_success:
                    break
            time.sleep(0.1)
        if start is victoria_metrics:
            past = [
                re.sub(r" (\d+(?:\.\d+)?)$", lambda m: f" {int(float(m[1]) * 1000)}", line)
                for line in openmetrics(batch(*EVERY)).splitlines()
            ]
            httpx.post(f"{address}/api/v1/import/prometheus", content="\n".join(past[:-1]) + "\n", trust_env=False).raise_for_status()
            httpx.get(f"{address}/internal/force_flush", trust_env=False).raise_for_status()
        yield address
    finally:
        process.terminate()
        process.wait(20)


def prometheus(folder: Path, port: int) -> list[str]:
    binary, promtool = shutil.which("prometheus"), shutil.which("promtool")
    assert binary and promtool, "prometheus is missing: .ci/packages installs it"
    (folder / "past").write_text(openmetrics(batch(*EVERY)))
    subprocess.run(
        [promtool, "tsdb", "create-blocks-from", "openmetrics", str(folder / "past"), str(folder / "data")], check=True, capture_output=True
    )
    (folder / "prometheus.yml").write_text("")
    return [
        binary,
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]


def victoria_metrics(folder: Path, port: int) -> list[str]:
    binary = shutil.which("victoria-metrics")
    assert binary, "victoria-metrics is missing: .ci/packages installs it"
    return [binary, f"-storageDataPath={folder}/data", f"-httpListenAddr=127.0.0.1:{port}", "-retentionPeriod=12"]


@pytest.fixture
def both(url, db, settings):
    """Asks each store the same: `both(lambda start, end: …)` -> (embedded's answer, Prometheus' answer)."""
    for i in range(1, STEPS + 1):
        at = END - STEP * (STEPS - i)
        ingest.store("default/a-v1", "e", i, batch(*EVERY, end=at, seconds=STEP), now=at)

    def ask(question):
        settings.PROMETHEUS_URL = ""
        embedded = question(END - 120, END)
        settings.PROMETHEUS_URL = url
        return embedded, question(END - 120, END)

    return ask


def test_edges_are_the_same(both):
    embedded, theirs = both(lambda start, end: query.edges(start, end, now=end))
    assert [(e.source, e.destination, e.service, e.protocol, e.reporter) for e in theirs] == [
        (e.source, e.destination, e.service, e.protocol, e.reporter) for e in embedded
    ]
    assert len(theirs) == 5
    for mine, other in zip(embedded, theirs, strict=True):
        assert other.rate == pytest.approx(mine.rate, rel=0.02)
        assert other.error_share == pytest.approx(mine.error_share, abs=0.02)
        assert set(other.codes) == set(mine.codes) and set(other.flags) == set(mine.flags)
        assert [p or 0 for p in (other.p50, other.p95, other.p99)] == pytest.approx(
            [p or 0 for p in (mine.p50, mine.p95, mine.p99)], rel=0.02
        )
        assert (mine.mtls_share is None) == (other.mtls_share is None)
        assert other.mtls_share == (None if mine.mtls_share is None else pytest.approx(mine.mtls_share, abs=0.02))
        assert other.request_bytes == pytest.approx(mine.request_bytes, rel=0.02)
        assert (other.sent, other.received, other.connections) == pytest.approx((mine.sent, mine.received, mine.connections), rel=0.02)


def test_golden_signals_are_the_same(both):
    embedded, theirs = both(lambda start, end: query.golden(start, end, service=HOST.format("b"), now=end))
    assert theirs.rate == pytest.approx(embedded.rate, rel=0.02)
    assert embedded.rate == pytest.approx(59 / STEP)
    assert theirs.p95 == pytest.approx(embedded.p95, rel=0.02)


def test_charts_are_the_same(both):
    where = {"destination_canonical_service": "b", "destination_workload_namespace": ["default", "other"]}
    for metric in ("requests", "p95", "error_share"):
        embedded, theirs = both(lambda start, end, m=metric: query.series(m, start, end, 30, ["destination_workload"], where, now=end))
        assert (
            [line.labels for line in theirs] == [line.labels for line in embedded] == [{"destination_workload": f"b-v{i}"} for i in (1, 2)]
        )
        for mine, other in zip(embedded, theirs, strict=True):
            assert [at for at, _ in other.points] == [at for at, _ in mine.points]
            for (_, a), (_, b) in zip(mine.points, other.points, strict=True):
                assert b == pytest.approx(a, rel=0.02)


def test_sizes_messages_and_connections_are_the_same(both):
    expected = {
        "tcp_sent": 60_000 / STEP, "tcp_received": 3_000 / STEP, "connections": 6 / STEP, "closed_connections": 6 / STEP,
        "request_messages": 35 / STEP, "response_messages": 20 / STEP, "request_size_p50": 375.0, "response_size_p95": 2425.0,
    }  # fmt: skip
    for metric, value in expected.items():
        embedded, theirs = both(lambda start, end, m=metric: query.series(m, start, end, 60, now=end))
        for (line,) in (embedded, theirs):
            assert len(line.points) == 2 and [v for _, v in line.points] == pytest.approx([value] * 2, rel=0.02), metric
    embedded, theirs = both(
        lambda start, end: query.series("request_messages", start, end, 60, ["reporter", "destination_service"], now=end)
    )
    named = [{"reporter": r, "destination_service": HOST.format("b")} for r in ("destination", "source")]
    assert [line.labels for line in embedded] == [line.labels for line in theirs] == named


def test_namespaces_bound_the_edges(both):
    embedded, theirs = both(lambda start, end: query.edges(start, end, {"nowhere"}, now=end))
    assert embedded == theirs == []


def test_a_label_cannot_end_its_quotes(both):
    where = {"destination_workload": 'x"} or vector(1) or y{a="\\', "reporter": ["a|b", ".*"]}
    _, (line,) = both(lambda start, end: query.series("requests", start, end, 10, where=where, now=end))
    assert {value for _, value in line.points} == {0.0}


def test_one_that_is_away_is_said_to_be(settings):
    settings.PROMETHEUS_URL = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(query.Unavailable, match="Prometheus does not answer"):
        query.edges(0, 60)


def test_any_promql_is_answered_and_a_wrong_one_refused(url, settings):
    settings.PROMETHEUS_URL = url
    promql = 'sum by (destination_workload) (increase(istio_requests_total{reporter="source", response_code="503"}[1m])) > 1'
    [(labels, value)] = query.instant(promql, END)
    assert labels == {"destination_workload": "b-v1"} and value == pytest.approx(48, rel=0.02)
    with pytest.raises(query.Refused):
        query.instant("sum(", END)
    settings.PROMETHEUS_URL = ""
    with pytest.raises(query.Refused, match="PROMETHEUS_URL is not set"):
        query.instant("up", END)
