"""The words of Envoy's v3 API that several renderers use: config sources, typed configs, addresses, metadata."""

from collections.abc import Iterable

from .draft import Json
from .resource_set import Origin

NAMESPACE = "meshconsole"
"""Of our filter metadata: `service` (cluster, virtual host), `peer` (endpoint), `origin` (anything that a policy shaped)."""

ENVOY = "type.googleapis.com/envoy."
HCM = ENVOY + "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
TCP_PROXY = ENVOY + "extensions.filters.network.tcp_proxy.v3.TcpProxy"
HTTP_OPTIONS = ENVOY + "extensions.upstreams.http.v3.HttpProtocolOptions"
HTTP_OPTIONS_KEY = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

RETRY: Json = {"base_interval": "1s", "max_interval": "10s"}
"""After a name could not be asked for; Envoy's own is as long as its refresh rate of a minute."""
NAMES: Json = {"name": "names", "dns_lookup_family": "V4_PREFERRED", "dns_min_refresh_rate": "1s", "dns_failure_refresh_rate": RETRY}
"""The DNS cache of clusters that connect to whatever name was asked for; their filters must say the same."""


def ads() -> Json:
    """Everything comes over the one aggregated stream that the agent serves."""
    return {"ads": {}, "resource_api_version": "V3"}


def typed(name: str, type_name: str, **fields: object) -> Json:
    """`{name, typed_config}` of an extension; `type_name` without its `envoy.`."""
    return {"name": name, "typed_config": {"@type": ENVOY + type_name, **fields}}


def socket_address(address: str, port: int) -> Json:
    if address.startswith(("/", "@")):
        return {"pipe": {"path": address}}
    return {"socket_address": {"address": address.strip("[]"), "port_value": port}}


def metadata(*, origins: Iterable[Origin] = (), **ours: str | dict[str, str]) -> Json:
    """`metadata` with what is not empty; {} where nothing is. `origin` says which policies it came from, `line` where in them."""
    origins = tuple(origins)
    fields = {key: value for key, value in ours.items() if value}
    if lines := ", ".join(dict.fromkeys(f"{o} {o.path}" for o in origins if o.path)):
        fields["line"] = lines
    if origin := named(origins):
        fields["origin"] = origin
    return {"metadata": {"filter_metadata": {NAMESPACE: fields}}} if fields else {}


def named(origins: Iterable[Origin]) -> str:
    """`Kind namespace/name`, with commas."""
    return ", ".join(dict.fromkeys(str(o) for o in origins))


def merged_metadata(body: Json, extra: Json) -> Json:
    """`body` with `extra`'s metadata beside what a policy wrote there already."""
    if not extra:
        return body
    have = body.get("metadata", {}).get("filter_metadata", {})
    add = extra["metadata"]["filter_metadata"]
    both = {**have, **{ns: {**have.get(ns, {}), **fields} for ns, fields in add.items()}}
    return {**body, "metadata": {"filter_metadata": both}}
