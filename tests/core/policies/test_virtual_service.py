"""VirtualService: the rules that a golden cannot say in one sentence."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshconsole.core.envoy.draft import HostDraft, Route
from meshconsole.core.mesh.model import MeshConfig
from meshconsole.core.policies._retries import retry_policy
from meshconsole.core.policies.virtual_service import VirtualService
from meshconsole.core.policies.virtual_service.delegates import merge
from meshconsole.core.policies.virtual_service.headers import joined, operations
from meshconsole.core.policies.virtual_service.matching import claim_path, is_catch_all, may_hold, qualified, route_match
from meshconsole.core.policies.virtual_service.schema import Headers, HttpMatch, HttpRoute, Retries


def match(**said: Any) -> HttpMatch:
    return HttpMatch.model_validate(said)


def rule(**said: Any) -> HttpRoute:
    return HttpRoute.model_validate({"route": [{"destination": {"host": "a"}}], **said})


def draft(gateway: str = "", port: int = 80, **labels: str) -> HostDraft:
    return HostDraft("a", port, ("a",), gateway=gateway, client_labels=labels)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("mesh", "mesh"),
        ("edge", "shop/edge"),
        ("./edge", "shop/edge"),
        ("other/edge", "other/edge"),
        ("edge.other", "other/edge"),
        ("edge.other.svc.cluster.local", "other/edge"),
    ],
)
def test_a_gateways_name_is_of_the_rules_namespace(written: str, meant: str):
    assert qualified(written, "shop") == meant


@pytest.mark.parametrize(
    ("said", "holds"),
    [
        ({}, True),
        ({"port": 80}, True),
        ({"port": 81}, False),
        ({"sourceLabels": {"app": "web"}}, True),
        ({"sourceLabels": {"app": "web", "version": "v1"}}, False),
        ({"sourceNamespace": "shop"}, True),
        ({"sourceNamespace": "other"}, False),
        ({"gateways": ["mesh"]}, True),
        ({"gateways": ["edge"]}, False),
        ({"gateways": ["mesh"], "sourceLabels": {"app": "nobody"}, "sourceNamespace": "other"}, True),
    ],
)
def test_who_calls_is_decided_before_envoy(said: dict[str, Any], holds: bool):
    assert may_hold(match(**said), draft(app="web"), "default", "shop") is holds


def test_at_a_gateway_source_labels_are_the_gateways_own():
    edge = draft("default/edge", istio="ingressgateway")
    assert may_hold(match(sourceLabels={"istio": "ingressgateway"}), edge, "default", "istio-system")
    assert not may_hold(match(sourceLabels={"app": "web"}), edge, "default", "istio-system")
    assert may_hold(match(gateways=["edge"]), edge, "default", "istio-system")
    assert not may_hold(match(gateways=["mesh"]), edge, "default", "istio-system")


@pytest.mark.parametrize(
    ("said", "all_of_them"),
    [
        (None, True),
        ({}, True),
        ({"uri": {"prefix": "/"}}, True),
        ({"uri": {"regex": ".*"}}, True),
        ({"uri": {"regex": "/.*"}}, False),
        ({"uri": {"prefix": "/a"}}, False),
        ({"headers": {"a": {}}}, False),
        ({"withoutHeaders": {"a": {}}}, False),
        ({"queryParams": {"a": {}}}, False),
        ({"method": {"exact": "GET"}}, False),
        ({"uri": {"prefix": "/"}, "ignoreUriCase": True}, True),
    ],
)
def test_what_takes_every_request_is_known(said: dict[str, Any] | None, all_of_them: bool):
    assert is_catch_all(Route("", route_match(match(**said) if said is not None else None))) is all_of_them


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("@request.auth.claims.sub", ("sub",)),
        ("@request.auth.claims.a.b", ("a", "b")),
        ("@request.auth.claims[a.b][c]", ("a.b", "c")),
        ("@request.auth.claims", ()),
        ("@request.auth.claims.", ()),
        ("@request.auth.claims[]", ()),
        ("@request.auth.claimsub", ()),
        ("x-header", ()),
    ],
)
def test_claims_are_told_from_headers(written: str, path: tuple[str, ...]):
    assert claim_path(written) == path


def test_host_is_a_rewrite_and_no_header():
    said = Headers.model_validate(
        {"request": {"set": {"Host": "a", "x": "1", ":path": "/"}, "add": {":authority": "b"}, "remove": ["host", "y"]}}
    )
    fields, authority = operations(said)
    assert authority == "a"  # set before add
    assert [option["header"]["key"] for option in fields["request_headers_to_add"]] == ["x"]
    assert fields["request_headers_to_remove"] == ["y"]


def test_operations_of_two_levels_keep_their_order():
    first = {"request_headers_to_remove": ["a"], "response_headers_to_add": [1]}
    assert joined(first, {"request_headers_to_remove": ["b"]}) == {"request_headers_to_remove": ["a", "b"], "response_headers_to_add": [1]}
    assert joined({}, {}) == {}


def test_retries_begin_with_istios_defaults():
    assert retry_policy(None)["num_retries"] == 2
    assert retry_policy(Retries()) is None
    three = retry_policy(Retries(attempts=3))
    assert {**retry_policy(None), "num_retries": 3} == three


def test_one_routes_retries_are_not_anothers():
    retry_policy(Retries(attempts=9, retryIgnorePreviousHosts=False))
    assert retry_policy(None)["num_retries"] == 2 and "retry_host_predicate" in retry_policy(None)


@pytest.mark.parametrize(
    ("outer", "own", "merged"),
    [
        ([], [{"uri": {"exact": "/a"}}], True),
        ([{"uri": {"exact": "/a"}}], [], True),
        ([{"uri": {"prefix": "/a"}}], [{"uri": {"prefix": "/a/b"}}], True),
        ([{"uri": {"prefix": "/a"}}], [{"uri": {"exact": "/abc"}}], True),
        ([{"uri": {"prefix": "/a"}}], [{"uri": {"prefix": "/"}}], False),
        ([{"uri": {"exact": "/a"}}], [{"uri": {"prefix": "/a"}}], False),
        ([{"uri": {"exact": "/a"}}], [{"uri": {"exact": "/b"}}], False),
        ([{"uri": {"prefix": "/a"}}], [{"uri": {"regex": "/a"}}], False),
        ([{"uri": {"prefix": "/a"}}], [{"headers": {"x": {"exact": "1"}}}], True),
        ([{"headers": {"x": {"prefix": "1"}}}], [{"headers": {"x": {"exact": "12"}}}], True),
        ([{"headers": {"x": {"exact": "1"}}}], [{"headers": {"x": {"exact": "2"}}}], False),
        ([{"port": 80}], [{"port": 81}], False),
        ([{"ignoreUriCase": True}], [{"uri": {"prefix": "/a"}}], False),
        ([{"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/b"}}], [{"uri": {"prefix": "/b/c"}}], True),
        ([{"uri": {"prefix": "/a"}}], [{"uri": {"prefix": "/a/b"}}, {"uri": {"prefix": "/c"}}], False),
    ],
)
def test_a_delegate_serves_only_what_lies_within_the_roots_match(outer: list[Any], own: list[Any], merged: bool):
    assert (merge(rule(match=outer), rule(match=own)) is not None) is merged


def test_a_delegates_words_beat_the_roots_and_what_it_leaves_unsaid_is_the_roots():
    root = rule(name="root", timeout="5s", retries={"attempts": 1}, rewrite={"uri": "/r"}, headers={"request": {"set": {"a": "root"}}})
    both = merge(root, rule(name="own", timeout="1s"))
    assert both is not None
    assert (both.name, both.timeout, both.retries.attempts, both.rewrite.uri) == ("root-own", "1s", 1, "/r")
    assert both.headers.request.set == {"a": "root"}


HOSTS = st.lists(
    st.sampled_from(["reviews", "*.default.svc.cluster.local", "*", "details.other.svc.cluster.local"]), min_size=1, unique=True
)


@settings(deadline=None)
@given(HOSTS)
def test_the_most_specific_of_its_hosts_speaks_for_it(written: list[str]):
    spec = {"hosts": written, "http": [{"route": [{"destination": {"host": "a"}}]}]}
    data = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "a"}, "spec": spec}
    policy = VirtualService.model_validate(data)
    host = "reviews.default.svc.cluster.local"
    order = [host, "*.default.svc.cluster.local", "*"]
    expected = next((pattern for pattern in order if pattern in policy.concerns(MeshConfig())), None)
    assert policy.speaks_of(host, MeshConfig()) == expected
