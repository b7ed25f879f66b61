"""What Envoy last accepted: the console's resources by type and name, and the authorities that lead to virtual hosts."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from .protocol import TYPE_URLS, Push, Resource, XdsType, digest_of

Named = dict[str, Resource]


@dataclass(frozen=True)
class Cache:
    """A value: a push makes a new one, so the way back is to keep the old one."""

    resources: dict[XdsType, Named] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    """authority -> virtual host's name, or '' where nobody knows the host"""
    clusters: frozenset[str] = frozenset()
    """Clusters that Envoy once asked for by name."""

    def of(self, type_: XdsType) -> Named:
        return self.resources.get(type_, {})

    def after(self, push: Push) -> "Cache":
        """What Envoy holds once it has accepted this push."""
        resources = dict(self.resources)
        for type_ in push.resources.keys() | push.removed.keys():
            names = dict(resources.get(type_, {}))
            for gone in push.removed.get(type_, ()):
                names.pop(gone, None)
            names.update((r.name, r) for r in push.resources.get(type_, ()))
            resources[type_] = names
        hosts = resources.get("vhds", {})
        aliases = {a: host for a, host in (self.aliases | push.aliases).items() if not host or host in hosts}
        return Cache(resources, aliases, self.clusters)

    def asking(self, clusters: Iterable[str]) -> "Cache":
        return Cache(self.resources, self.aliases, self.clusters | frozenset(clusters))

    def versions(self) -> dict[XdsType, dict[str, str]]:
        return {t: {r.name: r.version for r in names.values()} for t, names in self.resources.items() if names}

    def digest(self) -> str:
        return digest_of((t, r.name, r.version) for t, names in self.resources.items() for r in names.values())

    def __len__(self) -> int:
        return sum(map(len, self.resources.values()))


XDS_TYPES: dict[str, XdsType] = {url: type_ for type_, url in TYPE_URLS.items()}
