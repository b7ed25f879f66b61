"""
Names that are looked up when somebody calls them, by a request's Host: Envoy's dynamic forward proxy (resolution DYNAMIC_DNS,
ALLOW_ANY_DYNAMIC_DNS). Counterpart: listeners.forward_by_name, for the server name of TLS; clusters.by_server_name, which both lead to.

One listener serves all such hosts here, so there is one cache (Istio has one for each service, and a listener for each port).
"""

from .draft import Json
from .listeners import HTTP
from .vocabulary import NAMES, typed

PORT = "envoy.upstream.dynamic_port"
"""Filter state: the port where Host names none."""


def http_filter() -> Json:
    config = {"dns_cache_config": NAMES, "allow_dynamic_host_from_filter_state": True}
    return typed("envoy.filters.http.dynamic_forward_proxy", "extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig", **config)


def port_filter() -> Json:
    """Sets nothing by itself: a route says the port."""
    return {"name": "envoy.filters.http.set_filter_state", "typed_config": {"@type": HTTP + "set_filter_state.v3.Config"}}


def port_of(number: int) -> Json:
    """Of a route."""
    value = {"text_format_source": {"inline_string": str(number)}}
    return {"@type": HTTP + "set_filter_state.v3.Config", "on_request_headers": [{"object_key": PORT, "format_string": value}]}
