"""Which connections of a listener fall into which filter chain. Counterpart: core.envoy.listeners, whose chains these are."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network

from meshconsole.core.envoy.draft import Json
from meshconsole.core.mesh import hosts

Network = IPv4Network | IPv6Network
_ANYWHERE: tuple[Network, ...] = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))


class Matches:
    """Gives out the `filter_chain_match`es of one listener: what an earlier chain takes a later one does not, for Envoy refuses a
    listener with two chains that match the same."""

    def __init__(self, subnets: Iterable[str] = ()) -> None:
        """`subnets`: all ranges that any chain will ask for. Envoy looks at the address first, and at no chain of another range once it
        has found one: so each chain says of each range whether it is for it."""
        self._known = tuple(dict.fromkeys(found for subnet in subnets if (found := hosts.network(subnet)) is not None))
        self._taken: set[tuple[Network | None, str, bool]] = set()

    def claim(self, names: Iterable[str] = (), subnets: Iterable[str] = (), *, tls: bool = False) -> list[Json]:
        """For server names (none, or `*` among them: any) and ranges of the address that was dialled (none: any). `tls`: it must be TLS.
        Mostly one; none where all of it is taken."""
        wanted = tuple(dict.fromkeys(name.lower() for name in names))
        if not wanted or "*" in wanted:
            wanted = ("",)
        ranges = self._ranges(subnets)
        left: dict[tuple[Network | None, ...], list[str]] = {}
        for name in wanted:
            free = tuple(each for each in ranges if (each, name, tls) not in self._taken)
            if free:
                left.setdefault(free, []).append(name)
                self._taken |= {(each, name, tls) for each in free}
        return [_match(free, those, tls) for free, those in left.items()]

    def _ranges(self, subnets: Iterable[str]) -> tuple[Network | None, ...]:
        asked = [found for subnet in subnets if (found := hosts.network(subnet)) is not None]
        if not asked:
            return (*self._known, *_ANYWHERE) if self._known else (None,)
        within = [each for each in self._known if any(each.version == a.version and each.subnet_of(a) for a in asked)]  # type: ignore[arg-type]
        return tuple(dict.fromkeys((*asked, *within)))


def _match(ranges: Iterable[Network | None], names: list[str], tls: bool) -> Json:
    match: Json = {}
    if found := [each for each in ranges if each is not None]:
        match["prefix_ranges"] = [{"address_prefix": str(each.network_address), "prefix_len": each.prefixlen} for each in found]
    if tls:
        match["transport_protocol"] = "tls"
    if names != [""]:
        match["server_names"] = names
    return match
