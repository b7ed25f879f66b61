"""The Bookinfo mesh: six workloads and an ingress gateway, each a real process with an agent and a real Envoy beside it."""

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

POLICIES = Path(__file__).parent / "policies"
NAMESPACE = "default"
NET = os.environ.get("MESHCONSOLE_DEMO_NET", "127.0")
"""The first half of the demo's loopback addresses, so that two demos can run on one machine."""


@dataclass(frozen=True)
class Demo:
    """One workload. `host` is the last byte of its loopback addresses: Envoy answers on 127.0.1.x, the application on 127.0.2.x."""

    service: str
    version: str
    host: int

    @property
    def name(self) -> str:
        return f"{self.service}-{self.version}"

    @property
    def address(self) -> str:
        return f"{NET}.1.{self.host}"

    @property
    def app_address(self) -> str:
        return f"{NET}.2.{self.host}"


WORKLOADS = (
    Demo("productpage", "v1", 1),
    Demo("details", "v1", 2),
    Demo("reviews", "v1", 3),
    Demo("reviews", "v2", 4),
    Demo("reviews", "v3", 5),
    Demo("ratings", "v1", 6),
)
GATEWAY = "ingressgateway"


def start(checklist, children, home: Path, facts: dict, *, rate: float) -> None:
    """Policies (the first time only), applications, agents, traffic. Raises when the mesh does not come into sync."""
    api = httpx.Client(base_url=facts["url"], headers={"authorization": f"Bearer {facts['token']}"}, timeout=30, trust_env=False)
    with checklist.step("Bookinfo's policies") as step:
        step.detail = seed(api, facts, home)
    with checklist.step("Six workloads") as step:
        for demo in WORKLOADS:
            command = [sys.executable, "-m", f"meshconsole.demo.{demo.service}", "--address", demo.app_address, "--version", demo.version]
            children.start(demo.name, command, {"http_proxy": f"http://{demo.address}:15001"})
            checklist.progress(step, demo.name)
        step.detail = ", ".join(d.name for d in WORKLOADS)
    with checklist.step("Seven agents with their Envoys") as step:
        for demo in WORKLOADS:
            agent(children, api, home, facts, demo.name, f"bookinfo-{demo.service}", [
                "--service", demo.service, "--label", f"app={demo.service}", "--label", f"version={demo.version}",
                "--address", demo.address, "--outbound-address", demo.address,
                "--port", f"9080:http={demo.app_address}:9080", "--health", "http:/health", "--concurrency", "1", "--drain-seconds", "2",
            ])  # fmt: skip
        agent(children, api, home, facts, GATEWAY, GATEWAY, [
            "--kind", "gateway", "--label", "istio=ingressgateway", "--label", f"app={GATEWAY}", "--address", "127.0.0.1",
        ])  # fmt: skip
        wait_in_sync(api, checklist, step, home)
    with checklist.step("Bookinfo answers") as step:
        _wait_for_page(facts["gateway"])
        step.detail = f"{facts['gateway']}/productpage"
    command = [sys.executable, "-m", "meshconsole.demo.traffic", "--url", facts["gateway"], "--rate", str(rate)]
    children.start("traffic", command, {})


def seed(api: httpx.Client, facts: dict, home: Path) -> str:
    """Apply the demo's own policies once; what the user made of them later is kept."""
    mark = home / "demo.seeded"
    if mark.exists():
        return "kept as they were"
    port = facts["gateway"].rsplit(":", 1)[1]
    parts = [(POLICIES / name).read_text() for name in ("bookinfo.yaml", "reliability.yaml")]
    text = "---\n".join(parts).replace("number: 8080", f"number: {port}")
    answer = api.post("/api/v1/apply", params={"message": "Bookinfo"}, content=text, headers={"content-type": "application/yaml"})
    if answer.is_error:
        raise RuntimeError(f"the demo's policies were refused: {answer.text}")
    mark.touch()
    return "applied"


def agent(children, api: httpx.Client, home: Path, facts: dict, name: str, account: str, options: list[str]) -> None:
    state = home / "agents" / name
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    environment = {"MESHCONSOLE_JOIN_TOKEN": join_token(api, account)} if not (state / "identity").exists() else {}
    command = [
        sys.executable, "-m", "proxyagent", "--console", facts["url"].replace("http", "ws", 1), "--namespace", NAMESPACE, "--name", name,
        "--service-account", account, "--state-dir", str(state), *options,
    ]  # fmt: skip
    children.start(f"agent-{name}", command, environment)


def join_token(api: httpx.Client, account: str) -> str:
    answer = api.post("/api/v1/join-tokens", json={"namespace": NAMESPACE, "serviceAccount": account, "ttl": "1h", "uses": 1})
    answer.raise_for_status()
    return answer.json()["token"]


def wait_in_sync(api: httpx.Client, checklist, step, home: Path, seconds: float = 60) -> None:
    wanted, end = {d.name for d in WORKLOADS} | {GATEWAY}, time.monotonic() + seconds
    while True:
        proxies = {p["name"]: p for p in api.get("/api/v1/proxies").json()["items"]}
        synced = {name for name in wanted if (p := proxies.get(name)) and p["connected"] and p["state"] == "SYNCED"}
        checklist.progress(step, f"{len(synced)} of {len(wanted)} in sync")
        if synced == wanted:
            return
        if time.monotonic() > end:
            why = [
                f"{name}: {proxies.get(name, {}).get('error') or 'not connected or not acknowledged'}" for name in sorted(wanted - synced)
            ]
            raise RuntimeError(f"not in sync after {seconds:.0f} s; see {home / 'log'}\n" + "\n".join(why))
        time.sleep(0.2)


def _wait_for_page(gateway: str, seconds: float = 20) -> None:
    end, said = time.monotonic() + seconds, ""
    while time.monotonic() < end:
        try:
            answer = httpx.get(f"{gateway}/productpage", timeout=5, trust_env=False)
            if answer.is_success and "Reviews served by" in answer.text:
                return
            said = f"{answer.status_code}"
        except httpx.HTTPError as e:
            said = str(e)
        time.sleep(0.2)
    raise RuntimeError(f"{gateway}/productpage did not answer within {seconds:.0f} s: {said}")
