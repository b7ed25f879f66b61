"""
Which policies a listener's filters come from. HTTP filters bear no metadata of their own, so their listener's says it: `filters` in our
namespace, by the filter's name. Routes and clusters say it themselves (vocabulary.metadata).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from .draft import HttpFilter, Json, NetworkFilter
from .resource_set import Origin
from .vocabulary import named

Place = TypeVar("Place", HttpFilter, NetworkFilter)

_WRITTEN_BY = {
    "EXT_AUTHZ_SHADOW": "AuthorizationPolicy",
    "EXT_AUTHZ": "AuthorizationPolicy",
    "JWT_AUTHN": "RequestAuthentication",
    "RBAC_AUDIT": "AuthorizationPolicy",
    "RBAC_DENY": "AuthorizationPolicy",
    "RBAC_ALLOW": "AuthorizationPolicy",
    "WORKLOAD_RATE_LIMIT": "RateLimit",
}
"""Name of a place in the chain (the same for HTTP and network filters) -> the kind that writes there."""


def filters(found: Mapping[Place, Sequence[Json]], origins: Iterable[Origin]) -> dict[str, str]:
    """Filter name -> `Kind namespace/name`, with commas."""
    by_kind: dict[str, list[Origin]] = {}
    for origin in origins:
        by_kind.setdefault(origin.kind, []).append(origin)
    said: dict[str, str] = {}
    for place in sorted(found):
        kind = _WRITTEN_BY.get(place.name, "")
        if kind in by_kind:
            said |= {each["name"]: named(by_kind[kind]) for each in found[place]}
    return said
