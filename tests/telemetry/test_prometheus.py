"""The same traffic through a real Prometheus and through the embedded store: the same answers, within 2 %."""

import contextlib
import shutil
import subprocess
import threading
import time
from collections import Counter as Tally
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from meshconsole.cli.up import free_port
from telemetry import ingest, query
from telemetry.samples import decode, encode
from tests.benchmarks._prometheus import lines

from .traffic import HOST, batch, requests

SECONDS = 23
EVERY = (
    requests("a-v1", "b-v1", 40, 7.0),
    requests("a-v1", "b-v1", 4, 80.0, code="503", response_flags="UF"),
    requests("a-v1", "b-v2", 10, 30.0),
    requests("b-v1", "unknown", 2, 0.4, service="c", code="500", response_flags="FI"),
    requests("a-v1", "b-v1", 44, 7.0, reporter="destination"),
    requests("a-v1", "b-v2", 10, 30.0, reporter="destination", connection_security_policy="none"),
    requests("unknown", "b-v2", 5, 30.0, reporter="destination"),
)
"""One second of it."""


class Agent:
    """Serves the totals of what it has counted so far."""

    def __init__(self) -> None:
        self.totals: Tally[str] = Tally()
        agent = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = "".join(f"{series} {value}\n" for series, value in list(agent.totals.items())).encode()
                self.send_response(200)
                self.send_header("content-type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def count(self, body: bytes) -> None:
        self.totals.update(dict(lines(body)))


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory):
    """(URL of the Prometheus, batches with their times) after some seconds of steady traffic."""
    folder: Path = tmp_path_factory.mktemp("prometheus")
    binary = shutil.which("prometheus")
    assert binary, "prometheus is missing: .ci/packages installs it"
    agent, port = Agent(), free_port()
    zero = decode(batch(*EVERY))
    agent.totals.update({series: 0 for series, _ in lines(encode(zero))})
    target = f"127.0.0.1:{agent.server.server_address[1]}"
    (folder / "prometheus.yml").write_text(
        f"global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n- {{job_name: mesh, static_configs: [{{targets: ['{target}']}}]}}\n"
    )
    process = subprocess.Popen(
        [binary, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}"],
        stdout=subprocess.DEVNULL,
        stderr=(folder / "log").open("w"),
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(100):
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{url}/-/ready", trust_env=False).is_success:
                    break
            time.sleep(0.1)
        sent: list[tuple[float, bytes]] = []
        begin = time.time()
        for i in range(SECONDS):
            time.sleep(max(0.0, begin + i - time.time()))
            now = time.time()
            body = batch(*EVERY, end=now, seconds=1.0)
            agent.count(body)
            sent.append((now, body))
        yield url, sent
    finally:
        process.terminate()
        process.wait(20)
        agent.server.shutdown()


@pytest.fixture
def both(seen, db, settings):
    """Asks each store the same: `both(lambda now: …)` -> (embedded's answer, Prometheus' answer)."""
    url, sent = seen
    for i, (at, body) in enumerate(sent):
        ingest.store("default/a-v1", "e", i, body, now=at)
    end = sent[-1][0] // 10 * 10

    def ask(question):
        settings.PROMETHEUS_URL = ""
        embedded = question(end - 10, end)
        settings.PROMETHEUS_URL = url
        return embedded, question(end - 10, end)

    return ask


def test_edges_are_the_same(both):
    embedded, theirs = both(lambda start, end: query.edges(start, end, now=end))
    assert [(e.source, e.destination, e.service, e.protocol, e.reporter) for e in theirs] == [
        (e.source, e.destination, e.service, e.protocol, e.reporter) for e in embedded
    ]
    assert len(theirs) == 4
    for mine, other in zip(embedded, theirs, strict=True):
        assert other.rate == pytest.approx(mine.rate, rel=0.02)
        assert other.error_share == pytest.approx(mine.error_share, abs=0.02)
        assert set(other.codes) == set(mine.codes) and set(other.flags) == set(mine.flags)
        assert (other.p50, other.p95, other.p99) == pytest.approx((mine.p50, mine.p95, mine.p99), rel=0.02)
        assert (mine.mtls_share is None) == (other.mtls_share is None)
        assert other.mtls_share == (None if mine.mtls_share is None else pytest.approx(mine.mtls_share, abs=0.02))
        assert other.request_bytes == pytest.approx(mine.request_bytes, rel=0.05)


def test_golden_signals_are_the_same(both):
    embedded, theirs = both(lambda start, end: query.golden(start, end, service=HOST.format("b"), now=end))
    assert theirs.rate == pytest.approx(embedded.rate, rel=0.02)
    assert embedded.rate == pytest.approx(59, rel=0.06)
    assert theirs.p95 == pytest.approx(embedded.p95, rel=0.02)


def test_charts_are_the_same(both):
    where = {"destination_canonical_service": "b", "destination_workload_namespace": ["default", "other"]}
    for metric in ("requests", "p95", "error_share"):
        embedded, theirs = both(lambda start, end, m=metric: query.series(m, start, end, 10, ["destination_workload"], where, now=end))
        assert (
            [line.labels for line in theirs] == [line.labels for line in embedded] == [{"destination_workload": f"b-v{i}"} for i in (1, 2)]
        )
        for mine, other in zip(embedded, theirs, strict=True):
            assert [at for at, _ in other.points] == [at for at, _ in mine.points]
            for (_, a), (_, b) in zip(mine.points, other.points, strict=True):
                assert b == pytest.approx(a, rel=0.12, abs=0.01)  # a batch on the other side of a step's end is a tenth of it


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
