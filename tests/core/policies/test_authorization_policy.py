"""From rules to Envoy's RBAC: matchers, negations, TCP, dry-run, trust domains, and whom a policy is for."""

from typing import Any

import pytest

from meshconsole.core.envoy.draft import HttpFilter, InboundDraft, NetworkFilter
from meshconsole.core.mesh.model import MeshConfig, Workload, WorkloadPort
from meshconsole.core.policies.authorization_policy import AuthorizationPolicy, filter_of
from meshconsole.core.policies.authorization_policy.schema import Action
from meshconsole.core.policies.authorization_policy.trust_domains import expanded


class View:
    mesh = MeshConfig(trust_domain="td", trust_domain_aliases=("old-td",))
    namespace = "foo"


def policy(*rules: dict[str, Any], action: str = "ALLOW", name: str = "bar", namespace: str = "foo", **more: Any) -> AuthorizationPolicy:
    spec: dict[str, Any] = {"action": action, "rules": list(rules)}
    if "labels" in more:
        spec["selector"] = {"matchLabels": more["labels"]}
    metadata = {"name": name, "namespace": namespace, "annotations": more.get("annotations", {})}
    data = {"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy", "metadata": metadata, "spec": spec}
    return AuthorizationPolicy.model_validate(data)


def config(*policies: AuthorizationPolicy, tcp: bool = False) -> dict[str, Any]:
    return filter_of(policies[0].spec.action, policies, ["td", "old-td"], tcp=tcp)["typed_config"]


def only(rule: dict[str, Any], action: str = "ALLOW") -> dict[str, Any]:
    return config(policy(rule, action=action))["rules"]["policies"]["ns[foo]-policy[bar]-rule[0]"]


def caller(**source: Any) -> list[dict[str, Any]]:
    return only({"from": [{"source": source}]})["principals"][0]["and_ids"]["ids"]


def call(**operation: Any) -> list[dict[str, Any]]:
    return only({"to": [{"operation": operation}]})["permissions"][0]["and_rules"]["rules"]


def when(key: str, *values: str) -> list[dict[str, Any]]:
    found = only({"when": [{"key": key, "values": list(values)}]})
    return [*found["principals"][0]["and_ids"]["ids"], *found["permissions"][0]["and_rules"]["rules"]]


def test_an_allow_policy_without_rules_lets_nobody_in():
    never = {"permissions": [{"not_rule": {"any": True}}], "principals": [{"not_id": {"any": True}}]}
    assert config(policy())["rules"] == {"action": "ALLOW", "policies": {"ns[foo]-policy[bar]-rule[0]": never}}


def test_an_empty_rule_matches_everything():
    anything = {"permissions": [{"and_rules": {"rules": [{"any": True}]}}], "principals": [{"and_ids": {"ids": [{"any": True}]}}]}
    assert only({}, "DENY") == anything


@pytest.mark.parametrize(
    ("written", "matcher"),
    [
        ("td2/ns/a/sa/b", {"exact": "spiffe://td2/ns/a/sa/b"}),
        ("td2/ns/a/*", {"prefix": "spiffe://td2/ns/a/"}),
        ("*/sa/b", {"safe_regex": {"regex": "spiffe://.*/sa/b"}}),
        ("*", {"safe_regex": {"regex": ".+"}}),
    ],
)
def test_principals_are_spiffe_ids(written: str, matcher: dict[str, Any]):
    assert caller(principals=[written]) == [{"or_ids": {"ids": [{"authenticated": {"principal_name": matcher}}]}}]


def test_a_namespace_is_quoted_so_that_it_matches_itself_alone():
    (found,) = caller(namespaces=["a.b-*"])
    assert found["or_ids"]["ids"][0]["authenticated"]["principal_name"]["safe_regex"]["regex"] == r".*/ns/a\.b-.*/.*"


def test_a_service_account_is_of_the_policys_namespace_unless_it_says_another():
    (found,) = caller(serviceAccounts=["web", "other/api"])
    regexes = [each["authenticated"]["principal_name"]["safe_regex"]["regex"] for each in found["or_ids"]["ids"]]
    assert regexes == ["spiffe://.+/ns/foo/(.+/|)sa/web(/.+)?", "spiffe://.+/ns/other/(.+/|)sa/api(/.+)?"]


def test_a_trust_domain_does_not_reach_past_its_slash():
    (found,) = caller(trustDomains=["*.example.com"])
    assert found["or_ids"]["ids"][0]["authenticated"]["principal_name"]["safe_regex"]["regex"] == r"spiffe://[^/]*\.example\.com/.*"


def test_what_must_not_match_is_negated_as_a_whole():
    values, not_values = call(methods=["GET"], notMethods=["PUT", "*"])
    assert values == {"or_rules": {"rules": [{"header": {"name": ":method", "string_match": {"exact": "GET"}}}]}}
    refused = [{"header": {"name": ":method", "string_match": {"exact": "PUT"}}}, {"header": {"name": ":method", "present_match": True}}]
    assert not_values == {"not_rule": {"or_rules": {"rules": refused}}}


def test_hosts_are_compared_without_case():
    (found,) = call(hosts=["Example.com*"])
    assert found["or_rules"]["rules"] == [
        {"header": {"name": ":authority", "string_match": {"prefix": "Example.com", "ignore_case": True}}}
    ]


def test_a_path_template_becomes_envoys():
    (found,) = call(paths=["/a/{*}/b/{**}", "/plain/*"])
    template, plain = found["or_rules"]["rules"]
    assert template["uri_template"]["typed_config"]["path_template"] == "/a/*/b/**"
    assert plain == {"url_path": {"path": {"prefix": "/plain/"}}}


@pytest.mark.parametrize(
    ("key", "value", "matcher"),
    [
        ("source.ip", "10.0.0.0/8", {"direct_remote_ip": {"address_prefix": "10.0.0.0", "prefix_len": 8}}),
        ("remote.ip", "2001:db8::1", {"remote_ip": {"address_prefix": "2001:db8::1", "prefix_len": 128}}),
        ("destination.ip", "10.1.2.3", {"destination_ip": {"address_prefix": "10.1.2.3", "prefix_len": 32}}),
        ("destination.port", "80", {"destination_port": 80}),
        ("connection.sni", "*.example.com", {"requested_server_name": {"suffix": ".example.com"}}),
        ("request.headers[X-Team]", "*-core", {"header": {"name": "X-Team", "string_match": {"suffix": "-core"}}}),
    ],
)
def test_conditions_are_about_the_caller_or_the_operation(key: str, value: str, matcher: dict[str, Any]):
    found = when(key, value)
    assert matcher in [
        item
        for each in found
        for group in ("or_ids", "or_rules")
        for item in each.get(group, {}).get("ids" if group == "or_ids" else "rules", [])
    ]


@pytest.mark.parametrize(
    ("written", "issuer", "subject"),
    [
        ("https://i/x", {"exact": "https://i"}, {"exact": "x"}),
        ("https://i/*", {"exact": "https://i"}, {"safe_regex": {"regex": ".+"}}),
        ("*/x", {"safe_regex": {"regex": ".+"}}, {"exact": "x"}),
        ("*", {"safe_regex": {"regex": ".+"}}, {"safe_regex": {"regex": ".+"}}),
        ("i*", {"prefix": "i"}, {"safe_regex": {"regex": ".+"}}),
    ],
)
def test_a_request_principal_is_issuer_and_subject(written: str, issuer: dict[str, Any], subject: dict[str, Any]):
    (found,) = caller(requestPrincipals=[written])
    assert [each["metadata"]["value"]["string_match"] for each in found["and_ids"]["ids"]] == [issuer, subject]


def test_nested_claims_are_a_path():
    (found, _) = when("request.auth.claims[realm][roles]", "reader")
    assert [each["key"] for each in found["metadata"]["path"]] == ["payload", "realm", "roles"]


HTTP_AND_PORT = {"to": [{"operation": {"methods": ["GET"], "ports": ["80"]}}]}


def test_on_tcp_an_allow_rule_that_needs_http_lets_nobody_in():
    assert config(policy(HTTP_AND_PORT), tcp=True)["rules"]["policies"] == {}


@pytest.mark.parametrize("action", ["DENY", "AUDIT"])
def test_on_tcp_a_deny_rule_keeps_what_tcp_knows_and_so_refuses_more(action: str):
    (found,) = config(policy(HTTP_AND_PORT, action=action), tcp=True)["rules"]["policies"].values()
    assert found["permissions"] == [{"and_rules": {"rules": [{"or_rules": {"rules": [{"destination_port": 80}]}}]}}]


def test_a_dry_run_is_a_shadow_with_a_prefix_of_its_own():
    shadow = policy({}, action="DENY", annotations={"istio.io/dry-run": "true"})
    found = config(shadow, policy({}, action="DENY", name="real"))
    assert list(found["rules"]["policies"]) == ["ns[foo]-policy[real]-rule[0]"]
    assert list(found["shadow_rules"]["policies"]) == ["ns[foo]-policy[bar]-rule[0]"]
    assert found["shadow_rules_stat_prefix"] == "istio_dry_run_deny_"


def test_an_annotation_that_is_neither_true_nor_false_is_refused():
    assert [m.text for m in policy({}, annotations={"istio.io/dry-run": "yes"}).check()] == ["must be true or false"]


@pytest.mark.parametrize(
    ("principal", "names"),
    [
        ("td/ns/a/sa/b", ["td/ns/a/sa/b", "old-td/ns/a/sa/b"]),
        ("old-td/ns/a/sa/b", ["td/ns/a/sa/b", "old-td/ns/a/sa/b"]),
        ("cluster.local/ns/a/sa/b", ["td/ns/a/sa/b", "old-td/ns/a/sa/b"]),
        ("stranger/ns/a/sa/b", ["stranger/ns/a/sa/b"]),
        ("*/ns/a/sa/b", ["*/ns/a/sa/b"]),
        ("*-td/ns/a/sa/b", ["td/ns/a/sa/b", "*-td/ns/a/sa/b"]),
        ("anything", ["anything"]),
    ],
)
def test_a_principal_of_one_alias_is_one_of_each(principal: str, names: list[str]):
    assert expanded([principal], ["td", "old-td"]) == names


def applied(*policies: AuthorizationPolicy, namespace: str = "foo", **labels: str) -> InboundDraft:
    draft = InboundDraft(Workload(namespace, "w", labels=labels), WorkloadPort(80))
    AuthorizationPolicy.apply(policies, draft, View())  # type: ignore[arg-type]
    return draft


def test_policies_of_the_namespace_and_of_the_root_hold_where_their_labels_are():
    root = policy({}, namespace="istio-system", name="root", labels={"app": "web"})
    elsewhere = policy({}, namespace="other", name="elsewhere")
    draft = applied(root, elsewhere, policy({}, name="own"), app="web")
    (found,) = draft.http_filters[HttpFilter.RBAC_ALLOW]
    assert sorted(found["typed_config"]["rules"]["policies"]) == ["ns[foo]-policy[own]-rule[0]", "ns[istio-system]-policy[root]-rule[0]"]
    assert applied(root, app="db").http_filters == {}


def test_each_action_has_its_place_for_http_and_for_tcp():
    draft = applied(*(policy({}, action=action.value, name=action.lower()) for action in (Action.ALLOW, Action.AUDIT, Action.DENY)))
    assert list(draft.http_filters) == [HttpFilter.RBAC_AUDIT, HttpFilter.RBAC_DENY, HttpFilter.RBAC_ALLOW]
    assert list(draft.network_filters) == [NetworkFilter.RBAC_AUDIT, NetworkFilter.RBAC_DENY, NetworkFilter.RBAC_ALLOW]
    assert [str(origin) for origin in draft.origins] == [f"AuthorizationPolicy foo/{name}" for name in ("audit", "deny", "allow")]


def test_custom_needs_a_provider():
    assert any(m.path == "spec.provider.name" for m in policy({}, action="CUSTOM").check())
