"""
Which policies a listener's filters come from. HTTP filters bear no metadata of their own, so their listener's says it: `filters` in our
namespace, by the filter's name. Routes and clusters say it themselves (vocabulary.metadata); `mark` says it of what a patch has changed.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from .draft import HttpFilter, Json, NetworkFilter
from .resource_set import Origin
from .vocabulary import NAMESPACE, named

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


def mark(message: Any, origin: Origin) -> None:
    """Adds a policy, and the line in it, to the metadata of a v3 message that has such."""
    if "metadata" not in message.DESCRIPTOR.fields_by_name:
        return
    ours = message.metadata.filter_metadata[NAMESPACE].fields
    _add(ours["origin"], str(origin))
    if origin.path:
        _add(ours["line"], f"{origin} {origin.path}")


def mark_filter(listener: Any, name: str, origin: Origin) -> None:
    """Says of a filter in the listener that the policy has put or changed it."""
    filters = listener.metadata.filter_metadata[NAMESPACE].fields["filters"]
    _add(filters.struct_value.fields[name], str(origin))


def _add(value: Any, words: str) -> None:
    said = value.string_value.split(", ") if value.string_value else []
    if words not in said:
        value.string_value = ", ".join([*said, words])
