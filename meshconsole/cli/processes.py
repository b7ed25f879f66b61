"""Commands that become a process of the console. They never import Django: they start the program that does."""

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

MAX_MESSAGE = 16 * 1024 * 1024 + 4096
"""Bytes of one WebSocket message: the protocol's largest frame and some air."""


def become(module: str, *words: str) -> NoReturn:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "meshconsole.settings")
    os.execv(sys.executable, [sys.executable, "-m", module, *words])  # noqa: S606


def up(
    demo: Annotated[bool, typer.Option("--demo", help="With a Bookinfo mesh of real processes.")] = False,
    host: Annotated[str, typer.Option(help="Where the console listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option()] = 8000,
    gateway_port: Annotated[int, typer.Option(help="Where the demo's gateway listens.")] = 8080,
    rate: Annotated[float, typer.Option(help="Requests per second of the demo's traffic.")] = 5.0,
) -> None:
    """Everything in one terminal."""
    from .up import up as run

    raise typer.Exit(run(demo=demo, host=host, port=port, gateway_port=gateway_port, rate=rate))


def web(
    host: Annotated[str, typer.Option(help="Where to listen; 0.0.0.0 is everywhere.")] = "127.0.0.1",
    port: Annotated[int, typer.Option()] = 8000,
    workers: Annotated[int, typer.Option(help="Processes; more need a REDIS_URL and PostgreSQL.")] = 1,
    tls: Annotated[bool, typer.Option("--tls", help="Serve https and wss with a certificate of the mesh's own.")] = False,
    tls_name: Annotated[list[str], typer.Option(help="A name or address by which agents reach it, for --tls. May be repeated.")] = [],  # noqa: B006
    tls_cert: Annotated[str, typer.Option(help="Certificate chain, to serve https and wss.")] = "",
    tls_key: Annotated[str, typer.Option(help="Its key.")] = "",
    access_log: Annotated[bool, typer.Option("--access-log", help="A line per request.")] = False,
) -> None:
    """The web process: pages, REST, the agents' WebSockets."""
    _many_files()
    _count_together()
    words = ["meshconsole.asgi:application", "--host", host, "--port", str(port), "--workers", str(workers)]
    words += ["--loop", "uvloop" if _has("uvloop") else "auto", "--http", "meshconsole.patience:Http", "--lifespan", "on"]
    # Frames are compressed protobuf or small: deflating them again costs memory per agent and wins little.
    words += ["--ws", "websockets-sansio", "--ws-max-size", str(MAX_MESSAGE), "--ws-per-message-deflate", "false"]
    # A thousand agents: pings are rare, and a host that was asleep for a minute is not cut off.
    words += ["--ws-ping-interval", "30", "--ws-ping-timeout", "60", "--backlog", "4096"]
    words += ["--timeout-keep-alive", "75", "--timeout-graceful-shutdown", "5"]
    words += ["--access-log" if access_log else "--no-access-log", "--log-level", "info" if access_log else "warning"]
    # Whom to believe about X-Forwarded-For is the application's own setting (TRUSTED_PROXIES), for it ends up in the audit log.
    words += ["--no-proxy-headers", "--no-server-header"]
    if tls:
        os.environ["MESHCONSOLE_TLS_NAMES"] = " ".join(tls_name or _own_names(host))
        become("meshconsole.ca.serving", *words)
    if tls_cert:
        become("meshconsole.ca.serving", *words, "--ssl-certfile", tls_cert, *(["--ssl-keyfile", tls_key] if tls_key else []))
    become("uvicorn", *words)


def _own_names(host: str) -> list[str]:
    import socket

    everywhere = [] if host in ("0.0.0.0", "::") else [host]
    return list(dict.fromkeys([*everywhere, socket.gethostname(), socket.getfqdn(), "localhost", "127.0.0.1"]))


def worker(
    concurrency: Annotated[int, typer.Option(help="Threads, or processes with --pool prefork.")] = 4,
    pool: Annotated[str, typer.Option(help="threads, prefork or solo")] = "threads",
    beat: Annotated[bool, typer.Option(help="Be the alarm clock too. Exactly one worker must be.")] = True,
) -> None:
    """The background worker."""
    home = _count_together()
    words = ["-A", "meshconsole.celery", "worker", "--pool", pool, "--concurrency", str(concurrency), "--loglevel", "warning"]
    words += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    if beat:
        words += ["--beat", "--schedule", str(home / "celerybeat-schedule")]
    become("celery", *words)


def migrate() -> None:
    """Bring the database to this version."""
    become("django", "migrate", "--noinput")


def _has(module: str) -> bool:
    from importlib.util import find_spec

    return find_spec(module) is not None


def _count_together() -> Path:
    """Web processes and workers of one home answer `/metrics` together (meshconsole/measures.py). Its first process begins at zero. The home."""
    home = Path(os.environ.get("MESHCONSOLE_HOME") or "var").absolute()
    folder = home / "metrics"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    from meshconsole import measures

    if not any(measures.runs(pid) for pid in measures.pids(folder)):
        for path in folder.glob("*.db"):
            path.unlink(missing_ok=True)
    os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(folder))
    return home


def _many_files() -> None:
    """One descriptor per agent: take as many as this user may have."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
