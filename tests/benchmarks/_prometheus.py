"""A real Prometheus beside ours: it scrapes the same figures, from targets that this file serves, and answers PromQL."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx

from meshconsole.cli.up import free_port
from telemetry import samples
from telemetry.samples import ISTIO_BOUNDS

Line = tuple[str, float]


def lines(batch: bytes, durations: bool = True) -> list[Line]:
    """A batch as what an agent would serve for it: 67 series per label set of requests, or its counters alone."""
    decoded = samples.decode(batch)
    found: list[Line] = [(f"{c.name}{{{_labels(c.labels)}}}", c.value) for c in decoded.counters]
    for h in decoded.histograms if durations else ():
        text = _labels(h.labels)
        total = 0
        for bound, n in zip((*map(str, ISTIO_BOUNDS), "+Inf"), h.buckets, strict=True):
            total += n
            found.append((f'{h.name}_bucket{{{text},le="{bound}"}}', total))
        found.append((f"{h.name}_count{{{text}}}", h.count))
        found.append((f"{h.name}_sum{{{text}}}", h.sum))
    return found


def _labels(labels: dict[str, str]) -> str:
    return ",".join(f'{k}="{v}"' for k, v in labels.items())


class Targets:
    """Serves `/0`, `/1`, …: each scrape finds the counters moved on by one batch."""

    def __init__(self, pages: list[list[Line]]) -> None:
        self.pages = pages
        self.scrapes = [0] * len(pages)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                i = int(self.path.strip("/"))
                outer.scrapes[i] += 1
                factor = outer.scrapes[i]
                body = "".join([f"{series} {value * factor}\n" for series, value in outer.pages[i]]).encode()
                self.send_response(200)
                self.send_header("content-type", "text/plain; version=0.0.4")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def samples(self) -> int:
        """Handed out so far."""
        return sum(n * len(page) for n, page in zip(self.scrapes, self.pages, strict=True))


class Prometheus:
    def __init__(self, url: str, pid: int) -> None:
        self.url = url
        self.pid = pid

    def query(self, promql: str, **more: object) -> list[dict]:
        answer = httpx.post(f"{self.url}/api/v1/query", data={"query": promql, **more}, timeout=120, trust_env=False)
        answer.raise_for_status()
        return answer.json()["data"]["result"]

    def cpu(self) -> float:
        """Seconds, user and system."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def prometheus(targets: Targets, interval: int, core: int | None = None) -> Iterator[Prometheus]:
    binary = shutil.which("prometheus")
    if binary is None:
        raise SystemExit("prometheus is not installed: apt-get install prometheus")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        jobs = "\n".join(
            f"  - job_name: t{i}\n    metrics_path: /{i}\n    static_configs: [{{targets: ['127.0.0.1:{targets.port}']}}]"
            for i in range(len(targets.pages))
        )
        Path(folder, "prometheus.yml").write_text(
            f"global: {{scrape_interval: {interval}s, scrape_timeout: {interval}s}}\nscrape_configs:\n{jobs}\n"
        )
        command = [
            binary,
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        if core is not None:
            command = ["taskset", "-c", str(core), *command]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            url = f"http://127.0.0.1:{port}"
            for _ in range(200):
                with contextlib.suppress(httpx.HTTPError):
                    if httpx.get(f"{url}/-/ready", trust_env=False).is_success:
                        break
                time.sleep(0.1)
            yield Prometheus(url, process.pid)
        finally:
            process.terminate()
            process.wait(30)
            targets.server.shutdown()
