"""What `--health` says, as a probe; and which probe holds: the host's own, else that of the workload's group."""

import asyncio
import shlex
from collections.abc import Callable
from urllib.parse import urlsplit

from .options import Wrong
from .probes.prober import Prober
from .protocol import Assigned, ExecProbe, GrpcProbe, HttpProbe, Probe, TcpProbe, Workload

TIMEOUT = 2.0
FAILURES = 2
"""In a row before a workload is taken out; one success brings it back."""


def probe(text: str, workload: Workload, interval: float) -> Probe:
    """`http:/path`, `http[s]://address:port/path`, `tcp`, `tcp://address:port`, `grpc`, `grpc:service`, `grpc://address:port/service`,
    `exec:program arguments`; by default at the first port. Raises Wrong."""
    return Probe(_how(text, workload), timeout=min(TIMEOUT, max(interval, 0.5)), period=max(interval, 0.1), successes=1, failures=FAILURES)


def _how(text: str, workload: Workload) -> HttpProbe | TcpProbe | GrpcProbe | ExecProbe:
    scheme, _, rest = text.partition(":")
    if scheme == "exec":
        try:
            command = tuple(shlex.split(rest))
        except ValueError as e:
            raise Wrong(f"--health {text!r}: {e}") from e
        if not command:
            raise Wrong(f"--health {text!r}: exec: is followed by a program and its arguments")
        return ExecProbe(command)
    if scheme not in ("http", "https", "tcp", "grpc"):
        raise Wrong(
            f"--health {text!r}: expected http:/path, http://address:port/path, tcp, tcp://address:port, grpc, grpc:service, "
            "grpc://address:port/service or exec:program"
        )
    if rest.startswith("//"):
        try:
            parts = urlsplit(text)
            host, port = parts.hostname or "", parts.port or (443 if scheme == "https" else 80)
        except ValueError as e:
            raise Wrong(f"--health {text!r}: {e}") from e
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        service = parts.path.removeprefix("/")
    elif not workload.ports:
        raise Wrong(
            f"--health {text!r}: the workload has no --port; write http://address:port/path, tcp://address:port or grpc://address:port"
        )
    else:
        first = workload.ports[0]
        host, port = first.app_address, first.app_port or first.number
        path, service = rest if rest.startswith("/") else "/" + rest, rest
    if scheme == "grpc":
        return GrpcProbe(port, host, service)
    return TcpProbe(port, host) if scheme == "tcp" else HttpProbe(port, path, host, scheme == "https")


class Health:
    """The one prober that runs."""

    def __init__(self, own: Probe | None, workload: Workload, may_exec: bool, changed: Callable[[bool, str], None]) -> None:
        self._own, self._may_exec, self._changed = own, may_exec, changed
        self._runs: tuple[Probe | None, Workload] = (None, workload)
        self._task: asyncio.Task[None] | None = None

    def start(self, known: Assigned | None = None) -> None:
        """`known`: what the group said last."""
        self._follow(self._own or (known.probe if known else None), self._runs[1])

    def assigned(self, frame: Assigned) -> None:
        """The group's probe; the operator's own word on this host comes first."""
        self._follow(self._own or frame.probe, frame.workload)
        if self._task is None:
            self._changed(True, "")  # what was said of it before was by a probe that is gone

    def _follow(self, probe: Probe | None, workload: Workload) -> None:
        if self._task is not None and self._runs == (probe, workload):
            return
        self._runs = (probe, workload)
        self.stop()
        if probe is not None:
            prober = Prober(probe, workload, self._may_exec or probe is self._own, self._changed)
            self._task = asyncio.create_task(prober.run(), name="health")

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
