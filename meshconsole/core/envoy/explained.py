"""
Which policies a listener's filters come from. HTTP filters bear no metadata of their own, so their listener's says it: `filters` in our
namespace, by the filter's name. Routes and clusters say it themselves (vocabulary.metadata).
"""

from collections.abc import Iterable, Mapping, Sequence

from .draft import HttpFilter, Json, NetworkFilter
from .resource_set import Origin
from .vocabulary import named

_WRITTEN_BY: dict[HttpFilter | NetworkFilter, str] = {
    HttpFilter.EXT_AUTHZ_SHADOW: "AuthorizationPolicy",
    HttpFilter.EXT_AUTHZ: "AuthorizationPolicy",
    HttpFilter.JWT_AUTHN: "RequestAuthentication",
    HttpFilter.RBAC_AUDIT: "AuthorizationPolicy",
    HttpFilter.RBAC_DENY: "AuthorizationPolicy",
    HttpFilter.RBAC_ALLOW: "AuthorizationPolicy",
    HttpFilter.WORKLOAD_RATE_LIMIT: "RateLimit",
    NetworkFilter.EXT_AUTHZ_SHADOW: "AuthorizationPolicy",
    NetworkFilter.EXT_AUTHZ: "AuthorizationPolicy",
    NetworkFilter.RBAC_AUDIT: "AuthorizationPolicy",
    NetworkFilter.RBAC_DENY: "AuthorizationPolicy",
    NetworkFilter.RBAC_ALLOW: "AuthorizationPolicy",
}
"""What stands at a place in the chain, by the kind that writes there."""


def filters(
    found: Mapping[HttpFilter, Sequence[Json]] | Mapping[NetworkFilter, Sequence[Json]], origins: Iterable[Origin]
) -> dict[str, str]:
    """Filter name -> `Kind namespace/name`, with commas."""
    by_kind: dict[str, list[Origin]] = {}
    for origin in origins:
        by_kind.setdefault(origin.kind, []).append(origin)
    said: dict[str, str] = {}
    for place in sorted(found):
        kind = _WRITTEN_BY.get(place)
        if kind and kind in by_kind:
            said |= {each["name"]: named(by_kind[kind]) for each in found[place]}
    return said
