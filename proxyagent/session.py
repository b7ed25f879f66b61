"""
The agent's conversation with its console, without I/O.

Events are what happened; commands are what the shell must do. The counterpart toward Envoy is proxyagent.delta.
protocol.py tells the order of frames; docs/protocol.md tells it to strangers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from . import protocol
from .protocol import Frame, Workload

RENEW_AGAIN_SECONDS = 15.0
"""After a renewal that was refused or could not be begun; the old certificate lives on for about as long again as it has lived."""


class Phase(Enum):
    AWAY = auto()
    GREETED = auto()
    """Hello is sent; a Challenge should come."""
    INTRODUCED = auto()
    """The Challenge came; our Join or Prove is being made, or is on its way."""
    READY = auto()


# --- events ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Connected:
    pass


@dataclass(frozen=True)
class Lost:
    pass


@dataclass(frozen=True)
class Received:
    frame: protocol.FromConsole


@dataclass(frozen=True)
class KeyMade:
    """A new private key waits on the disk; this is its request."""

    csr: bytes


@dataclass(frozen=True)
class NoKeyMade:
    """The disk is full, say."""

    reason: str


@dataclass(frozen=True)
class Signed:
    signature: bytes


@dataclass(frozen=True)
class Installed:
    """The certificate with this serial is on disk, and its key with it."""

    serial: str
    renew_at: float


@dataclass(frozen=True)
class Tell:
    """Local news that the console should hear: now, or first thing when it is back."""

    frame: protocol.Health | protocol.EnvoyState


@dataclass(frozen=True)
class Elapsed:
    pass


Event = Connected | Lost | Received | KeyMade | NoKeyMade | Signed | Installed | Tell | Elapsed


# --- commands -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Send:
    frame: Frame


@dataclass(frozen=True)
class MakeKey:
    pass


@dataclass(frozen=True)
class Sign:
    """With the present key."""

    message: bytes


@dataclass(frozen=True)
class Install:
    """An empty chain keeps the present certificate and key; an empty identity the present name."""

    trust_bundle: bytes
    chain: bytes
    renew_at: float
    identity: str = ""
    proxy_id: str = ""


@dataclass(frozen=True)
class Begin:
    """The console knows us: State goes out, pings begin."""

    heartbeat: float


@dataclass(frozen=True)
class ListVersions:
    """A StateList goes out."""


@dataclass(frozen=True)
class Apply:
    push: protocol.Push


@dataclass(frozen=True)
class Adopt:
    """The workload is a member of a group, and this is what that makes of it."""

    frame: protocol.Assigned


@dataclass(frozen=True)
class Tune:
    """Envoy is to be started with these settings from now on."""

    settings: protocol.ProxySettings


@dataclass(frozen=True)
class Forget:
    """These batches of metrics are stored at the console."""

    epoch: str
    seq: int


@dataclass(frozen=True)
class Close:
    """`slowly`: trying again soon would change nothing. `fatal`: there is nothing to serve meanwhile either."""

    reason: str
    slowly: bool = False
    fatal: bool = False


Command = Send | MakeKey | Sign | Install | Begin | ListVersions | Apply | Adopt | Tune | Forget | Close


class Session:
    def __init__(
        self, workload: Workload, *, token: str, serial: str, agent_version: str, envoy_version: str, renew_at: float = 0.0
    ) -> None:
        self.phase = Phase.AWAY
        self._hello = protocol.Hello(protocol.PROTOCOL, agent_version, envoy_version, workload)
        self._token = token
        self._serial = serial
        self._renew_at = renew_at
        self._renewing = False
        self._rejoin = False
        self._news: dict[type, protocol.Health | protocol.EnvoyState] = {}
        self._labels: dict[str, str] | None = None
        """Those that the certificate was made with."""

    def wake_at(self) -> float | None:
        return self._renew_at if self.phase is Phase.READY and self._renew_at and not self._renewing else None

    def handle(self, event: Event, now: float) -> Iterator[Command]:
        match event:
            case Connected():
                self.phase, self._renewing, self._labels = Phase.GREETED, False, None
                yield Send(self._hello)
            case Lost():
                self.phase, self._renewing = Phase.AWAY, False
            case Received(frame):
                yield from self._received(frame, now)
            case KeyMade(csr) if self.phase is Phase.INTRODUCED:
                yield Send(protocol.Join(self._token, csr))
            case KeyMade(csr) if self.phase is Phase.READY:
                yield Send(protocol.SignRequest(csr))
            case NoKeyMade(reason) if self.phase is Phase.INTRODUCED:
                yield Close(f"no new key: {reason}")
            case NoKeyMade() if self.phase is Phase.READY:
                self._renewing, self._renew_at = False, now + RENEW_AGAIN_SECONDS
            case Signed(signature) if self.phase is Phase.INTRODUCED:
                yield Send(protocol.Prove(self._serial, signature))
            case Installed(serial, renew_at):
                # A bundle that came alone does not end a renewal that is under way.
                self._renewing = self._renewing and serial == self._serial
                self._serial, self._renew_at, self._rejoin = serial, renew_at, False
            case Tell(frame):
                self._news[type(frame)] = frame
                if self.phase is Phase.READY:
                    yield Send(frame)
            case Elapsed() if (at := self.wake_at()) is not None and at <= now:
                self._renewing = True
                yield MakeKey()
            case _:
                pass  # made for a connection that is gone

    def _received(self, frame: protocol.FromConsole, now: float) -> Iterator[Command]:
        match frame:
            case protocol.Refused():
                yield self._refused(frame)
            case protocol.Challenge(nonce, console) if self.phase is Phase.GREETED:
                self.phase = Phase.INTRODUCED
                if self._serial and not self._rejoin:
                    yield Sign(protocol.proof(nonce, console))
                elif self._token:
                    yield MakeKey()
                else:
                    yield Close(
                        "there is no certificate in the state directory and no join token was given", slowly=True, fatal=not self._serial
                    )
            case protocol.Welcome() if self.phase is Phase.INTRODUCED:
                self.phase = Phase.READY
                self._renew_at = frame.renew_at or self._renew_at
                yield Install(frame.trust_bundle, frame.certificate, self._renew_at, frame.identity, frame.proxy_id)
                yield Begin(frame.heartbeat)
                for news in self._news.values():
                    yield Send(news)
            case _ if self.phase is not Phase.READY:
                yield Close(f"the console sent {type(frame).__name__} before it had said Welcome")
            case protocol.ListState():
                yield ListVersions()
            case protocol.Push():
                yield Apply(frame)
            case protocol.Assigned(workload):
                if self._labels not in (None, workload.labels) and self._serial:
                    self._renew_at = now  # peers read the labels in the certificate
                self._labels = workload.labels
                yield Adopt(frame)
            case protocol.ProxySettings():
                yield Tune(frame)
            case protocol.Certificate():
                yield from self._certified(frame, now)
            case protocol.MetricsStored(epoch, seq):
                yield Forget(epoch, seq)
            case _:
                yield Close(f"the console sent {type(frame).__name__} twice")

    def _certified(self, frame: protocol.Certificate, now: float) -> Iterator[Command]:
        if frame.error:
            self._renewing, self._renew_at = False, now + RENEW_AGAIN_SECONDS
            return
        self._renew_at = frame.renew_at or self._renew_at
        yield Install(frame.trust_bundle, frame.chain, self._renew_at)

    def _refused(self, frame: protocol.Refused) -> Close:
        # A console that has lost its records cannot check our proof; a join token, where we have one, begins anew.
        # One whose certificate was revoked may have been given a new token; an evicted one is refused whatever token it has.
        if frame.code in ("proof", "identity", "revoked") and self._token:
            self._rejoin = not self._rejoin
            return Close(f"the console refused the certificate ({frame.message}); joining again by token", slowly=not self._rejoin)
        self._rejoin = False
        return Close(
            f"the console refused: {frame.message} ({frame.code})", slowly=not frame.retry, fatal=not frame.retry and not self._serial
        )
