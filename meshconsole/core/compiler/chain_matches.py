"""Which connections of a listener fall into which filter chain. Counterpart: core.envoy.listeners, whose chains these are."""

from collections.abc import Iterable

from meshconsole.core.envoy.draft import Json
from meshconsole.core.mesh import hosts


class Matches:
    """Gives out the `filter_chain_match`es of one listener: what an earlier chain takes a later one does not, for Envoy refuses a
    listener with two chains that match the same."""

    def __init__(self) -> None:
        self._taken: set[tuple[str, str, bool]] = set()

    def claim(self, names: Iterable[str] = (), subnets: Iterable[str] = (), *, tls: bool = False) -> Json | None:
        """For server names (none, or `*` among them: any) and ranges of the address that was dialled (none: any). `tls`: it must be TLS.
        None where all of it is taken."""
        wanted = tuple(dict.fromkeys(name.lower() for name in names))
        if "*" in wanted:
            wanted = ()
        ranges = tuple(dict.fromkeys(str(hosts.network(subnet) or subnet) for subnet in subnets))
        left = [name for name in wanted or ("",) if not any((each, name, tls) in self._taken for each in ranges or ("",))]
        if not left:
            return None
        self._taken |= {(each, name, tls) for each in ranges or ("",) for name in left}
        match: Json = {}
        if ranges:
            match["prefix_ranges"] = [_range(each) for each in ranges]
        if tls:
            match["transport_protocol"] = "tls"
        if wanted:
            match["server_names"] = left
        return match


def _range(subnet: str) -> Json:
    address, _, length = subnet.partition("/")
    return {"address_prefix": address, "prefix_len": int(length)}
