"""
What Envoy asks of a listener as a whole, which no rule of its API's messages says: it refuses the listener on arrival, and with it all that is new in it.

Only EnvoyFilters can break these; what kinds write themselves keeps them.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from google.protobuf.message import Message

from .filling import Wrong
from .merging import opened

_MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = "envoy.extensions.filters.http.router.v3.Router"
_OPAQUE = ("TypedStruct", "DynamicModuleFilter")
"""Only Envoy knows whether such a filter can be the last one."""


def faults(listener: Any) -> Iterator[tuple[str, str]]:
    """(path, what is wrong) of an envoy.config.listener.v3.Listener."""
    seen: dict[bytes, int] = {}
    for n, chain in enumerate(listener.filter_chains):
        match = chain.filter_chain_match.SerializeToString(deterministic=True)
        if match in seen:
            yield f"filter_chains[{n}].filter_chain_match", f"is that of filter_chains[{seen[match]}] too; each must match something else"
        seen.setdefault(match, n)
    for n, chain in enumerate(listener.filter_chains):
        for m, each in enumerate(chain.filters):
            if each.typed_config.type_url.endswith(f"/{_MANAGER}"):
                yield from _filters(each.typed_config, f"filter_chains[{n}].filters[{m}].typed_config.http_filters")


def _filters(config: Message, path: str) -> Iterator[tuple[str, str]]:
    with contextlib.suppress(Wrong, ImportError, ValueError):
        kinds = [each.typed_config.type_url.rpartition("/")[2] for each in opened(config).http_filters]  # type: ignore[attr-defined]
        if not kinds or (kinds[-1] != _ROUTER and not kinds[-1].endswith(_OPAQUE)):
            yield path, "the last HTTP filter must be the router"
        elif _ROUTER in kinds[:-1]:
            yield f"{path}[{kinds.index(_ROUTER)}]", "the router must be the last HTTP filter"
