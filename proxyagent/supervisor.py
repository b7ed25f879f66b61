"""
Envoy's life: found, started, watched, restarted, drained, stopped; or found running and adopted.

Envoy runs in a session of its own and logs to a file, so it outlives an agent that is killed, and goes on serving.
The next agent knows it again by pid and start time, and watches it by pidfd, as it would its own child.
"""

import asyncio
import contextlib
import logging
import os
import pathlib
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import msgspec

from . import disk
from .tuning import Tuning

log = logging.getLogger("proxyagent.supervisor")

STEADY_SECONDS = 10.0
"""An Envoy that lived for this long did not crash at its start: the back-off begins anew."""
MAX_BACKOFF = 10.0
LOG_BYTES = 8 << 20
LEAVING = "leaving"
"""Stands for the bootstrap of an Envoy that has begun to drain; no bootstrap's digest is equal to it."""


class Trace(msgspec.Struct, frozen=True):
    """How to know a running Envoy again."""

    pid: int
    started: int
    """Field 22 of /proc/<pid>/stat: clock ticks since boot."""
    command: tuple[str, ...]
    bootstrap: str
    """A digest: another bootstrap needs another Envoy."""
    tuning: str = ""
    """Of the settings that it was started with; others wait for its next start."""

    @property
    def run(self) -> str:
        """Names one life of one Envoy; its counters began with it."""
        return f"{self.pid}-{self.started}"


@dataclass(frozen=True)
class Life:
    """What became of Envoy."""

    running: bool
    restarts: int
    reason: str = ""
    run: str = ""
    adopted: bool = False


def started(pid: int) -> int | None:
    """None when there is no such living process."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, *rest = stat[stat.rindex(")") + 2 :].split()
    return None if state in "ZX" else int(rest[18])


def backoff(crashes: int) -> float:
    """0.1 s at once, then doubling: a crash by chance costs nothing, a crash loop little."""
    return min(0.1 * 2 ** max(crashes - 1, 0), MAX_BACKOFF)


def exit_reason(status: int) -> str:
    if status < 0:
        with contextlib.suppress(ValueError):
            return f"Envoy was ended by {signal.Signals(-status).name}"
    return f"Envoy exited with status {status}"


class Supervisor:
    def __init__(
        self,
        command: tuple[str, ...],
        bootstrap: str,
        directory: pathlib.Path,
        *,
        hindrance: Callable[[], str],
        changed: Callable[[Life], None],
        tuning: Tuning,
        replacing: Callable[[str], Awaitable[None]],
    ) -> None:
        """`hindrance` says why Envoy should not be started now, or ''; `replacing` takes leave of the Envoy of an earlier agent (by its run)
        that is not what we would start."""
        self._command = command
        self._bootstrap = bootstrap
        self._file = directory / "envoy"
        self._log = directory / "envoy.log"
        self._hindrance = hindrance
        self._changed = changed
        self._tuning = tuning
        self._replacing = replacing
        self._process: subprocess.Popen[bytes] | None = None
        self._trace: Trace | None = None
        self._gone = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        return self._trace.pid if self._trace else None

    def waiting(self, life: Life) -> Life:
        """`life`, with a word where Envoy was started with other settings than it would be now."""
        reason = self._tuning.waiting(self._trace.tuning) if self._trace and life.running else ""
        return replace(life, reason=reason) if life.running else life

    def start(self) -> None:
        """Once; later calls change nothing."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="envoy")

    def leave(self) -> None:
        """Envoy is about to drain: an agent after this one, should this one be killed meanwhile, must not take it for one that serves."""
        if self._trace:
            self._trace = msgspec.structs.replace(self._trace, bootstrap=LEAVING)
            with contextlib.suppress(OSError):
                disk.write(self._file, msgspec.json.encode(self._trace))

    async def stop(self, patience: float = 5.0) -> None:
        """SIGTERM, then SIGKILL; returns when Envoy is gone."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        await self._end(patience)

    # --- one life after the other ---

    async def _run(self) -> None:
        while True:
            try:
                await self._one_after_the_other()
            except Exception:  # a fault of ours: whatever Envoy runs is found again, and nobody would start another one otherwise
                log.exception("watching Envoy stumbled and goes on")
            await asyncio.sleep(1.0)

    async def _one_after_the_other(self) -> None:
        crashes = 0
        adopted = await self._adopt()
        while True:
            if not adopted and not self._spawn():
                crashes += 1
            else:
                assert self._trace
                self._changed(Life(True, self.restarts, run=self._trace.run, adopted=adopted))
                born = time.monotonic()
                await self._watch()
                status = self._process.wait() if self._process else None
                reason = "Envoy is gone" if status is None else exit_reason(status)
                crashes = 1 if adopted or time.monotonic() - born > STEADY_SECONDS else crashes + 1
                self._process, self._trace, adopted = None, None, False
                self._changed(Life(False, self.restarts, self._last_words(reason)))
                self.restarts += 1
            await asyncio.sleep(backoff(crashes))

    def _spawn(self) -> bool:
        if reason := self._hindrance():
            self._changed(Life(False, self.restarts, f"Envoy is not started: {reason}"))
            return False
        try:
            if self._log.exists() and self._log.stat().st_size > LOG_BYTES:
                os.replace(self._log, self._log.with_suffix(".old"))
            descriptor = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                command, environment = self._tuning.applied(self._command, os.environ)
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=descriptor, stderr=descriptor, start_new_session=True, env=environment
                )
            finally:
                os.close(descriptor)
        except OSError as e:
            self._changed(Life(False, self.restarts, f"Envoy could not be started: {e}"))
            return False
        born = started(self._process.pid)
        self._trace = Trace(self._process.pid, born or 0, self._command, self._bootstrap, self._tuning.digest)
        try:
            disk.write(self._file, msgspec.json.encode(self._trace))
        except OSError as e:
            log.error("an agent after this one will not know Envoy again: %s", e)
        return True

    async def _adopt(self) -> bool:
        """The Envoy of an agent before us: kept when it is what we would start, stopped when it is not."""
        data = disk.read(self._file)
        if not data:
            return False
        try:
            trace = msgspec.json.decode(data, type=Trace)
        except msgspec.DecodeError:
            return False
        if started(trace.pid) != trace.started:
            return False
        self._trace = trace
        if (trace.command, trace.bootstrap) == (self._command, self._bootstrap):
            return True
        await self._replacing(trace.run)
        await self._end(5.0)
        return False

    async def _watch(self) -> None:
        """Until it exits; our own child or not."""
        assert self._trace
        try:
            descriptor = os.pidfd_open(self._trace.pid)
        except ProcessLookupError:
            return
        loop = asyncio.get_running_loop()
        gone: asyncio.Future[None] = loop.create_future()

        def exited() -> None:
            if not gone.done():
                gone.set_result(None)

        loop.add_reader(descriptor, exited)
        try:
            if started(self._trace.pid) == self._trace.started:
                await gone
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)

    async def _end(self, patience: float) -> None:
        trace = self._trace
        if trace is None or started(trace.pid) != trace.started:
            self._reap()
            return
        for signal_, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 5.0)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(trace.pid, signal_)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._watch(), seconds)
                break
        self._reap()
        self._trace = None

    def _reap(self) -> None:
        if self._process:
            self._process.wait()
            self._process = None
        with contextlib.suppress(FileNotFoundError):
            self._file.unlink()

    def _last_words(self, reason: str) -> str:
        """The end of Envoy's log, where a crash at start explains itself."""
        with contextlib.suppress(OSError):
            lines = self._log.read_bytes()[-4096:].decode(errors="replace").strip().splitlines()
            errors = [line for line in lines if "[critical]" in line or "[error]" in line]
            if errors and "status" in reason:
                return f"{reason}: {errors[-1][-500:]}"
        return reason
