"""
Simulated agents: the real protocol, session and cache of proxyagent; Envoy left out (it accepts everything at once, or what `verdict` says).

Used by benchmarks by the thousand, and by the tests of the control plane by the handful.
"""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from proxyagent import protocol
from proxyagent import session as s
from proxyagent.cache import Cache

Errors = dict[protocol.XdsType, str]


@dataclass
class Received:
    """One frame from the console."""

    frame: protocol.FromConsole
    size: int
    at: float


@dataclass
class Agent:
    url: str
    workload: protocol.Workload
    token: str = ""
    verdict: Callable[[protocol.Push], Errors] = lambda push: {}
    learned: tuple[str, ...] = ()
    """Authorities that its Envoy has asked for before."""
    keep_frames: bool = True
    believes: bool = True
    """Its Envoy takes trust bundles."""
    listening: Callable[["Agent", protocol.FromConsole, int], None] | None = None

    cache: Cache = field(default_factory=Cache)
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    chain: bytes = b""
    bundle: bytes = b""
    serial: str = ""
    received: list[Received] = field(default_factory=list)
    bytes_received: int = 0
    closed: str = ""

    def __post_init__(self) -> None:
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self.reported = False
        self._pending: ec.EllipticCurvePrivateKey | None = None
        self.session = s.Session(self.workload, token=self.token, serial=self.serial, agent_version="0", envoy_version="none")

    @property
    def id(self) -> str:
        return f"{self.workload.namespace}/{self.workload.name}"

    # --- what tests and benchmarks do with it -----------------------------------------------------------------------

    async def connect(self, *, until_state: bool = True) -> "Agent":
        """Dial, enrol and report; with `until_state`, wait until that is done."""
        self.closed, self.reported = "", False
        self._socket = await connect(
            self.url, max_size=protocol.MAX_FRAME, compression=None, ping_interval=None, open_timeout=60, proxy=None
        )
        self._reader = asyncio.create_task(self._read(self._socket))
        await self._do(s.Connected())
        if until_state:
            await self.until(lambda: self.session.phase is s.Phase.READY)
        return self

    async def until(self, true: Callable[[], object], seconds: float = 20) -> None:
        """Wait for what frames bring about. AssertionError when it does not come, or the connection is closed first."""
        end = time.monotonic() + seconds
        while not true():
            assert not self.closed, f"{self.id}: closed: {self.closed}"
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), max(0.0, min(1.0, end - time.monotonic())))
            assert time.monotonic() < end or true(), (
                f"{self.id}: not within {seconds} s; got {[type(r.frame).__name__ for r in self.received]}"
            )

    async def until_closed(self, seconds: float = 20) -> str:
        assert self._reader is not None
        await asyncio.wait_for(asyncio.shield(self._reader), seconds)
        return self.closed

    async def say(self, frame: protocol.Frame) -> None:
        assert self._socket is not None
        await self._socket.send(protocol.encode(frame))

    async def demand(self, *hosts: str) -> None:
        self.learned = (*self.learned, *hosts)
        await self.say(protocol.Demand(hosts))

    async def leave(self) -> None:
        if self._socket is not None:
            await self._socket.close()
        if self._reader is not None:
            await self._reader

    def cut(self) -> None:
        """The host is gone, without a word."""
        if self._socket is not None:
            self._socket.transport.abort()

    def of(self, kind: type[protocol.Frame]) -> list:
        return [r.frame for r in self.received if isinstance(r.frame, kind)]

    @property
    def pushes(self) -> list[protocol.Push]:
        return self.of(protocol.Push)

    @property
    def certificate(self) -> x509.Certificate:
        return x509.load_pem_x509_certificates(self.chain)[0]

    # --- the agent's shell ------------------------------------------------------------------------------------------

    async def _read(self, socket: ClientConnection) -> None:
        reason = ""
        try:
            async for data in socket:
                frame = protocol.decode_from_console(data if isinstance(data, bytes) else data.encode())
                self.bytes_received += len(data)
                if self.keep_frames:
                    self.received.append(Received(frame, len(data), time.perf_counter()))
                await self._do(s.Received(frame))
                if self.listening is not None:
                    self.listening(self, frame, len(data))
                self._news.set()
        except ConnectionClosed:
            pass
        finally:
            self.closed = reason or self.closed or f"{socket.close_code} {socket.close_reason}"
            await self._do(s.Lost())
            self._news.set()

    async def _do(self, event: s.Event) -> None:
        for command in self.session.handle(event, time.time()):
            match command:
                case s.Send(frame):
                    with contextlib.suppress(ConnectionClosed):
                        await self.say(frame)
                case s.MakeKey():
                    await self._do(s.KeyMade(self._request()))
                case s.Sign(message):
                    await self._do(s.Signed(self.key.sign(message, ec.ECDSA(hashes.SHA256()))))
                case s.Install(bundle, chain, renew_at, _, _):
                    if chain and self._pending is not None:
                        self.key, self._pending, self.chain = self._pending, None, chain
                        self.serial = f"{self.certificate.serial_number:x}"
                    self.bundle = bundle or self.bundle
                    await self._do(s.Installed(self.serial, renew_at))
                    if self.reported:
                        await self._trust()
                case s.Begin():
                    await self.say(protocol.State(self.cache.digest(), self.learned))
                    self.reported = True
                    await self._trust()
                case s.ListVersions():
                    await self.say(protocol.StateList(self.cache.versions(), self.cache.aliases))
                case s.Apply(push):
                    errors = self.verdict(push)
                    if not errors:
                        self.cache = self.cache.after(push)
                    await self.say(protocol.Applied(push.nonce, errors))
                case s.Close(reason):
                    self.closed = reason
                    if self._socket is not None:
                        self._closing = asyncio.ensure_future(self._socket.close())

    async def _trust(self) -> None:
        if self.believes:
            with contextlib.suppress(ConnectionClosed):
                await self.say(protocol.Trusted(hashlib.sha256(self.bundle).hexdigest()[:32], self.serial))

    def _request(self) -> bytes:
        self._pending = ec.generate_private_key(ec.SECP256R1())
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        return builder.sign(self._pending, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


async def gather_in_turn(agents: Iterable[Agent], at_once: int = 50) -> None:
    """Connect them all, some at a time."""
    room = asyncio.Semaphore(at_once)

    async def one(agent: Agent) -> None:
        async with room:
            await agent.connect()

    await asyncio.gather(*map(one, agents))
