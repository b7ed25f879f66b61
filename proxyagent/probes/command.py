"""
A program of the host, without a shell; exit status 0 is healthy. It gets none of the agent's own settings, the join token least of all.
One that takes too long is killed with everything that it started.
"""

import asyncio
import contextlib
import os
import signal
import tempfile

from ..protocol import ExecProbe

SAID = 200
"""Bytes of its error output that are told."""


async def ask(how: ExecProbe) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MESHCONSOLE_")}
    with tempfile.TemporaryFile() as errors:
        process = await asyncio.create_subprocess_exec(
            *how.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=errors,
            env=environment,
            cwd="/",
            start_new_session=True,
        )
        try:
            status = await process.wait()
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            raise
        if status == 0:
            return ""
        errors.seek(0)
        said = " ".join(errors.read(SAID).decode(errors="replace").split())
    how_it_ended = f"ended by signal {-status}" if status < 0 else f"ended with status {status}"
    return f"{how.command[0]} {how_it_ended}{f': {said}' if said else ''}"
