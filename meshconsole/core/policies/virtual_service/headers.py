"""Header operations: what is set, added and removed, and the authority, which is a rewrite and no header to Envoy."""

from typing import NamedTuple

from meshconsole.core.envoy.draft import Json

from .schema import HeaderOperations, Headers

SET, ADD = "OVERWRITE_IF_EXISTS_OR_ADD", "APPEND_IF_EXISTS_OR_ADD"


class Operations(NamedTuple):
    fields: Json
    """request_headers_to_add, request_headers_to_remove, response_headers_to_add, response_headers_to_remove; of them those that say something."""
    authority: str
    """What `Host` or `:authority` is set to; '' where it is left as it is."""


def operations(headers: Headers | None) -> Operations:
    """Headers that begin with `:` and `Host` cannot be changed as headers: they are left out here (Istio: dropInternal)."""
    if headers is None:
        return Operations({}, "")
    fields: Json = {}
    for way, said in (("request", headers.request), ("response", headers.response)):
        options = [*_options(said.set, SET), *_options(said.add, ADD)]
        removed = [name for name in said.remove if not is_internal(name)]
        fields |= {f"{way}_headers_to_add": options} if options else {}
        fields |= {f"{way}_headers_to_remove": removed} if removed else {}
    return Operations(fields, _authority(headers.request))


def joined(first: Json, then: Json) -> Json:
    """Both, in this order: a later `set` beats an earlier one."""
    return {name: [*first.get(name, ()), *then.get(name, ())] for name in sorted({*first, *then})}


def is_internal(name: str) -> bool:
    return name.startswith(":") or name.lower() == "host"


def is_authority(name: str) -> bool:
    return name.lower() in (":authority", "host")


def _options(values: dict[str, str], action: str) -> list[Json]:
    return [
        {"header": {"key": name, "value": value}, "append_action": action}
        for name, value in sorted(values.items())
        if not is_internal(name)
    ]


def _authority(said: HeaderOperations) -> str:
    """`set` before `add`."""
    return next((value for values in (said.set, said.add) for name, value in values.items() if is_authority(name) and value), "")
