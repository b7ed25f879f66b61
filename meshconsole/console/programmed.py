"""How far a revision has come: on how many of the proxies concerned it is in force. For the strip below a saved policy."""

from dataclasses import dataclass

from meshconsole.xds import status


@dataclass(frozen=True)
class Pip:
    """One proxy's small square in the strip."""

    namespace: str
    name: str
    state: str
    tone: str
    error: str


@dataclass(frozen=True)
class Programmed:
    revision: int
    state: str
    """programmed, pending or failed."""
    connected: int
    total: int
    synced: int
    nacked: int
    pips: tuple[Pip, ...] = ()

    @classmethod
    def of(cls, revision: int) -> "Programmed | None":
        if not revision:
            return None
        found = status.revision_status(revision)
        pips = tuple(_pip(p, revision) for p in sorted(found.proxies, key=lambda p: p.id))
        return cls(revision, found.state, found.connected, found.total, found.synced, found.nacked, pips)

    @property
    def refusals(self) -> list[Pip]:
        return [p for p in self.pips if p.tone == "nacked" and p.error]


def _pip(proxy: status.ProxyStatus, revision: int) -> Pip:
    if proxy.synced_revision >= revision:
        return Pip(proxy.namespace, proxy.name, "SYNCED", "synced", "")
    if proxy.nacked_revision is not None and proxy.nacked_revision >= revision:
        return Pip(proxy.namespace, proxy.name, "NACKED", "nacked", proxy.error)
    return Pip(proxy.namespace, proxy.name, "STALE", "stale", "")
