"""Dicts become bytes strictly, and the same bytes always."""

import json
import subprocess
import sys

import pytest

from meshconsole.core.envoy import wire
from meshconsole.core.envoy.resource_set import XdsType

ROUTER = {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router", "dynamic_stats": False}
HOST = {
    "name": "h",
    "domains": ["h"],
    "metadata": {"filter_metadata": {name: {"a": "1", "b": "2", "c": "3"} for name in ("one", "two", "three", "four")}},
    "typed_per_filter_config": dict.fromkeys(("r1", "r2", "r3", "r4", "r5"), ROUTER),
}


def test_equal_content_is_the_same_version():
    one, other = wire.blob(XdsType.VHDS, "h", HOST), wire.blob(XdsType.VHDS, "h", dict(reversed(HOST.items())))
    assert (one.version, one.body) == (other.version, other.body)
    assert len(one.version) == 16
    assert wire.blob(XdsType.VHDS, "h", {**HOST, "domains": ["i"]}).version != one.version


def test_bytes_do_not_depend_on_the_process():
    code = (
        "import json, sys; from meshconsole.core.envoy import wire; from meshconsole.core.envoy.resource_set import XdsType;"
        "print(wire.blob(XdsType.VHDS, 'h', json.load(sys.stdin)).version)"
    )
    versions = {
        subprocess.run([sys.executable, "-c", code], input=json.dumps(HOST), capture_output=True, text=True, check=True).stdout
        for _ in range(3)
    }
    assert len(versions) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"name": "h", "domain": ["h"]},
        {"name": 7},
        {"name": "h", "routes": [{"match": {"prefix": "/"}, "route": {"timeout": "soon"}}]},
        {"name": "h", "typed_per_filter_config": {"x": {"@type": "type.googleapis.com/envoy.no.such.v3.Thing"}}},
        {"name": "h", "typed_per_filter_config": {"x": {**ROUTER, "no_such_field": 1}}},
        {"name": "h", "require_tls": "SOMETIMES"},
    ],
)
def test_what_envoys_api_does_not_know_is_refused(body: dict):
    with pytest.raises(wire.Unrenderable, match="vhds h"):
        wire.blob(XdsType.VHDS, "h", body)


def test_bytes_are_read_back_with_their_extensions_open():
    body = wire.parse(XdsType.VHDS, wire.blob(XdsType.VHDS, "h", HOST).body)
    assert body["typed_per_filter_config"]["r1"] == ROUTER
    assert list(body["metadata"]["filter_metadata"]) == ["four", "one", "three", "two"]


def test_extensions_inside_extensions_are_settled_too():
    inner = {"name": "x", "typed_config": ROUTER}
    hcm = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    listener = {
        "name": "l",
        "filter_chains": [{"filters": [{"name": "h", "typed_config": {"@type": hcm, "stat_prefix": "s", "http_filters": [inner]}}]}],
    }
    body = wire.parse(XdsType.LDS, wire.blob(XdsType.LDS, "l", listener).body)
    assert body["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"][0]["typed_config"]["@type"] == ROUTER["@type"]
