"""
The agent: the two sessions, and the shells that do what they command.

`Session` speaks with the console, `Delta` with Envoy; neither knows the other. Everything runs on one event loop, and
every event is handled to its end before the next.
"""

import asyncio
import contextlib
import logging
import ssl
import time
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from telemetry import exposition

from . import __version__, disk, draining, keys, launch, protocol, session
from . import delta_words as words
from .ads import Ads
from .assignment import Assignment
from .bootstrap import Sockets
from .connection import Connection, address, in_clear
from .delta import Delta
from .health import Health, probe
from .identity import Keeper
from .interception.explicit import conflicts
from .options import Options, Wrong
from .page import Page
from .pinning import Pins
from .relay.exporter import Exporter
from .relay.logs import LogRelay
from .relay.metrics import Relay
from .relay.outflow import Outflow
from .relay.spans import SpanRelay
from .scraped import Scraped
from .session import Session
from .supervisor import Life, Supervisor
from .tuning import Tuning

log = logging.getLogger("proxyagent")


class Refused(RuntimeError):
    """The console will not have us, and there is nothing to serve without it."""


class Alarm:
    """One timer that follows a session's `wake_at`."""

    def __init__(self, ring: Callable[[], None], clock: Callable[[], float]) -> None:
        self._ring, self._clock = ring, clock
        self._handle: asyncio.TimerHandle | None = None

    def set(self, at: float | None) -> None:
        if self._handle:
            self._handle.cancel()
            self._handle = None
        if at is not None:
            self._handle = asyncio.get_running_loop().call_later(max(at - self._clock(), 0.0) + 0.001, self._ring)


class Agent:
    def __init__(self, options: Options) -> None:
        self.options = options
        try:
            url = address(options.console)
        except ValueError as e:
            raise Wrong(f"--console: {e}") from e
        if in_clear(url) and not options.insecure_console:
            raise Wrong(
                f"--console {options.console}: ws:// to another host would send the token in clear; use wss://, or --insecure-console"
            )
        if found := conflicts(options.workload):
            raise Wrong("; ".join(found))
        self._lock = disk.lock(options.state_dir)
        self.run_dir = options.run_dir or launch.run_dir(options.state_dir)
        self.run_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._scraped = Scraped(options)
        workload = msgspec.structs.replace(options.workload, metrics_port=self._scraped.port, lowest_port=launch.lowest_port())
        self._assignment = Assignment(options.state_dir / "assigned", workload)
        self._journal = disk.Journal(options.state_dir / "configuration")
        self._pins = Pins(options.ca_file, options.state_dir)
        if options.ca_file:
            try:
                self._pins.context("")
            except OSError as e:
                raise Wrong(f"--ca-file {options.ca_file}: {e.strerror or e}") from e
        self._keeper = Keeper(options.state_dir, workload.namespace, workload.name, workload.service_account)
        self._delta = Delta(self._journal.load())
        self._envoy = options.envoy or launch.packaged_envoy()
        identity = self._keeper.identity
        self._session = Session(
            workload,
            token=options.token,
            serial=identity.serial if identity else "",
            agent_version=__version__,
            envoy_version=launch.version(self._envoy),
            renew_at=identity.renew_at if identity else 0.0,
        )
        self._connection = Connection(url, trust=self._console_trust, came=self._came, received=self._received, went=self._went)
        self._ads = Ads(self.run_dir / "xds.sock", self._envoy_says)
        self._tuning = Tuning(options.state_dir / "proxy-settings")
        self._supervisor = self._supervise()
        self._relay = Relay(
            options.state_dir / "metrics",
            workload=self._assignment.workload,
            principal=lambda: self._keeper.identity.spiffe_id if self._keeper.identity else "",
            admin=str(self.run_dir / "admin.sock"),
            interval=options.metrics_interval,
            send=self._send_metrics,
            series=options.metrics_series,
        )
        self.exporter = Exporter(self._relay, str(self.run_dir / "admin.sock"), options.application_metrics, options.metrics_expiry)
        self._spans = SpanRelay(self.run_dir / "otlp.sock", send=self._connection.send, idle=lambda: self._connection.idle)
        self._logs = LogRelay(self.run_dir / "logs.sock", send=self._connection.send, idle=lambda: self._connection.idle)
        self._outflows: dict[str, Outflow[Any]] = {"spans": self._spans.outflow, "logs": self._logs.outflow}
        own = probe(options.health, self._assignment.workload, options.health_interval) if options.health else None
        self._health = Health(own, self._assignment.workload, options.allow_exec_probes, self._healthy)
        self._page = Page(self, self.run_dir / "agent.sock", options.admin_port)
        self._delta_alarm = Alarm(lambda: self._envoy_says(words.Elapsed()), time.monotonic)
        self._session_alarm = Alarm(lambda: self._console_says(session.Elapsed()), time.time)
        self._tasks: set[asyncio.Task[None]] = set()
        self._keying: asyncio.Task[None] | None = None
        """What a key is being asked for, on behalf of the present connection."""
        self._life = Life(False, 0, "not started yet")
        self._over: asyncio.Future[str] | None = None
        self.last_push: dict[str, object] = {}

    # --- its own life ---

    async def run(self, stop: asyncio.Event) -> None:
        """Until told to stop. Raises Refused."""
        self._over = asyncio.get_running_loop().create_future()
        await self._ads.start()
        await self._page.start()
        await self._scraped.start(self.exporter)
        await self._spans.start()
        await self._logs.start()
        if self._keeper.identity:
            self._serve_secrets()
            self._supervisor.start()
        self._spawn(self._connection.run(), "console")
        self._spawn(self._relay.run(), "metrics")
        for name, outflow in self._outflows.items():
            self._spawn(outflow.run(), name)
        self._health.start(self._assignment.frame)
        stopping = asyncio.ensure_future(stop.wait())
        both: set[asyncio.Future[Any]] = {stopping, self._over}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        await self._stop()
        if self._over.done():
            raise Refused(self._over.result())

    async def _stop(self) -> None:
        """Say goodbye, let requests end, count the last of them, and leave nothing behind."""
        log.info("stopping: draining for at most %.0f s", self.options.drain_seconds)
        self._connection.last()
        self._connection.send(protocol.Goodbye("the agent was told to stop"))
        await self._connection.flush(1.0)
        if self._life.running:
            self._supervisor.leave()
            await draining.drain(str(self.run_dir / "admin.sock"), self.options.drain_seconds)
            with contextlib.suppress(OSError, exposition.Unreadable):
                await self._relay.last()
            for outflow in self._outflows.values():
                outflow.last()
            await self._connection.flush(0.5)
        await self._supervisor.stop()
        self._relay.envoy("", False)
        self._delta_alarm.set(None)
        self._session_alarm.set(None)
        await self._connection.close()
        self._health.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._ads.stop()
        await self._page.stop()
        await self._scraped.stop()
        await self._spans.stop()
        await self._logs.stop()

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> "asyncio.Task[None]":
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)

        def done(task: "asyncio.Task[None]") -> None:
            self._tasks.discard(task)
            if not task.cancelled() and (error := task.exception()):
                log.error("%s: %s", name, error, exc_info=error)

        task.add_done_callback(done)
        return task

    # --- Envoy ---

    def _supervise(self) -> Supervisor:
        options = self.options
        sockets = Sockets(*(str(self.run_dir / f"{name}.sock") for name in ("xds", "admin", "otlp", "logs")))
        command, digest = launch.prepare(options, self._envoy, sockets)
        return Supervisor(
            command,
            digest,
            options.state_dir,
            hindrance=lambda: launch.taken(self._assignment.workload),
            changed=self._lives,
            tuning=self._tuning,
            replacing=self._take_leave,
        )

    async def _take_leave(self, run: str) -> None:
        """Our options have changed, and so Envoy is to be another: its requests end, and are counted."""
        await draining.drain(str(self.run_dir / "admin.sock"), self.options.drain_seconds)
        self._relay.envoy(run, True)
        with contextlib.suppress(OSError, exposition.Unreadable):
            await self._relay.last()
        self._relay.envoy("", False)

    def _lives(self, life: Life) -> None:
        self._life = life = self._supervisor.waiting(life)
        if life.running:
            log.info("Envoy %s (pid %s)", "adopted" if life.adopted else "started", self._supervisor.pid)
        else:
            log.warning("Envoy: %s", life.reason)
        self._relay.envoy(life.run if life.running else "", life.adopted)
        self._console_says(session.Tell(protocol.EnvoyState(life.running, life.restarts, life.reason)))

    def _envoy_says(self, event: words.Event) -> None:
        for command in self._delta.handle(event, time.monotonic()):
            match command:
                case words.Respond(response):
                    self._ads.respond(response)
                case words.Keep() | words.KeepClusters():
                    self._keep(command)
                case words.Report(frame):
                    if isinstance(frame, protocol.Applied):
                        self.last_push = {"nonce": frame.nonce, "errors": frame.errors, "at": time.time()}
                        for type_, error in frame.errors.items():
                            log.warning("Envoy refused a push (%s): %s", type_, error)
                    self._connection.send(frame)
                case words.Complain(type_, error):
                    log.error("Envoy refused %s: %s", type_, error)
                    reason = f"Envoy refused {type_}: {error}"
                    self._console_says(session.Tell(protocol.EnvoyState(self._life.running, self._life.restarts, reason)))
        self._delta_alarm.set(self._delta.wake_at())

    def _keep(self, command: words.Keep | words.KeepClusters) -> None:
        try:
            if isinstance(command, words.Keep):
                self._journal.keep(command.push, self._delta.cache)
            else:
                self._journal.keep_clusters(command.clusters, self._delta.cache)
        except OSError as e:
            # Envoy runs it all the same; a restarted agent would hold what was before, and the console sends it again.
            log.error("the configuration is not on disk: %s", e)

    def _serve_secrets(self) -> None:
        if identity := self._keeper.identity:
            self._envoy_says(words.SecretsRenewed(identity.secrets(), identity.trusted))

    # --- the console ---

    def _console_trust(self) -> ssl.SSLContext:
        return self._pins.context(self._keeper.identity.bundle if self._keeper.identity else "")

    def _came(self) -> None:
        self._console_says(session.Connected())

    def _received(self, frame: protocol.FromConsole) -> None:
        self._console_says(session.Received(frame))

    def _went(self, reason: str) -> None:
        if self._keying:
            self._keying.cancel()
        self._console_says(session.Lost())
        self._envoy_says(words.ConsoleWent())
        self._relay.console(False)
        for outflow in self._outflows.values():
            outflow.console(False)

    def _console_says(self, event: session.Event) -> None:
        for command in self._session.handle(event, time.time()):
            match command:
                case session.Send(frame):
                    self._connection.send(frame)
                case session.MakeKey():
                    self._keying = self._spawn(self._make_key(), "key")
                case session.Sign(message):
                    self._keying = self._spawn(self._sign(message), "key")
                case session.Install():
                    self._spawn(self._install(command), "certificate")
                case session.Begin(heartbeat):
                    self._begin(heartbeat)
                case session.ListVersions():
                    cache = self._delta.cache
                    self._connection.send(protocol.StateList(cache.versions(), cache.aliases))
                case session.Apply(push):
                    self._envoy_says(words.Pushed(push))
                case session.Adopt(frame):
                    self._adopt(frame)
                case session.Tune(settings):
                    self._tuning.adopt(settings)
                    life = self._life = self._supervisor.waiting(self._life)
                    self._console_says(session.Tell(protocol.EnvoyState(life.running, life.restarts, life.reason)))
                case session.Forget(epoch, seq):
                    self._relay.stored(epoch, seq)
                case session.Close(reason, slowly, fatal):
                    log.error("%s", reason)
                    if fatal and self._over and not self._over.done():
                        self._over.set_result(reason)
                    self._spawn(self._connection.close(slowly=slowly), "close")
        self._session_alarm.set(self._session.wake_at())

    def _adopt(self, frame: protocol.Assigned) -> None:
        if self._assignment.adopt(frame):
            log.info("the WorkloadGroup %s/%s says what this workload is", frame.workload.namespace, frame.workload.group)
        self._relay.belong(frame.workload)
        self._health.assigned(frame)

    def _begin(self, heartbeat: float) -> None:
        log.info("the console knows us")
        self._connection.keep_alive(heartbeat)
        self._connection.send(protocol.State(self._delta.cache.digest(), self._delta.hosts, self._delta.clusters, self._tuning.digest))
        self._envoy_says(words.ConsoleCame())
        self._relay.console(True)
        for outflow in self._outflows.values():
            outflow.console(True)

    async def _make_key(self) -> None:
        try:
            csr = await self._keeper.make_key()
        except keys.KeyTrouble as e:
            log.error("no new key: %s", e)
            self._console_says(session.NoKeyMade(str(e)))
            return
        self._console_says(session.KeyMade(csr))

    async def _sign(self, message: bytes) -> None:
        try:
            signature = await self._keeper.sign(message)
        except keys.KeyTrouble as e:
            log.error("the key cannot sign: %s", e)
            await self._connection.close(slowly=True)
            return
        self._console_says(session.Signed(signature))

    async def _install(self, command: session.Install) -> None:
        try:
            identity = await self._keeper.install(
                bundle=command.trust_bundle,
                chain=command.chain,
                renew_at=command.renew_at,
                spiffe_id=command.identity,
                proxy_id=command.proxy_id,
            )
        except keys.KeyTrouble as e:
            log.error("the certificate that came is not used: %s", e)
            await self._connection.close(slowly=True)
            return
        self._pins.follows(identity.bundle)
        self._console_says(session.Installed(identity.serial, identity.renew_at))
        self._serve_secrets()
        self._supervisor.start()

    # --- what the other parts say ---

    def _healthy(self, healthy: bool, reason: str) -> None:
        log.info("the application is %s%s", "healthy" if healthy else "not healthy: ", "" if healthy else reason)
        self._console_says(session.Tell(protocol.Health(healthy, reason)))

    def _send_metrics(self, frame: protocol.Metrics) -> None:
        self._connection.send(frame)

    # --- what the page shows ---

    @property
    def ready(self) -> bool:
        return self._life.running and self._delta.connected and self._delta.idle and len(self._delta.cache) > 0

    def status(self) -> dict[str, object]:
        identity = self._keeper.identity
        return {
            "proxy": f"{self.options.workload.namespace}/{self.options.workload.name}",
            "identity": identity.spiffe_id if identity else "",
            "certificate": {"serial": identity.serial, "not_after": identity.not_after, "renew_at": identity.renew_at} if identity else {},
            "console": {"url": self.options.console, "phase": self._session.phase.name.lower()},
            "envoy": {
                "running": self._life.running,
                "pid": self._supervisor.pid,
                "restarts": self._life.restarts,
                "reason": self._life.reason,
            },
            "digest": self._delta.cache.digest(),
            "versions": self._delta.cache.versions(),
            "aliases": self._delta.cache.aliases,
            "waiting": self._delta.waiting_hosts,
            "last_push": self.last_push,
        }
