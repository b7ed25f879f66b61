"""A real Prometheus beside a live mesh: it finds the agents by the console's `/sd/prometheus` and scrapes them."""

import contextlib
import shutil
import subprocess
from pathlib import Path

import httpx

from meshconsole.cli.up import free_port

from .live import LiveMesh, eventually

CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
- job_name: mesh
  http_sd_configs:
  - {{url: "{url}/sd/prometheus", refresh_interval: 1s, authorization: {{type: Bearer, credentials: "{token}"}}}}
- job_name: meshconsole
  static_configs: [{{targets: ["{console}"]}}]
"""


class Prometheus:
    """`binary`: what is started; anything that takes Prometheus' flags and speaks its API."""

    def __init__(self, mesh: LiveMesh, folder: Path):
        binary = shutil.which("prometheus")
        assert binary, "prometheus is missing: .ci/packages installs it"
        folder.mkdir()
        (folder / "prometheus.yml").write_text(CONFIG.format(url=mesh.url, token=mesh.token, console=mesh.url.removeprefix("http://")))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        with (folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                [
                    binary,
                    f"--config.file={folder}/prometheus.yml",
                    f"--storage.tsdb.path={folder}/data",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                ],
                stdout=log,
                stderr=log,
            )
        eventually(lambda: httpx.get(f"{self.url}/-/ready", trust_env=False).is_success)

    def query(self, promql: str, **more: object) -> list[dict]:
        """A vector. What Prometheus refuses is an AssertionError in its own words."""
        answer = httpx.post(f"{self.url}/api/v1/query", data={"query": promql, **more}, timeout=60, trust_env=False).json()
        assert answer["status"] == "success", f"{answer.get('error')}: {promql}"
        return answer["data"]["result"]

    def vector(self, promql: str, by: tuple[str, ...]) -> dict[tuple[str, ...], float]:
        return {tuple(s["metric"].get(label, "") for label in by): float(s["value"][1]) for s in self.query(promql)}

    def targets(self) -> dict[str, str]:
        """Scrape address -> health (`up`, `down`, `unknown`)."""
        found = httpx.get(f"{self.url}/api/v1/targets", trust_env=False).json()["data"]["activeTargets"]
        return {t["labels"].get("workload", t["labels"]["job"]): t["health"] for t in found}

    def stop(self) -> None:
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
