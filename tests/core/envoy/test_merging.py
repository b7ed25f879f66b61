"""What a patch does to a message."""

import pytest
from google.protobuf import json_format

from meshconsole.core.envoy.filling import filled
from meshconsole.core.envoy.merging import merge

CLUSTER = "envoy.config.cluster.v3.Cluster"
HCM = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
FILTER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter"
BUFFER = {"@type": "type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer"}
LUA = {"@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua"}


def merged(name, into, patch, **options):
    message = filled(name, into)
    merge(message, filled(name, patch), **options)
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


@pytest.mark.parametrize(
    ("name", "into", "patch", "result"),
    [
        (CLUSTER, {"name": "a", "lb_policy": "RANDOM"}, {"lb_policy": "MAGLEV"}, {"name": "a", "lb_policy": "MAGLEV"}),
        (CLUSTER, {"connect_timeout": "1.5s"}, {"connect_timeout": "2s"}, {"connect_timeout": "2s"}),
        (HCM, {"use_remote_address": True}, {"use_remote_address": False}, {"use_remote_address": False}),
        (HCM, {"rds": {"route_config_name": "a"}}, {"route_config": {"name": "b"}}, {"route_config": {"name": "b"}}),
        (
            HCM,
            {"common_http_protocol_options": {"idle_timeout": "1s"}},
            {"common_http_protocol_options": {"max_headers_count": 7}},
            {"common_http_protocol_options": {"idle_timeout": "1s", "max_headers_count": 7}},
        ),
        (FILTER, {"typed_config": BUFFER | {"max_request_bytes": 1}}, {"typed_config": LUA}, {"typed_config": LUA}),
        (
            FILTER,
            {"typed_config": BUFFER},
            {"typed_config": BUFFER | {"max_request_bytes": 2}},
            {"typed_config": BUFFER | {"max_request_bytes": 2}},
        ),
    ],
)
def test_a_field_joins_or_replaces(name, into, patch, result):
    assert merged(name, into, patch) == result


def test_a_list_is_appended_to_or_replaced():
    old, new = {"upgrade_configs": [{"upgrade_type": "websocket"}]}, {"upgrade_configs": [{"upgrade_type": "CONNECT"}]}
    assert [each["upgrade_type"] for each in merged(HCM, old, new)["upgrade_configs"]] == ["websocket", "CONNECT"]
    assert [each["upgrade_type"] for each in merged(HCM, old, new, replace_lists=True)["upgrade_configs"]] == ["CONNECT"]


def test_a_list_inside_an_extension_is_replaced_too():
    def of(*codes):
        return {"typed_config": {"@type": f"type.googleapis.com/{HCM}", "upgrade_configs": [{"upgrade_type": code} for code in codes]}}

    found = merged(FILTER, of("a", "b"), of("c"), replace_lists=True)
    assert found["typed_config"]["upgrade_configs"] == [{"upgrade_type": "c"}]


def test_an_entry_of_a_mapping_is_replaced_as_a_whole():
    options = "typed_extension_protocol_options"
    found = merged(CLUSTER, {options: {"a": BUFFER | {"max_request_bytes": 1}, "b": LUA}}, {options: {"a": LUA}})
    assert found[options] == {"a": LUA, "b": LUA}
