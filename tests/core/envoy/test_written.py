"""Envoy's messages as people write them."""

import pytest

from meshconsole.core.envoy.written import read

CLUSTER = "envoy.config.cluster.v3.Cluster"
FILTER = "envoy.config.listener.v3.Filter"
LUA = "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua"


def faults(name, value):
    message, found = read(name, value)
    assert (message is None) == bool(found)
    return [(fault.path, fault.text) for fault in found]


def test_both_spellings_are_the_same_message():
    one, _ = read(CLUSTER, {"connect_timeout": "1s", "lb_policy": "RANDOM"})
    other, _ = read(CLUSTER, {"connectTimeout": "1s", "lbPolicy": 3})
    assert one == other


def test_a_typed_struct_becomes_the_type_that_it_names():
    struct = {"@type": "type.googleapis.com/udpa.type.v1.TypedStruct", "type_url": LUA, "value": {"inlineCode": "x"}}
    one, _ = read(FILTER, {"name": "a", "typed_config": struct})
    other, _ = read(FILTER, {"name": "a", "typed_config": {"@type": LUA, "inline_code": "x"}})
    assert one == other


@pytest.mark.parametrize(
    ("name", "value", "path"),
    [
        (CLUSTER, {"nmae": "x"}, "nmae"),
        (
            CLUSTER,
            {"load_assignment": {"endpoints": [{"lb_endpoints": [{"endpint": {}}]}]}},
            "load_assignment.endpoints[0].lb_endpoints[0].endpint",
        ),
        (CLUSTER, {"name": 7}, "name"),
        (CLUSTER, {"connect_timeout": "10"}, "connect_timeout"),
        (CLUSTER, {"per_connection_buffer_limit_bytes": "many"}, "per_connection_buffer_limit_bytes"),
        (CLUSTER, {"lb_policy": "BEST"}, "lb_policy"),
        (CLUSTER, {"transport_socket_matches": {}}, "transport_socket_matches"),
        (CLUSTER, {"metadata": {"filter_metadata": []}}, "metadata.filter_metadata"),
        (CLUSTER, {"metadata": {"filter_metadata": {"a": "b"}}}, "metadata.filter_metadata.a"),
        (FILTER, {"typed_config": {"@type": LUA, "code": ""}}, "typed_config.code"),
        (FILTER, {"typed_config": {"inline_code": ""}}, "typed_config"),
        (FILTER, {"typed_config": {"@type": "type.googleapis.com/envoy.none.v3.None"}}, "typed_config.@type"),
        (FILTER, {"typed_config": {"@type": "type.googleapis.com/envoy.config.filter.http.lua.v2.Lua"}}, "typed_config.@type"),
        (
            FILTER,
            {"typed_config": {"@type": "type.googleapis.com/udpa.type.v1.TypedStruct", "type_url": LUA, "value": {"code": 1}}},
            "typed_config.code",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_path(name, value, path):
    assert [found for found, _ in faults(name, value)] == [path]


def test_everything_that_is_wrong_is_said():
    assert [path for path, _ in faults(CLUSTER, {"a": 1, "name": 2, "lb_policy": "x"})] == ["a", "name", "lb_policy"]
