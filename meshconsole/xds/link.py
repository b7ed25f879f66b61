"""One connected proxy: its session, what it has asked for, and how its state is told. The hub owns it; the consumer feeds it."""

import datetime
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from meshconsole.core.compiler import Demand
from meshconsole.core.envoy.resource_set import Blob, ResourceSet, XdsType
from proxyagent import protocol
from telemetry.storable import storable

from . import session as s
from . import unbound
from .models import ProxyRecord

MAX_HOSTS, MAX_CLUSTERS, MAX_NAME = 2000, 1000, 300
"""What one proxy may ask for on demand. Beyond it a host is answered as unknown: an Envoy that is fed with invented Host headers must not
make the console's memory grow."""
NO_DEMAND = Demand(frozenset(), frozenset())
State = ProxyRecord.State


@dataclass(frozen=True, slots=True)
class Facts:
    """Who is connected, as enrolment found it."""

    namespace: str
    name: str
    kind: str
    service_account: str
    address: str
    agent_version: str
    envoy_version: str
    serial: str
    since: datetime.datetime
    told: str = ""
    """What we remember of the aliases that it was told (ProxyRecord.told)."""
    bundle: str = ""
    """Digest of the trust bundle that its Envoy has taken."""
    taken: str = ""
    """Serial of the certificate that its Envoy has taken."""
    offered: int = 0
    """Number of the trust bundle that its Welcome told of."""
    head: int = -1
    """`heads.number()` as it was before enrolment looked: what changed since, enrolment did not see."""
    group: str = ""
    """The WorkloadGroup that it is a member of."""

    @property
    def proxy_id(self) -> str:
        return f"{self.namespace}/{self.name}"


Deliver = Callable[[bytes], None]
"""Send these bytes, some time soon, in order; never blocks."""
Close = Callable[[protocol.Refused], None]


class Link:
    __slots__ = (
        "_told",
        "assigned",
        "close",
        "compile_error",
        "counts",
        "deliver",
        "demand",
        "envoy",
        "facts",
        "leaving",
        "nacked_revision",
        "pending_from",
        "pending_to",
        "problems",
        "retried",
        "session",
        "synced_revision",
        "taken",
        "told",
        "trust",
        "tuned",
        "unbound",
    )  # fmt: skip

    def __init__(self, facts: Facts, deliver: Deliver, close: Close):
        self.facts = facts
        self.deliver = deliver
        self.close = close
        self.session = s.Session()
        self.demand = NO_DEMAND
        self.counts: dict[str, int] = {}
        """How many resources it shall hold, per xDS type."""
        self.pending_from: int | None = None
        self.pending_to: int | None = None
        self.taken: tuple[int | None, int | None] = (None, None)
        self.synced_revision = 0
        self.nacked_revision: int | None = None
        self.problems: dict[str, dict[str, Any]] = {}
        self.compile_error = ""
        self.told = facts.told
        self.unbound: dict[str, str] = {}
        """Outbound listeners that the proxy goes without -> why Envoy could not bind them."""
        self.retried: dict[str, str] = {}
        """Those that are being tried again."""
        self.trust = facts.offered
        """Number of the newest trust bundle that it was sent."""
        self._told: Mapping[str, str] | None = None
        """The aliases that `told` is the digest of."""
        self.envoy: protocol.EnvoyState | None = None
        self.assigned: protocol.Assigned | None = None
        """What the member of a group was told of itself last."""
        self.leaving = False
        """It has said goodbye."""
        self.tuned = ""
        """Digest of the ProxySettings that its agent has."""

    @property
    def state(self) -> State:
        if self.session.refused is not None:
            return State.NACKED
        return State.SYNCED if self.in_sync else State.STALE

    @property
    def in_sync(self) -> bool:
        session = self.session
        known = session.desired is not None and session.held is not None
        return known and session.in_flight is None and session.refused is None and not self.compile_error

    @property
    def lacking(self) -> dict[str, str]:
        """Listeners that it does not have -> why."""
        return {**self.retried, **self.unbound}

    def retry(self) -> bool:
        """What could not be bound is wanted again with the next offer. False where there is nothing to try, or something is under way."""
        if not self.unbound or not self.in_sync:
            return False
        self.retried, self.unbound = self.unbound, {}
        return True

    def offer(self, desired: ResourceSet, revision: int) -> bool:
        """What it shall hold as of `revision`. False where that is nothing new."""
        before, self.compile_error = self.compile_error, "; ".join(map(str, desired.failures))[:2000]
        said = self.lacking
        self.unbound, self.retried = (unbound.wanted(desired, names) for names in (self.unbound, self.retried))
        desired = unbound.without(desired, self.unbound)
        have = self.session.desired
        if have is desired or (
            have is not None and have.blobs == desired.blobs and have.aliases == desired.aliases and have.partial == desired.partial
        ):
            return self.compile_error != before or self.lacking != said
        if have is None or have.blobs.keys() != desired.blobs.keys():
            self.counts = dict(Counter(str(type_) for type_, _ in desired.blobs))
        self.pending_from = revision if self.pending_from is None else self.pending_from
        self.pending_to = revision
        self.handle(s.Compiled(desired), revision)
        return True

    def applied(self, frame: protocol.Applied, revision: int) -> None:
        if frame.errors:
            self.handle(s.Nacked(frame.nonce, {XdsType(t): storable(e, 2000) for t, e in frame.errors.items()}), revision)
            found = unbound.named(frame.errors.get("lds", ""), self.session.desired)
            if self.session.desired is not None and found:
                self.unbound |= found
                self.offer(self.session.desired, self.pending_to or revision)
        else:
            self.handle(s.Acked(frame.nonce), revision)

    def handle(self, event: s.Event, revision: int) -> None:
        """Do what the session commands."""
        too_long: tuple[int, int] | None = None
        for command in self.session.handle(event):
            match command:
                case s.SendDelta(nonce):
                    data = encode(command)
                    if len(data) <= protocol.MAX_PUSH:
                        self.deliver(data)
                    else:
                        too_long = nonce, len(data)
                case s.AskState():
                    self.deliver(protocol.encode(protocol.ListState()))
                case s.RecordStatus(errors=errors, culprits=culprits):
                    names = list(dict.fromkeys(map(str, culprits)))
                    self.problems = {str(t): {"error": e, "policies": names} for t, e in errors.items()}
        self._settle(event, revision)
        if too_long is not None:  # an agent would close the connection for it, come back, and be sent the same again
            nonce, size = too_long
            words = (
                f"{size >> 20} MiB at once are more than an agent takes ({protocol.MAX_PUSH >> 20} MiB): narrow what it sees by a Sidecar"
            )
            self.handle(s.Nacked(nonce, {XdsType.CDS: words}), revision)

    def _settle(self, event: s.Event, revision: int) -> None:
        if isinstance(event, s.Nacked) and self.session.refused is not None:
            self.nacked_revision = self.pending_to
        if self.session.refused is None:
            self.nacked_revision = None
        if self.in_sync:
            self.retried = {}
            self.synced_revision = max(revision, self.pending_to or 0)
            if self.pending_to is not None:
                self.taken = (self.pending_from, self.pending_to)
            self.pending_from = self.pending_to = None
            if self.session.told != self._told:
                self._told = self.session.told
                self.told = s.digest_of_aliases(self._told)
        elif self.session.in_flight is None and self.nacked_revision is not None:
            self.pending_to = self.nacked_revision  # what came later and was not held back is taken

    def ask(self, hosts: Iterable[str], clusters: Iterable[str]) -> bool:
        """Demand grows; True when it did. What is beyond the limits is answered as unknown."""
        hosts, clusters = frozenset(hosts) - self.demand.hosts, frozenset(clusters) - self.demand.clusters
        no_name = {h for h in hosts if len(h) > MAX_NAME or "\0" in h}
        room = max(0, MAX_HOSTS - len(self.demand.hosts))
        taken = sorted(hosts - no_name)[:room]
        refused = hosts.difference(taken)
        new_clusters = sorted(c for c in clusters if len(c) <= MAX_NAME and "\0" not in c)[
            : max(0, MAX_CLUSTERS - len(self.demand.clusters))
        ]
        if refused:
            self.deliver(protocol.encode(protocol.Push(nonce=0, aliases=dict.fromkeys(sorted(refused), ""))))
        if not taken and not new_clusters:
            return False
        self.demand = Demand(self.demand.hosts | frozenset(taken), self.demand.clusters | frozenset(new_clusters))
        return True

    def reminder(self, hosts: Iterable[str]) -> None:
        """It asks again for what it has been told already (it lost the answer): say it again."""
        told = self.session.told
        if again := {h: told[h] for h in hosts if h in told}:
            self.deliver(protocol.encode(protocol.Push(nonce=0, aliases=again)))


_encoded: dict[tuple[Any, ...], tuple[tuple[Blob, ...], bytes]] = {}
"""The last pushes: a change concerns many proxies in the same way, and most of them count alike."""


def encode(delta: s.SendDelta) -> bytes:
    if len(delta.changed) > 8:
        return _encode(delta)  # someone's whole state, and nobody else's
    key = (delta.nonce, *map(id, delta.changed), delta.removed, *delta.aliases.items())
    known = _encoded.get(key)
    if known is None:
        if len(_encoded) >= 64:
            _encoded.clear()
        # The blobs are kept with it: an id says nothing once its object is gone.
        known = _encoded[key] = (delta.changed, _encode(delta))
    return known[1]


def _encode(delta: s.SendDelta) -> bytes:
    resources: dict[Any, list[protocol.Resource]] = {}
    for blob in delta.changed:
        resources.setdefault(str(blob.type), []).append(protocol.Resource(blob.name, blob.version, blob.body))
    removed: dict[Any, list[str]] = {}
    for type_, name in delta.removed:
        removed.setdefault(str(type_), []).append(name)
    return protocol.encode(
        protocol.Push(
            delta.nonce,
            {t: tuple(r) for t, r in resources.items()},
            {t: tuple(sorted(n)) for t, n in removed.items()},
            dict(delta.aliases),
        )
    )
