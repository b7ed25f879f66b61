"""A mesh of real processes on loopback, driven as a user drives it: over the REST API, and by calls through Envoys."""

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from meshconsole.cli.children import Child, Children
from meshconsole.cli.up import _await, _listens, embedded_valkey, free_port

ROOT = Path(__file__).resolve().parents[2]
_hosts = itertools.count(1)


def eventually(said: Callable[[], object], seconds: float = 20, every: float = 0.1):
    """The first truthy answer; a complaint with the last answer when the time is over."""
    end, last = time.monotonic() + seconds, None
    while time.monotonic() < end:
        try:
            if last := said():
                return last
        except (httpx.HTTPError, KeyError, IndexError, AssertionError) as e:
            last = e
        time.sleep(every)
    raise AssertionError(f"not within {seconds} s; last: {last!r}")


@dataclass
class Instance:
    """One workload: an application, its agent, its Envoy."""

    name: str
    namespace: str
    address: str
    app_address: str
    port: int
    state_dir: Path
    agent: Child
    app: Child | None

    @property
    def id(self) -> str:
        return f"{self.namespace}/{self.name}"

    def client(self, **options) -> httpx.Client:
        """Calls as this workload's application would make them."""
        return httpx.Client(proxy=f"http://{self.address}:15001", timeout=30, trust_env=False, **options)

    def get(self, url: str, **options) -> httpx.Response:
        with self.client() as client:
            return client.get(url, **options)

    def control(self, **values: object) -> dict:
        return httpx.get(f"http://{self.app_address}:{self.port}/control", params=values, trust_env=False).json()

    @property
    def count(self) -> int:
        return httpx.get(f"http://{self.app_address}:{self.port}/count", trust_env=False).json()["count"]

    def envoy_pid(self) -> int:
        """The Envoy beside this agent: the process whose command line names this state folder."""
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue
                if words[0].endswith(b"/envoy") and any(str(self.state_dir).encode() in w for w in words):
                    return int(entry.name)
        return 0


class LiveMesh:
    def __init__(self, home: Path, **settings: str):
        self.home, self.children, self.port = home, Children(home), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            "MESHCONSOLE_HOME": str(home), "DJANGO_SETTINGS_MODULE": "meshconsole.settings", "PYTHONPATH": str(ROOT), "LOG_LEVEL": "INFO", **settings,
        }  # fmt: skip
        self.instances: dict[str, Instance] = {}

    def start(self) -> "LiveMesh":
        self.manage("migrate", "--noinput", "-v", "0")
        facts = json.loads(self.manage("bootstrap").splitlines()[-1])
        self.username, self.password, self.token = facts["username"], facts["password"], facts["token"]
        self.environment["REDIS_URL"] = embedded_valkey(self.children, self.home)
        self.valkey = self.children.list[-1]
        self.start_console()
        self.api = httpx.Client(base_url=self.url, headers={"authorization": f"Bearer {self.token}"}, timeout=60, trust_env=False)
        return self

    def start_console(self) -> None:
        self.web = self.children.start("web", [sys.executable, "-m", "meshconsole.cli", "web", "--port", str(self.port)], self.environment)
        _await(self.web, lambda: _listens("127.0.0.1", self.port), 60, "the console did not start")
        eventually(lambda: httpx.get(f"{self.url}/readyz", trust_env=False).is_success, 60)

    def revive(self, *wanted: Child) -> None:
        """Start again all that died (or these alone), as `meshconsole up` does."""

        def all_run() -> bool:
            everybody = self.children.list
            try:
                self.children.list = list(wanted) or everybody
                self.children.restart_the_dead()
            finally:
                self.children.list = everybody
            return all(child.running for child in wanted or everybody)

        eventually(all_run, 30)

    def manage(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "django", *words], env={**os.environ, **self.environment}, capture_output=True, text=True, cwd=ROOT
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def cli(self, *words: str, stdin: str | None = None) -> subprocess.CompletedProcess:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "MESHCONSOLE_URL": self.url, "MESHCONSOLE_TOKEN": self.token}
        return subprocess.run(
            [sys.executable, "-m", "meshconsole.cli", *words], env=environment, input=stdin, capture_output=True, text=True, cwd=ROOT
        )

    # --- workloads ----------------------------------------------------------------------------------------------------

    def workload(
        self, name: str, *, service: str = "", labels: dict[str, str] | None = None, namespace: str = "default", account: str = "",
        kind: str = "sidecar", port: int = 27080, app: list[str] | None = None, options: tuple[str, ...] = (), environment: dict[str, str] | None = None,
        app_environment: dict[str, str] | None = None, app_listens: bool = True,
    ) -> Instance:  # fmt: skip
        """Start an application (tests/journeys/origin.py unless `app` is another command) and an agent beside it; wait until it is in sync.

        In `app`, `{address}` and `{port}` are where it must listen.
        """
        host = next(_hosts)
        address, app_address = f"127.3.{os.getpid() % 200}.{host}", f"127.4.{os.getpid() % 200}.{host}"
        state = self.home / "agents" / name
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        application = None
        command = [
            sys.executable,
            "-m",
            "proxyagent",
            "--console",
            self.url.replace("http", "ws", 1),
            "--namespace",
            namespace,
            "--name",
            name,
        ]
        command += ["--service-account", account or name, "--state-dir", str(state), "--address", address, "--kind", kind]
        for label in ({"app": service or name} | (labels or {})).items():
            command += ["--label", "=".join(label)]
        if kind == "sidecar":
            run = app or [sys.executable, "-m", "tests.journeys.origin", name, "{address}", "{port}"]
            run = [w.format(address=app_address, port=port) for w in run]
            application = self.children.start(
                f"app-{name}", run, {"PYTHONPATH": str(ROOT), "http_proxy": f"http://{address}:15001", **(app_environment or {})}
            )
            command += ["--outbound-address", address]
            if service:
                command += ["--service", service]
            if service and app_listens:
                command += ["--port", f"{port}:http={app_address}:{port}", "--health", "http:/health"]
        token = self.join_token(namespace, account or name)
        agent = self.children.start(
            f"agent-{name}", [*command, *options], {"PYTHONPATH": str(ROOT), "MESHCONSOLE_JOIN_TOKEN": token, **(environment or {})}
        )
        instance = Instance(name, namespace, address, app_address, port, state, agent, application)
        self.instances[name] = instance
        self.wait_synced(name)
        if application and service and app_listens:
            eventually(lambda: _listens(app_address, port))
        return instance

    def join_token(self, namespace: str, account: str) -> str:
        answer = self.api.post("/api/v1/join-tokens", json={"namespace": namespace, "serviceAccount": account, "ttl": "1h", "uses": 1})
        assert answer.is_success, answer.text
        return answer.json()["token"]

    def proxy(self, name: str) -> dict:
        return next((p for p in self.api.get("/api/v1/proxies").json()["items"] if p["name"] == name), {})

    def wait_synced(self, *names: str, seconds: float = 40) -> None:
        wanted = names or tuple(self.instances)

        def synced() -> bool:
            proxies = {p["name"]: p for p in self.api.get("/api/v1/proxies").json()["items"]}
            return all(proxies[n]["connected"] and proxies[n]["state"] == "SYNCED" for n in wanted)

        eventually(synced, seconds)

    def warm(self, client: Instance, url: str, wanted: int = 200) -> None:
        """Until calls succeed: endpoints may still be on their way, and a connection made under an earlier policy serves once more. Each
        call comes by a connection of its own, so that every worker of the caller's Envoy has a turn."""
        eventually(lambda: all(client.get(url).status_code == wanted for _ in range(24)), 30)

    # --- policies -----------------------------------------------------------------------------------------------------

    def apply(self, text: str, *, wait: bool = True, message: str = "") -> int:
        """Apply YAML; with `wait` until every proxy concerned has ACKed. Returns the revision (0 when nothing changed)."""
        answer = self.api.post("/api/v1/apply", params={"message": message}, content=text, headers={"content-type": "application/yaml"})
        assert answer.is_success, answer.text
        revision = answer.json()["revision"] or 0
        if wait and revision:
            eventually(lambda: self.status(revision)["state"] == "programmed", 20)
        return revision

    def status(self, revision: int) -> dict:
        return self.api.get(f"/api/v1/revisions/{revision}/status").json()

    def resources(self) -> list[dict]:
        return self.api.get("/api/v1/resources").json()["items"]

    def clear(self) -> None:
        """Delete every policy, and wait for it."""
        for r in self.resources():
            group, version = r["apiVersion"].split("/")
            plural = r["kind"].lower() + ("es" if r["kind"].endswith("y") is False and r["kind"].endswith("s") else "s")
            plural = plural[:-2] + "ies" if r["kind"].endswith("y") else plural
            path = f"/apis/{group}/{version}/namespaces/{r['metadata']['namespace']}/{plural}/{r['metadata']['name']}"
            assert self.api.delete(path).is_success, path
        if self.instances:
            latest = self.api.get("/api/v1/revisions").json()["items"]
            if latest:
                eventually(lambda: self.status(latest[0]["number"])["state"] == "programmed", 20)

    def stop(self) -> None:
        self.api.close()
        killed = self.children.stop_all()
        left = [i.name for i in self.instances.values() if i.envoy_pid()]
        assert not killed, f"did not stop by themselves: {killed}"
        assert not left, f"left an Envoy behind: {left}"
