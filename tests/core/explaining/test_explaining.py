"""Why a request goes where it goes: each answer names the policy and the line."""

from dataclasses import replace

import pytest

from meshconsole.core import policies
from meshconsole.core.compiler import Compiler, Demand
from meshconsole.core.explaining import Explanation, Request, explain, matchers, routes
from meshconsole.core.explaining.rbac import verdict
from meshconsole.core.mesh.model import Authorizer, ProxyKind
from meshconsole.core.mesh.snapshot import Snapshot
from meshconsole.core.mesh.spiffe import spiffe_id
from meshconsole.core.resources.messages import Level
from tests.golden.case import HERE, load_mesh

TEXT = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - match: [{headers: {end-user: {exact: jason}}}]
    timeout: 2s
    retries: {attempts: 0}
    fault: {delay: {percentage: {value: 50}, fixedDelay: 3s}}
    mirror: {host: details}
    route: [{destination: {host: reviews, subset: v2}}]
  - match: [{uri: {prefix: /old}}]
    redirect: {uri: /new}
  - match: [{uri: {regex: "/teapot/[0-9]+"}}]
    directResponse: {status: 418}
  - route: [{destination: {host: reviews, subset: v1}, weight: 90}, {destination: {host: reviews, subset: gone}, weight: 10}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec:
  host: reviews
  trafficPolicy: {connectionPool: {http: {http1MaxPendingRequests: 3}}, loadBalancer: {simple: RANDOM}}
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: details}
spec: {host: details, trafficPolicy: {tls: {mode: DISABLE}}}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: details}
spec: {selector: {matchLabels: {app: details}}, mtls: {mode: STRICT}}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: secret}
spec:
  action: DENY
  selector: {matchLabels: {app: ratings}}
  rules: [{to: [{operation: {methods: [PUT]}}]}, {to: [{operation: {paths: ["/sec*"]}}]}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: v1}
spec:
  selector: {matchLabels: {app: reviews, version: v1}}
  rules: [{from: [{source: {principals: ["cluster.local/ns/default/sa/bookinfo-productpage"]}}]}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: v2}
spec:
  selector: {matchLabels: {app: reviews, version: v2}}
  rules: [{from: [{source: {requestPrincipals: ["*"]}}]}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*.example.com"]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: edge}
spec: {hosts: [shop.example.com], gateways: [edge], http: [{match: [{uri: {prefix: /shop}}], route: [{destination: {host: ratings}}]}]}
"""
JASON = {"end-user": "jason"}
LUA = """
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: lua}
spec:
  workloadSelector: {labels: {app: APP}}
  configPatches:
  - applyTo: HTTP_FILTER
    match: {context: CONTEXT, listener: {filterChain: {filter: {name: envoy.filters.network.http_connection_manager}}}}
    patch:
      operation: INSERT_FIRST
      value:
        name: lua
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua
          default_source_code: {inline_string: "function envoy_on_request(handle) end"}
"""
CUSTOM = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: asked}
spec:
  action: CUSTOM
  provider: {name: one}
  selector: {matchLabels: {app: APP}}
  rules: [{to: [{operation: {paths: ["/asked*"]}}]}]
"""


@pytest.fixture(scope="module")
def ask():
    return asking(TEXT)


def asking(text: str):
    mesh, workloads, _ = load_mesh(HERE / "mesh.yaml")
    mesh = replace(mesh, authorizers=(Authorizer("one", True, "details", 9080, "default"),))
    parsed, faults = policies.parse(text)
    assert not [m for m in faults if m.level is Level.ERROR]
    snapshot, compiler = Snapshot(mesh, parsed, workloads, 1), Compiler()
    by_id = {w.id: w for w in workloads}

    def inbound(id: str):
        return compiler.compile(snapshot, by_id[id], Demand()) if id in by_id else None

    def asked(caller: str, to: str, path: str = "/", method: str = "GET", headers: dict[str, str] | None = None) -> Explanation:
        workload = by_id[caller]
        gateway = workload.kind is ProxyKind.GATEWAY
        request = Request(to, path, method, headers or {}, spiffe_id(mesh.trust_domain, workload.namespace, workload.service_account))
        resources = compiler.compile(snapshot, workload, Demand(frozenset() if gateway else frozenset({to})))
        return explain(resources, request, inbound, gateway=gateway)

    return asked


def test_the_first_route_that_matches_takes_it_and_the_line_is_named(ask):
    found = ask("default/productpage-v1", "reviews:9080", "/x", headers=JASON)
    assert found.line == "VirtualService default/reviews spec.http[0]" and not found.passed
    words = [e.words for e in found.effects]
    assert words == ["timeout 2s", "50 % delayed by 3s", "100 % copied to outbound|9080||details.default.svc.cluster.local"]


def test_a_route_that_did_not_take_it_says_why(ask):
    found = ask("default/productpage-v1", "reviews:9080", "/x", headers={"end-user": "moe"})
    assert [(e.line, e.words) for e in found.passed] == [
        ("VirtualService default/reviews spec.http[0]", "header end-user is 'moe'"),
        ("VirtualService default/reviews spec.http[1]", "the path is not /old*"),
        ("VirtualService default/reviews spec.http[2]", "the path is not as /teapot/[0-9]+"),
    ]
    assert found.line == "VirtualService default/reviews spec.http[3]"


def test_shares_and_a_subset_that_nobody_defines_are_told(ask):
    found = ask("default/productpage-v1", "reviews:9080")
    first, second = found.destinations
    assert (first.weight, second.weight) == (90, 10)
    assert first.lines == ("DestinationRule default/reviews spec.subsets[0]",)
    assert [e.words for e in first.effects] == ["load balancing RANDOM", "at most 3 waiting requests"]
    assert not second.exists and "does not exist: 503" in found.sentence


def test_who_is_let_in_is_told_by_rule(ask):
    (instance,) = ask("default/productpage-v1", "reviews:9080").destinations[0].instances
    assert instance.allowed and instance.line == "AuthorizationPolicy default/v1 spec.rules[0]"
    (instance,) = ask("other/guest", "reviews.default:9080").destinations[0].instances
    assert instance.allowed is False and instance.words == "denied: no ALLOW rule matches (of default/v1)"


def test_a_denial_names_its_rule(ask):
    found = ask("default/reviews-v2", "ratings:9080", "/secret")
    assert found.sentence.endswith("and is denied by default/secret, rule 1.")
    assert found.destinations[0].instances[0].line == "AuthorizationPolicy default/secret spec.rules[1]"
    assert ask("default/reviews-v2", "ratings:9080", "/").sentence.endswith("and is let in.")


def test_what_hangs_on_a_token_is_not_known_with_one_and_refused_without(ask):
    (instance,) = ask("default/productpage-v1", "reviews:9080", headers=JASON).destinations[0].instances
    assert instance.allowed is False
    token = JASON | {"authorization": "Bearer abc"}
    (instance,) = ask("default/productpage-v1", "reviews:9080", headers=token).destinations[0].instances
    assert instance.allowed is None and "default/v2, rule 0" in instance.words


def test_plaintext_to_a_strict_port_is_refused_by_its_peer_authentication(ask):
    (instance,) = ask("default/productpage-v1", "details:9080").destinations[0].instances
    assert not instance.mtls and instance.allowed is False
    assert instance.line == "PeerAuthentication default/details" and "mutual TLS only" in instance.words


def test_redirects_and_answers_of_the_proxy_itself(ask):
    assert (
        "is redirected by VirtualService default/reviews spec.http[1]" in ask("default/productpage-v1", "reviews:9080", "/old/x").sentence
    )
    assert "answered 418" in ask("default/productpage-v1", "reviews:9080", "/teapot/7").sentence


def test_a_gateway_is_asked_by_domain(ask):
    found = ask("istio-system/ingressgateway", "shop.example.com", "/shop")
    assert found.line == "VirtualService default/edge spec.http[0]" and found.sentence.endswith("and is let in.")
    assert ask("istio-system/ingressgateway", "shop.example.com", "/else").sentence.startswith("404: no route of")
    assert ask("istio-system/ingressgateway", "other.example.com").sentence.startswith("404: nothing that this proxy knows")


def test_an_external_authorizers_answer_is_not_known_where_it_is_asked_and_only_there():
    asked = asking(TEXT + "---" + CUSTOM.replace("APP", "ratings"))
    found = asked("default/reviews-v2", "ratings:9080", "/asked/x")
    (instance,) = found.destinations[0].instances
    assert instance.allowed is None and "an external authorizer is asked, and its answer is not known here" in instance.words
    assert "is let in" not in found.sentence
    assert asked("default/reviews-v2", "ratings:9080", "/").sentence.endswith("and is let in.")
    assert asked("default/reviews-v2", "ratings:9080", "/secret").sentence.count("is denied by default/secret")


def test_an_envoy_filter_where_the_request_arrives_is_named_with_its_line():
    asked = asking(TEXT + "---" + LUA.replace("APP", "ratings").replace("CONTEXT", "SIDECAR_INBOUND"))
    found = asked("default/reviews-v2", "ratings:9080", "/")
    (instance,) = found.destinations[0].instances
    assert instance.allowed is None and "EnvoyFilter default/lua spec.configPatches[0] changes the listener there" in instance.words
    assert "is let in" not in found.sentence and not found.notes


def test_an_envoy_filter_that_the_request_passes_first_is_named_with_its_line():
    asked = asking(TEXT + "---" + LUA.replace("APP", "reviews").replace("CONTEXT", "SIDECAR_OUTBOUND"))
    (note,) = asked("default/reviews-v2", "ratings:9080", "/").notes
    assert note.startswith("EnvoyFilter default/lua spec.configPatches[0] changes the listener") and note.endswith("is not evaluated.")
    assert not asked("default/productpage-v1", "ratings:9080", "/").notes


def test_what_a_gateway_asks_of_its_callers_is_named():
    custom = CUSTOM.replace("selector: {matchLabels: {app: APP}}", "selector: {matchLabels: {istio: ingressgateway}}")
    asked = asking(TEXT + "---" + custom.replace("{name: asked}", "{name: asked, namespace: istio-system}"))
    (note,) = asked("istio-system/ingressgateway", "shop.example.com", "/shop").notes
    assert note.startswith("AuthorizationPolicy istio-system/asked holds at the gateway's listener")


@pytest.mark.parametrize(
    ("authority", "name"),
    [
        ("a.example.com", "exact"),
        ("b.example.com:80", "suffix"),
        ("x.b.example.com", "long"),
        ("www.other", "prefix"),
        ("zzz", "any"),
        ("example.com", "any"),
    ],
)
def test_domains_are_chosen_as_envoy_chooses(authority, name):
    hosts = [{"name": n, "domains": d} for n, d in [
        ("any", ["*"]), ("suffix", ["*.example.com"]), ("long", ["*.b.example.com"]), ("exact", ["a.example.com"]), ("prefix", ["www.*"]),
    ]]  # fmt: skip
    assert routes.virtual_host(hosts, authority)["name"] == name


@pytest.mark.parametrize(
    ("matcher", "found"),
    [
        ({"name": "x", "present_match": True}, True),
        ({"name": "y", "present_match": True}, False),
        ({"name": "y", "present_match": True, "invert_match": True}, True),
        ({"name": "x", "string_match": {"exact": "One", "ignore_case": True}}, True),
        ({"name": "x", "string_match": {"suffix": "ne"}}, True),
        ({"name": "x", "string_match": {"safe_regex": {"regex": "on"}}}, False),
        ({"name": "x", "string_match": {"safe_regex": {"regex": "(?i)(?<"}}}, None),
        ({"name": "y", "string_match": {"exact": "one"}, "invert_match": True}, False),
        ({"name": "y", "string_match": {"exact": "one"}, "invert_match": True, "treat_missing_header_as_empty": True}, True),
        ({"name": ":method", "string_match": {"exact": "GET"}}, True),
        ({"name": "n", "range_match": {"start": "1", "end": "10"}}, True),
    ],
)
def test_headers_match_as_in_envoy(matcher, found):
    assert matchers.header(matcher, Request("h", headers={"x": "one", "n": "9"})) is found


def test_deny_comes_before_allow_and_a_dry_run_decides_nothing():
    everything = {"permissions": [{"any": True}], "principals": [{"any": True}]}
    allow = {"rules": {"policies": {"a": everything}}}
    deny = {"rules": {"action": "DENY", "policies": {"d": everything}}}
    request = replace(Request("h"), principal="")
    assert verdict([deny, allow], request, 80).rule == "d"
    assert verdict([{"shadow_rules": deny["rules"]}, allow], request, 80).allowed is True
    nobody = {
        "rules": {
            "policies": {"a": {"permissions": [{"any": True}], "principals": [{"authenticated": {"principal_name": {"prefix": "x"}}}]}}
        }
    }
    assert verdict([nobody], request, 80).allowed is False
