"""A console of its own for the browser: one real process on a free port, with a home that is thrown away."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Console:
    """The web process without agents, Valkey and workers: what pages need, and nothing that takes seconds to start."""

    def __init__(self, home: Path, **settings: str):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        kept = {k: v for k, v in os.environ.items() if not k.startswith("MESHCONSOLE_") and k not in ("DATABASE_URL", "REDIS_URL")}
        self.environment = {
            **kept,
            "MESHCONSOLE_HOME": str(home),
            "DATABASE_URL": f"sqlite:///{home / 'browser.sqlite3'}",
            "DJANGO_SETTINGS_MODULE": "meshconsole.settings",
            "PYTHONPATH": str(ROOT),
            "LOG_LEVEL": "WARNING",
            **settings,
        }
        self.log = home / "web.log"

    def start(self) -> "Console":
        self.manage("migrate", "--noinput", "-v", "0")
        facts = json.loads(self.manage("bootstrap", "--password", "open sesame").splitlines()[-1])
        self.username, self.password, self.token = facts["username"], facts["password"], facts["token"]
        with self.log.open("w") as out:
            self.process = subprocess.Popen(self.command(), env=self.environment, cwd=ROOT, stdout=out, stderr=out)
        self.api = httpx.Client(base_url=self.url, headers={"authorization": f"Bearer {self.token}"}, timeout=30, trust_env=False)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"the console ended at once:\n{self.log.read_text()}")
            try:
                if self.api.get("/login/").is_success:
                    return self
            except httpx.HTTPError:
                time.sleep(0.1)
        raise AssertionError(f"the console did not start:\n{self.log.read_text()}")

    def command(self) -> list[str]:
        return [sys.executable, "-m", "uvicorn", "meshconsole.asgi:application", "--port", str(self.port), "--log-level", "warning"]

    def stop(self) -> None:
        self.api.close()
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def manage(self, *words: str) -> str:
        return self.run("-m", "django", *words)

    def bookinfo(self, *words: str) -> str:
        """Register Bookinfo's workloads, and count a minute of its requests."""
        return self.run("-m", "tests.browser.bookinfo", *words)

    def run(self, *words: str) -> str:
        done = subprocess.run([sys.executable, *words], env=self.environment, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def apply(self, text: str, message: str = "") -> int:
        answer = self.api.post("/api/v1/apply", params={"message": message}, content=text, headers={"content-type": "application/yaml"})
        assert answer.is_success, answer.text
        return answer.json()["revision"]
