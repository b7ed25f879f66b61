"""Messages are filled as Google's own parser fills them; what it refuses is refused."""

import pytest
from google.protobuf import json_format

from meshconsole.core.envoy import filling, wire
from meshconsole.core.envoy.resource_set import XdsType
from tests.golden import case


def _compiled() -> list[tuple[XdsType, bytes]]:
    found = {}
    for folder in case.folders():
        for resources in case.run(folder).proxies.values():
            found.update({(blob.type, blob.body): None for blob in resources})
    return list(found)


def test_every_golden_resource_is_filled_as_googles_parser_fills_it():
    compared = 0
    for type_, data in _compiled():
        body = wire.parse(type_, data)
        ours = filling.message_class(wire.MESSAGES[type_])()
        filling.fill(ours, body)
        theirs = json_format.ParseDict(
            body, filling.message_class(wire.MESSAGES[type_])(), ignore_unknown_fields="budget_interval" in str(body)
        )
        assert wire.parse(type_, ours.SerializeToString()) == body
        if "budget_interval" not in str(body):  # what google's parser does not know: test_newer.py
            assert wire.parse(type_, theirs.SerializeToString()) == body
        assert ours.SerializeToString(deterministic=True) == data
        compared += 1
    assert compared > 10


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"routes": [{"match": {"prefix": "/"}, "route": {"clusster": "x"}}]}, "routes[0].route.clusster"),
        ({"routes": {"match": {}}}, "routes"),
        ({"routes": [{"route": {"timeout": "5"}}]}, "routes[0].route.timeout"),
        ({"routes": [{"route": {"timeout": 5}}]}, "routes[0].route.timeout"),
        ({"routes": [{"route": {"retry_policy": {"num_retries": "many"}}}]}, "routes[0].route.retry_policy.num_retries"),
        ({"routes": [{"route": {"retry_policy": {"num_retries": -1}}}]}, "routes[0].route.retry_policy.num_retries"),
        ({"require_tls": "PERHAPS"}, "require_tls"),
        ({"include_request_attempt_count": "yes"}, "include_request_attempt_count"),
        ({"typed_per_filter_config": {"x": {"no": "type"}}}, "typed_per_filter_config"),
        ({"domains": "one"}, "domains"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(body: dict, path: str):
    message = filling.message_class("envoy.config.route.v3.VirtualHost")()
    with pytest.raises(filling.Wrong) as raised:
        filling.fill(message, body)
    assert str(raised.value).startswith(path)


@pytest.mark.parametrize("text", ["0s", "1s", "1.5s", "0.000000001s", "-1s", "-0.5s", "3600s"])
def test_durations_are_read_as_googles_parser_reads_them(text: str):
    body = {"routes": [{"route": {"timeout": text}}]}
    ours, theirs = (filling.message_class("envoy.config.route.v3.VirtualHost")() for _ in range(2))
    filling.fill(ours, body)
    assert ours == json_format.ParseDict(body, theirs)


def test_an_extension_that_is_used_again_is_packed_once():
    once = filling.Once({"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router", "dynamic_stats": False})
    body = {"typed_per_filter_config": {"a": once}}
    first = wire.serialise("envoy.config.route.v3.VirtualHost", body)
    assert once.packed is not None
    assert wire.serialise("envoy.config.route.v3.VirtualHost", body) == first
    assert wire.serialise("envoy.config.route.v3.VirtualHost", {"typed_per_filter_config": {"a": dict(once)}}) == first
