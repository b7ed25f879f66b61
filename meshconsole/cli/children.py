"""The processes that `meshconsole up` started: kept alive, written down on disk, and stopped without leaving one behind."""

import contextlib
import fcntl
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

STOP_SECONDS = 12.0
"""How long a process may take to stop by itself: an agent drains its Envoy first."""
STEADY_SECONDS = 10.0
"""A process that lived this long starts again at once; one that did not waits, longer each time."""


def take_lock(path: Path) -> IO[str] | None:
    """An exclusive lock for as long as the file stays open; None when another process holds it."""
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def started_at(pid: int) -> str:
    """The kernel's start time of a process: with the pid it names one process for ever ('' when there is none)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        return ""


@dataclass
class Child:
    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen | None = None
    failures: int = 0
    begun: float = 0.0
    not_before: float = field(default=0.0)

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def tail(self, lines: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


class Children:
    def __init__(self, home: Path):
        self.home = home
        self.list: list[Child] = []
        for folder in ("log", "run"):
            (home / folder).mkdir(exist_ok=True, mode=0o700)

    def start(self, name: str, command: list[str], environment: dict[str, str]) -> Child:
        child = Child(name, command, environment, self.home / "log" / f"{name}.log")
        self._spawn(child)
        self.list.append(child)
        return child

    def restart_the_dead(self) -> None:
        now = time.monotonic()
        for child in self.list:
            if child.running:
                continue
            if child.not_before == 0.0:
                child.failures = 0 if now - child.begun > STEADY_SECONDS else child.failures + 1
                child.not_before = now + min(10.0, 0.5 * 2**child.failures) * (child.failures > 0)
            if now >= child.not_before:
                self._spawn(child)

    def stop_all(self) -> list[str]:
        """Newest first, so that callers go before what they call; returns the names of those that had to be killed."""
        killed = []
        for child in reversed(self.list):
            if child.process is not None and child.running:
                child.process.terminate()
        end = time.monotonic() + STOP_SECONDS
        for child in reversed(self.list):
            if child.process is None:
                continue
            try:
                child.process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                killed.append(child.name)
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.process.pid, signal.SIGKILL)
                child.process.wait()
            self._pid_file(child.name).unlink(missing_ok=True)
        return killed

    def reap_leftovers(self) -> None:
        """Stop what an earlier `up` that was killed has left running."""
        left: list[tuple[int, str]] = []
        for file in (self.home / "run").glob("*.pid"):
            pid, _, start = file.read_text().partition(" ")
            if start and started_at(int(pid)) == start:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGTERM)
                    left.append((int(pid), start))
            file.unlink()
        end = time.monotonic() + STOP_SECONDS
        while left and time.monotonic() < end:
            left = [(pid, start) for pid, start in left if started_at(pid) == start]
            time.sleep(0.1)
        for survivor, _ in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(survivor, signal.SIGKILL)

    def _spawn(self, child: Child) -> None:
        with child.log.open("ab") as log:
            child.process = subprocess.Popen(
                child.command, env={**os.environ, **child.environment}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,  # Ctrl-C reaches only this process, which then stops them in order
            )  # fmt: skip
        child.begun, child.not_before = time.monotonic(), 0.0
        self._pid_file(child.name).write_text(f"{child.process.pid} {started_at(child.process.pid)}")

    def _pid_file(self, name: str) -> Path:
        return self.home / "run" / f"{name}.pid"
