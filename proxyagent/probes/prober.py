"""Probes at a calm pace; only changes are news."""

import asyncio
import os
from collections.abc import Callable

from ..protocol import ExecProbe, GrpcProbe, HttpProbe, Probe, TcpProbe, Workload
from . import command, grpc, http, tcp
from .judge import Judge

NOT_ALLOWED = (
    "this host does not allow exec probes: start its agent with --allow-exec-probes, or take exec out of the WorkloadGroup's probe"
)
LOCAL = "127.0.0.1"


def place(how: HttpProbe | TcpProbe | GrpcProbe, workload: Workload) -> tuple[str, int]:
    """Of a port of the workload: where its application is, past the Envoy that listens in front of it."""
    if how.host:
        return how.host, how.port
    found = next((port for port in workload.ports if port.number == how.port), None)
    return (found.app_address, found.app_port or found.number) if found else (LOCAL, how.port)


async def ask(probe: Probe, workload: Workload) -> str:
    """Why the application takes no requests, or ''."""
    how = probe.how
    what = how.command[0] if isinstance(how, ExecProbe) else "{}:{}".format(*place(how, workload))
    try:
        async with asyncio.timeout(probe.timeout):
            match how:
                case HttpProbe():
                    return await http.ask(how, *place(how, workload))
                case TcpProbe():
                    return await tcp.ask(*place(how, workload))
                case GrpcProbe():
                    return await grpc.ask(how, *place(how, workload))
                case ExecProbe():
                    return await command.ask(how)
    except TimeoutError:
        return f"{what} did not answer within {probe.timeout:g} s"
    except Exception as e:  # what a library makes of a strange answer too: a probe that ended here would leave its last word standing
        return f"{what}: {os.strerror(e.errno) if isinstance(e, OSError) and e.errno and e.errno > 0 else e or type(e).__name__}"


class Prober:
    """`may_exec`: the host's operator lets the console say which program is run."""

    def __init__(self, probe: Probe, workload: Workload, may_exec: bool, changed: Callable[[bool, str], None]) -> None:
        self._probe, self._workload, self._may_exec, self._changed = probe, workload, may_exec, changed
        self._judge = Judge(probe.successes, probe.failures)

    async def run(self) -> None:
        if isinstance(self._probe.how, ExecProbe) and not self._may_exec:
            self._changed(False, NOT_ALLOWED)
            return
        await asyncio.sleep(self._probe.initial_delay)
        while True:
            if news := self._judge.result(await ask(self._probe, self._workload)):
                self._changed(*news)
            await asyncio.sleep(max(self._probe.period, 0.1))
