"""
The conversation with one proxy about its configuration, without I/O: one whole ResourceSet, all types together.

Events are what happened; commands are what the hub must do. The counterpart on the host is proxyagent.session.

One delta is in flight at a time, and bursts of Compiled collapse into the newest. Bytes that were refused are not offered twice: what was
refused is held back, all of it, until one of its names becomes something else; whatever else changes meanwhile still goes out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from meshconsole.core.envoy.resource_set import Blob, Name, Origin, ResourceSet, XdsType
from proxyagent import protocol

Held = Mapping[Name, Blob | str]
"""What the proxy holds: the blob, or only its version; UNKNOWN after a refusal."""
UNKNOWN = ""
EMPTY = protocol.digest({})


# --- events ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reported:
    """The agent's State: the digest of all that its Envoy last accepted; and the digest of the aliases that it was last told, as we remember it."""

    digest: str
    told: str = ""


@dataclass(frozen=True)
class Listed:
    """The agent's StateList."""

    versions: Mapping[Name, str]
    aliases: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Compiled:
    """A newer desired state."""

    desired: ResourceSet


@dataclass(frozen=True)
class Acked:
    nonce: int


@dataclass(frozen=True)
class Nacked:
    nonce: int
    errors: Mapping[XdsType, str]


Event = Reported | Listed | Compiled | Acked | Nacked

# --- commands -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AskState:
    """Its digest is not the expected one: it must list what it holds."""


@dataclass(frozen=True)
class SendDelta:
    nonce: int
    changed: tuple[Blob, ...]
    removed: tuple[Name, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RecordStatus:
    in_sync: bool
    errors: Mapping[XdsType, str] = field(default_factory=dict)
    culprits: tuple[Origin, ...] = ()
    """The policies that what was refused came from."""


Command = AskState | SendDelta | RecordStatus


@dataclass(frozen=True)
class _Delta:
    nonce: int
    desired: ResourceSet
    changed: tuple[Blob, ...]
    removed: tuple[Name, ...]
    aliases: Mapping[str, str]
    held_back: frozenset[Name]


@dataclass(frozen=True)
class _Refusal:
    change: Mapping[Name, str | None]
    """Name -> the version that was refused; None: its removal."""
    status: RecordStatus


class Session:
    __slots__ = ("asked", "desired", "held", "in_flight", "nonce", "refused", "reported", "told")

    def __init__(self) -> None:
        self.desired: ResourceSet | None = None
        self.held: Held | None = None
        """None until we know."""
        self.told: Mapping[str, str] = {}
        """The aliases that the agent has."""
        self.reported: Reported | None = None
        self.asked = False
        self.in_flight: _Delta | None = None
        self.refused: _Refusal | None = None
        self.nonce = 0

    def handle(self, event: Event) -> Iterator[Command]:
        match event:
            case Reported():
                self.reported = event
                yield from self._advance()
            case Compiled(desired):
                self.desired = desired
                yield from self._advance()
            case Listed(versions, aliases) if self.asked and self.held is None:
                self.held, self.told = dict(versions), dict(aliases)
                if not any(self._delta()):
                    yield RecordStatus(in_sync=True)
                yield from self._advance()
            case Acked(nonce) if self.in_flight is not None and self.in_flight.nonce == nonce:
                self._accepted(self.in_flight)
                self.in_flight = None
                if self.refused is not None:
                    yield self.refused.status
                else:
                    yield RecordStatus(in_sync=self.settled or not any(self._delta()))
                yield from self._advance()
            case Nacked(nonce, errors) if self.in_flight is not None and self.in_flight.nonce == nonce:
                self.refused = self._refuse(self.in_flight, errors)
                self.in_flight = None
                yield self.refused.status
                yield from self._advance()
            case _:
                pass  # a late answer to a delta that a reconnect made void, or a list nobody asked for

    @property
    def settled(self) -> bool:
        """It holds just what is desired, known without comparing."""
        return self.desired is not None and self.held is self.desired.blobs and self.told is self.desired.aliases and self.refused is None

    def _advance(self) -> Iterator[Command]:
        if self.desired is None or self.in_flight is not None or self.settled:
            return
        if self.held is None:
            yield from self._recognise(self.desired)
            if self.held is None:
                return
        held_back = self._held_back(self.desired)
        if self.refused is not None and not held_back:
            self.refused = None  # something else is wanted now of what was refused: all of it is offered again
        changed, removed, aliases = self._delta(held_back)
        if changed or removed or aliases:
            self.nonce += 1
            self.in_flight = _Delta(self.nonce, self.desired, changed, removed, aliases, held_back)
            yield SendDelta(self.nonce, changed, removed, aliases)

    def _recognise(self, desired: ResourceSet) -> Iterator[Command]:
        """Without a list, where the digest says enough: nothing at all, or just what is desired."""
        if self.reported is None or self.asked:
            return
        if self.reported.digest == EMPTY:
            self.held = {}
        elif self.reported.digest == digest(desired):
            self.held = desired.blobs
            # What the digest does not cover is told again, unless we remember having told just this.
            if self.reported.told == digest_of_aliases(desired.aliases):
                self.told = desired.aliases
                yield RecordStatus(in_sync=True)
        else:
            self.asked = True
            yield AskState()

    def _delta(self, held_back: frozenset[Name] = frozenset()) -> tuple[tuple[Blob, ...], tuple[Name, ...], dict[str, str]]:
        assert self.desired is not None and self.held is not None
        desired, held = self.desired.blobs, self.held
        aliases = (
            {a: host for a, host in self.desired.aliases.items() if self.told.get(a) != host}
            if self.told is not self.desired.aliases
            else {}
        )
        if desired is held:
            return (), (), aliases
        changed = tuple(b for name, b in desired.items() if not _same(held.get(name), b) and name not in held_back)
        # Of what could not be compiled nobody knows whether it is still wanted.
        removed = () if self.desired.partial else tuple(name for name in held if name not in desired and name not in held_back)
        if held_back:
            aliases = {a: host for a, host in aliases.items() if (XdsType.VHDS, host) not in held_back}
        return changed, removed, aliases

    def _accepted(self, delta: _Delta) -> None:
        held = self.held or {}
        if delta.desired.partial:
            self.held = dict(held) | {name: b for name, b in delta.desired.blobs.items() if name not in delta.held_back}
        elif delta.held_back:
            kept = {name: held[name] for name in delta.held_back if name in held}
            self.held = {name: b for name, b in delta.desired.blobs.items() if name not in delta.held_back} | kept
        else:
            self.held = delta.desired.blobs
        if delta.aliases or delta.removed or self.told is not delta.desired.aliases:
            # As the agent does: an authority is forgotten with its virtual host.
            told = {**self.told, **delta.aliases}
            kept_told = {a: host for a, host in told.items() if not host or (XdsType.VHDS, host) in self.held}
            self.told = delta.desired.aliases if kept_told == delta.desired.aliases else kept_told

    def _refuse(self, delta: _Delta, errors: Mapping[XdsType, str]) -> _Refusal:
        """Envoy applies clusters and listeners one by one, so what it runs is unknown for every name that we sent."""
        held = dict(self.held or {})
        before = {name for name, version in held.items() if version != UNKNOWN}
        # Endpoints of clusters that stay must keep flowing, whatever was wrong with the rest.
        flowing = {b.type for b in delta.changed if b.type is XdsType.EDS and XdsType.EDS not in errors}
        change: dict[Name, str | None] = {
            (b.type, b.name): b.version for b in delta.changed if b.type not in flowing or (b.type, b.name) not in before
        }
        change |= dict.fromkeys(delta.removed)
        for name in ((b.type, b.name) for b in delta.changed):
            held[name] = UNKNOWN
        self.held = held
        told, blamed = dict(errors), culprits(delta.changed, errors)
        if delta.held_back and self.refused is not None:
            # What was held back is refused still: forgotten, the two would be offered in turn for ever.
            change = {**self.refused.change, **change}
            told = {**self.refused.status.errors, **told}
            blamed = tuple(dict.fromkeys((*self.refused.status.culprits, *blamed)))
        return _Refusal(change, RecordStatus(False, told, blamed))

    def _held_back(self, desired: ResourceSet) -> frozenset[Name]:
        if self.refused is None:
            return frozenset()
        for name, version in self.refused.change.items():
            blob = desired.blobs.get(name)
            if (blob.version if blob else None) != version:
                return frozenset()
        return frozenset(self.refused.change)


def _same(held: Blob | str | None, blob: Blob) -> bool:
    return held is blob or (held.version if isinstance(held, Blob) else held) == blob.version


def digest(resources: ResourceSet) -> str:
    return protocol.digest_of((b.type, b.name, b.version) for b in resources)


def digest_of_aliases(aliases: Mapping[str, str]) -> str:
    return protocol.digest_of(("alias", a, host) for a, host in aliases.items())


def culprits(changed: tuple[Blob, ...], errors: Mapping[XdsType, str]) -> tuple[Origin, ...]:
    """The policies behind what Envoy refused: of the resources that its sentence names, or else of all that were sent of that type."""
    found: dict[Origin, None] = {}
    for type_, sentence in errors.items():
        sent = [b for b in changed if b.type == type_]
        named = [b for b in sent if b.name in sentence]
        for blob in named or sent:
            found.update(dict.fromkeys(blob.origins))
    if not found:  # it refused in a stage whose resources bear no policy's mark: whatever changed may be why
        found.update((origin, None) for blob in changed for origin in blob.origins)
    return tuple(found)
