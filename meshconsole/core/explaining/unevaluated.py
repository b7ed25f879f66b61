"""
What takes part in a request and cannot be told from configuration alone: an EnvoyFilter's own filters, an external authorizer, and what a
gateway asks of its callers. Said, so that "is let in" never hides them.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from meshconsole.core.envoy import wire
from meshconsole.core.envoy.resource_set import Blob, ResourceSet, XdsType
from meshconsole.core.envoy.vocabulary import NAMESPACE

from . import rbac
from .logic import Known
from .request import Request

Json = dict[str, Any]
_PATCHING = "EnvoyFilter"
_ASKS = "istio_ext_authz_"
"""Stat prefix of the shadow that finds out whom the authorizer is asked about."""


def patches(blob: Blob) -> list[str]:
    """`EnvoyFilter namespace/name path` of each patch in it, in order."""
    return list(dict.fromkeys(f"{each} {each.path}".strip() for each in blob.origins if each.kind == _PATCHING))


def at_caller(resources: ResourceSet, *, gateway: bool) -> Iterator[str]:
    """One sentence for each listener of the caller's that does more than its routes say."""
    for blob in sorted((b for b in resources if b.type is XdsType.LDS), key=lambda b: b.name):
        if blob.name.startswith("inbound|"):
            continue
        if found := patches(blob):
            yield f"{', '.join(found)} changes the listener {blob.name} that the request passes first: what its filters do is not evaluated."
        if gateway and (asked := _policies(blob)):
            yield f"{', '.join(asked)} holds at the gateway's listener {blob.name}: whether it lets the request in is not evaluated."


def _policies(blob: Blob) -> list[str]:
    said: Mapping[str, str] = (
        wire.parse(blob.type, blob.body).get("metadata", {}).get("filter_metadata", {}).get(NAMESPACE, {}).get("filters", {})
    )
    return sorted({policy for named in said.values() for policy in named.split(", ") if not policy.startswith(_PATCHING)})


def authorizer(chain: Iterable[Json], request: Request, port: int, address: str) -> Known:
    """Is an external authorizer asked about the request? None: it cannot be known."""
    filters = list(chain)
    if not any(each["name"].endswith(".ext_authz") for each in filters):
        return False
    configs = [each["typed_config"] for each in filters if each["name"].endswith(".rbac")]
    shadows = [c["shadow_rules"] for c in configs if c.get("shadow_rules_stat_prefix") == _ASKS]
    return rbac.concerned(shadows, request, port, address=address) if shadows else None
