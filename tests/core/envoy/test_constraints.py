"""What Envoy's API asks of its messages, found before Envoy is asked."""

import pytest

from meshconsole.core.envoy.constraints import broken
from meshconsole.core.envoy.filling import filled

V3 = "envoy.config."
HTTP = "envoy.extensions.filters.http."


@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [
        (V3 + "cluster.v3.Cluster", {"name": "a", "connect_timeout": "1s"}, []),
        (
            V3 + "cluster.v3.Cluster",
            {"connect_timeout": "0s"},
            [("name", "must not be empty"), ("connect_timeout", "must be more than 0s")],
        ),
        (V3 + "route.v3.VirtualHost", {"name": "a"}, [("domains", "needs 1 entries or more")]),
        (
            V3 + "route.v3.Route",
            {"match": {"prefix": "/"}, "direct_response": {"status": 99}},
            [("direct_response.status", "must be at least 200")],
        ),
        (V3 + "core.v3.SocketAddress", {"address": "a", "port_value": 65536}, [("port_value", "must be at most 65535")]),
        (V3 + "core.v3.HeaderValueOption", {}, [("header", "is required")]),
        (
            "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter",
            {"name": "x", "typed_config": {"@type": f"type.googleapis.com/{HTTP}local_ratelimit.v3.LocalRateLimit"}},
            [("typed_config.stat_prefix", "must not be empty")],
        ),
        (HTTP + "buffer.v3.Buffer", {}, [("max_request_bytes", "is required")]),
        (HTTP + "buffer.v3.Buffer", {"max_request_bytes": 0}, [("max_request_bytes", "must be more than 0")]),
        (V3 + "listener.v3.Listener", {"address": {}}, [("address", "one of socket_address, pipe, envoy_internal_address is required")]),
    ],
)
def test_a_rule_that_is_broken_is_named_with_its_path(name, value, wrong):
    assert list(broken(filled(name, value))) == wrong
