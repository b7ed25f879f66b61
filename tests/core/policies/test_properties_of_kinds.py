"""Every kind that writes configuration: what the door lets in compiles without a failure, to the same bytes in whatever order it was applied or loaded."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from meshconsole.core.compiler import Compiler, Demand
from meshconsole.core.compiler.kinds import discovered
from meshconsole.core.envoy.resource_set import ResourceSet
from meshconsole.core.mesh.model import MeshConfig, Protocol, ProxyKind, Workload, WorkloadPort
from meshconsole.core.mesh.snapshot import Snapshot
from meshconsole.core.policies import KINDS, dump, parse_object
from meshconsole.core.policies.base import Policy
from meshconsole.core.resources.messages import Invalid
from tests.core.compiler.mesh import bookinfo
from tests.golden import bootstrap

from .test_properties import DESTINATION_RULE, PERCENTAGE, STRING, VIRTUAL_SERVICE, WORD, must, some

NAMES = ["reviews.default.svc.cluster.local", "api.example.com", "*.wild.example.com", "db.example.com"]
LABELS = st.sampled_from([{"app": "reviews"}, {"app": "productpage"}, {"app": "nobody"}, {"version": "v1"}])
SELECTOR = LABELS.map(lambda labels: {"matchLabels": labels})
NAMESPACES = st.sampled_from(["default", "default", "istio-system", "other"])
PATTERNS = st.sampled_from(["*", "a*", "*z", "exact", "/api/*"])
SOURCE = some(
    principals=st.lists(st.sampled_from(["*", "cluster.local/ns/default/sa/*", "cluster.local/ns/a/sa/b"]), max_size=2),
    requestPrincipals=st.lists(PATTERNS, max_size=2),
    namespaces=st.lists(st.sampled_from(["default", "a*"]), max_size=2),
    notNamespaces=st.lists(st.just("other"), max_size=1),
    ipBlocks=st.lists(st.sampled_from(["10.0.0.0/8", "::1", "1.2.3.4"]), max_size=2),
    remoteIpBlocks=st.lists(st.just("10.1.0.0/16"), max_size=1),
)
OPERATION = some(
    hosts=st.lists(PATTERNS, max_size=2),
    methods=st.lists(st.sampled_from(["GET", "P*"]), max_size=2),
    paths=st.lists(st.sampled_from(["/a", "/a/*", "*/z", "/v/{*}/x", "/deep/{**}"]), max_size=2),
    ports=st.lists(st.sampled_from(["9080", "80"]), max_size=1),
    notPaths=st.lists(st.just("/free"), max_size=1),
)
CONDITION = must(
    {
        "key": st.sampled_from(
            [
                "request.headers[x-a]",
                "source.ip",
                "source.namespace",
                "source.principal",
                "request.auth.claims[iss]",
                "destination.port",
                "connection.sni",
            ]
        )
    },
    values=st.lists(st.sampled_from(["9080", "10.0.0.0/8", "a*"]), min_size=1, max_size=2),
    notValues=st.lists(st.just("80"), max_size=1),
)
RULE = some(
    **{"from": st.lists(SOURCE.map(lambda s: {"source": s}), max_size=2)},
    to=st.lists(OPERATION.map(lambda o: {"operation": o}), max_size=2),
    when=st.lists(CONDITION, max_size=1),
)
AUTHORIZATION = some(action=st.sampled_from(["ALLOW", "DENY", "AUDIT"]), rules=st.lists(RULE, max_size=2), selector=SELECTOR)
MTLS = st.sampled_from(["UNSET", "DISABLE", "PERMISSIVE", "STRICT"]).map(lambda mode: {"mode": mode})
AUTHENTICATION = some(
    selector=SELECTOR, mtls=MTLS, portLevelMtls=st.sampled_from([{"9080": {"mode": "STRICT"}}, {"80": {"mode": "DISABLE"}}])
)
JWT = must(
    {"issuer": WORD, "jwks": st.just('{"keys": []}')},
    audiences=st.lists(WORD, max_size=2),
    fromHeaders=st.lists(must({"name": WORD}, prefix=st.just("Bearer ")), max_size=1),
    fromParams=st.lists(WORD, max_size=1),
    fromCookies=st.lists(WORD, max_size=1),
    forwardOriginalToken=st.booleans(),
    outputPayloadToHeader=WORD,
    outputClaimToHeaders=st.lists(must({"header": WORD, "claim": WORD}), max_size=1),
)
REQUESTS = some(selector=SELECTOR, jwtRules=st.lists(JWT, max_size=2))
PORTS = st.sampled_from(
    [
        [{"number": 80, "name": "http", "protocol": "HTTP"}],
        [{"number": 443, "name": "tls", "protocol": "TLS"}],
        [{"number": 3306, "name": "db", "protocol": "TCP"}, {"number": 9000, "name": "grpc", "protocol": "GRPC"}],
    ]
)
ENDPOINT = must(
    {"address": st.sampled_from(["10.1.2.3", "10.1.2.4"])},
    labels=st.just({"version": "v1"}),
    weight=st.integers(1, 100),
    locality=st.sampled_from(["a/b", "a/c"]),
)
ENTRY = must(
    {"hosts": st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True), "ports": PORTS},
    addresses=st.sampled_from([["240.1.2.3"], ["127.0.5.1"], ["10.9.0.0/16"]]),
    location=st.sampled_from(["MESH_EXTERNAL", "MESH_INTERNAL"]),
    resolution=st.sampled_from(["NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"]),
    endpoints=st.lists(ENDPOINT, min_size=1, max_size=2),
    exportTo=st.sampled_from([["."], ["*"]]),
    subjectAltNames=st.just(["spiffe://cluster.local/ns/a/sa/b"]),
)
WORKLOAD_ENTRY = must(
    {"address": st.sampled_from(["10.1.2.5", "10.1.2.6"])}, labels=LABELS, serviceAccount=st.just("a"), ports=st.just({"http": 8080})
)
SERVER = st.one_of(
    must(
        {
            "port": st.just({"number": 80, "name": "http", "protocol": "HTTP"}),
            "hosts": st.sampled_from([["*"], ["./api.example.com"], ["*/*.example.com"]]),
        }
    ),
    st.just({"port": {"number": 443, "name": "pass", "protocol": "TLS"}, "hosts": ["db.example.com"], "tls": {"mode": "PASSTHROUGH"}}),
    st.just({"port": {"number": 3306, "name": "tcp", "protocol": "TCP"}, "hosts": ["*"]}),
    st.just({"port": {"number": 444, "name": "mesh", "protocol": "HTTPS"}, "hosts": ["*"], "tls": {"mode": "ISTIO_MUTUAL"}}),
)
GATEWAY = must({"selector": st.sampled_from([{"app": "edge"}, {"app": "nobody"}]), "servers": st.lists(SERVER, min_size=1, max_size=3)})
SIDECAR = some(
    workloadSelector=LABELS.map(lambda labels: {"labels": labels}),
    egress=st.lists(
        must({"hosts": st.sampled_from([["./*"], ["*/*"], ["~/*"], ["default/reviews.default.svc.cluster.local"]])}), min_size=1, max_size=1
    ),
    ingress=st.just([{"port": {"number": 9080, "name": "http", "protocol": "HTTP"}, "defaultEndpoint": "127.0.0.1:8080"}]),
    outboundTrafficPolicy=st.sampled_from([{}, {"mode": "ALLOW_ANY"}]),
)
LIMIT = must(
    {"requests": st.integers(1, 1000)},
    per=st.sampled_from(["1s", "1m", "90s"]),
    burst=st.integers(1, 50),
    match=some(path=STRING, methods=st.just(["GET"])),
    by=st.sampled_from([{"header": "x-user"}, {"path": True}, {"principal": True}, {"clientAddress": True}]),
)
RATE_LIMIT = st.one_of(
    must({"limits": st.lists(LIMIT, min_size=1, max_size=2)}, selector=SELECTOR, perConnection=st.booleans(), headers=st.booleans()),
    must({"limits": st.lists(LIMIT, min_size=1, max_size=2), "hosts": st.just(["reviews"])}, routes=st.lists(WORD, max_size=1)),
)
LUA = {"@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua", "inline_code": "function envoy_on_request(h) end"}
HCM = {
    "filterChain": {"filter": {"name": "envoy.filters.network.http_connection_manager", "subFilter": {"name": "envoy.filters.http.router"}}}
}
CONTEXT = st.sampled_from(["ANY", "SIDECAR_INBOUND", "SIDECAR_OUTBOUND", "GATEWAY"])
PATCH = st.one_of(
    st.builds(
        lambda context, operation, name, match: {
            "applyTo": "HTTP_FILTER",
            "match": {"context": context, **match},
            "patch": {"operation": operation, "value": {"name": name, "typed_config": LUA}},
        },
        CONTEXT,
        st.sampled_from(["ADD", "INSERT_FIRST", "INSERT_BEFORE"]),
        WORD,
        st.sampled_from([{}, {"listener": HCM}, {"listener": {"portNumber": 9080}}]),
    ),
    st.builds(
        lambda context, value: {"applyTo": "CLUSTER", "match": {"context": context}, "patch": {"operation": "MERGE", "value": value}},
        CONTEXT,
        st.sampled_from([{"connect_timeout": "3s"}, {"lbPolicy": "RANDOM"}, {"respect_dns_ttl": True}, {"alt_stat_name": "x"}]),
    ),
    st.builds(
        lambda context, operation: {
            "applyTo": "HTTP_ROUTE",
            "match": {"context": context},
            "patch": {"operation": operation, "value": {"match": {"path": "/x"}, "direct_response": {"status": 418}}},
        },
        CONTEXT,
        st.sampled_from(["INSERT_FIRST", "INSERT_AFTER"]),
    ),
    st.builds(
        lambda context, apply_to: {
            "applyTo": apply_to,
            "match": {"context": context},
            "patch": {"operation": "MERGE", "value": {"request_headers_to_remove": ["x-a"]}},
        },
        CONTEXT,
        st.sampled_from(["VIRTUAL_HOST", "HTTP_ROUTE", "ROUTE_CONFIGURATION"]),
    ),
    st.just(
        {
            "applyTo": "CLUSTER",
            "patch": {
                "operation": "ADD",
                "value": {"name": "added", "connect_timeout": "1s", "load_assignment": {"cluster_name": "added"}},
            },
        }
    ),
    st.sampled_from(["LISTENER", "FILTER_CHAIN", "CLUSTER", "VIRTUAL_HOST"]).map(
        lambda apply_to: {"applyTo": apply_to, "match": {"context": "SIDECAR_INBOUND"}, "patch": {"operation": "REMOVE"}}
    ),
)
ENVOY_FILTER = must(
    {"configPatches": st.lists(PATCH, min_size=1, max_size=3)},
    workloadSelector=LABELS.map(lambda labels: {"labels": labels}),
    priority=st.integers(-2, 2),
)
TELEMETRY = some(
    selector=SELECTOR,
    metrics=st.just([{"providers": [{"name": "prometheus"}], "overrides": [{"match": {"metric": "REQUEST_COUNT"}, "disabled": True}]}]),
    tracing=st.builds(lambda p: [{"randomSamplingPercentage": p["value"]}], PERCENTAGE),
    accessLogging=st.sampled_from([[{}], [{"disabled": True}], [{"filter": {"expression": "response.code >= 400"}}]]),
)
SPECS: dict[str, SearchStrategy[dict[str, Any]]] = {
    "AuthorizationPolicy": AUTHORIZATION,
    "DestinationRule": DESTINATION_RULE,
    "EnvoyFilter": ENVOY_FILTER,
    "Gateway": GATEWAY,
    "PeerAuthentication": AUTHENTICATION,
    "RateLimit": RATE_LIMIT,
    "RequestAuthentication": REQUESTS,
    "ServiceEntry": ENTRY,
    "Sidecar": SIDECAR,
    "Telemetry": TELEMETRY,
    "VirtualService": VIRTUAL_SERVICE,
    "WorkloadEntry": WORKLOAD_ENTRY,
}
_CREDENTIALS = ("Secret",)
"""Its configuration is a certificate: tests/core/policies/test_secret.py."""
ANY = st.sampled_from(sorted(SPECS)).flatmap(lambda kind: st.tuples(st.just(kind), SPECS[kind], NAMESPACES))
_CLASSES = {name: kind for (_, name), kind in KINDS.items()}

EDGE = Workload("istio-system", "edge", ProxyKind.GATEWAY, labels={"app": "edge"}, address="127.0.1.90")
DATABASE = Workload(
    "default",
    "reviews-db",
    labels={"app": "reviews"},
    services=("db",),
    address="127.0.1.91",
    outbound_address="127.0.1.91",
    ports=(WorkloadPort(3306, "tcp", Protocol.TCP, "127.0.0.1", 13306), WorkloadPort(7070, "", Protocol.UNKNOWN, "127.0.0.1", 17070)),
)
ASKED = Demand(frozenset({"reviews:9080", "details:9080", "api.example.com", "x.wild.example.com", "nobody.example.com:81"}))


def accepted(written: list[tuple[str, dict[str, Any], str]]) -> list[Policy]:
    found = []
    for n, (kind, spec, namespace) in enumerate(written):
        of = _CLASSES[kind]
        metadata = {"name": f"p{n}", "namespace": namespace, "creationTimestamp": f"2026-01-{n % 3 + 1:02}T00:00:00Z"}
        try:
            found.append(parse_object({"apiVersion": f"{of.group}/{of.versions[0]}", "kind": kind, "metadata": metadata, "spec": spec})[0])
        except Invalid:
            continue
    return found


def compiled(policies: list[Policy]) -> list[ResourceSet]:
    workloads = [*bookinfo(), EDGE, DATABASE]
    mesh = Snapshot(MeshConfig(), policies, workloads, 1)
    compiler = Compiler()
    return [compiler.compile(mesh, each, ASKED) for each in (workloads[0], workloads[2], replace(EDGE), DATABASE)]


def bodies(sets: list[ResourceSet]) -> list[dict[Any, bytes]]:
    return [{key: blob.body for key, blob in resources.blobs.items()} for resources in sets]


def test_each_kind_that_writes_configuration_is_tried():
    writing = {kind.__name__ for kind in (*discovered().writing, *discovered().narrowing, *discovered().patching)}
    assert writing - set(SPECS) == set(_CREDENTIALS)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(ANY, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_what_the_door_lets_in_compiles_the_same_in_any_order(written: list[tuple[str, dict[str, Any], str]], shuffle: random.Random):
    policies = accepted(written)
    first = compiled(policies)
    assert [failure for resources in first for failure in resources.failures] == []
    shuffle.shuffle(policies)
    assert bodies(compiled(policies)) == bodies(first)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(ANY, min_size=2, max_size=5))
def test_what_was_applied_one_after_the_other_is_what_is_loaded_at_once(written: list[tuple[str, dict[str, Any], str]]):
    policies, workloads, compiler = accepted(written), [*bookinfo(), EDGE, DATABASE], Compiler()
    mesh = Snapshot(MeshConfig(), [], workloads, 0)
    asked = (workloads[0], EDGE, DATABASE)
    found = [compiler.compile(mesh, each, ASKED) for each in asked]
    for n in range(len(policies)):
        mesh = Snapshot.following(mesh, MeshConfig(), policies[: n + 1], workloads, n + 1)
        found = [compiler.compile(mesh, each, ASKED) for each in asked]
    whole, fresh = Snapshot(MeshConfig(), policies, workloads, 1), Compiler()
    assert bodies(found) == bodies([fresh.compile(whole, each, ASKED) for each in asked])


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(ANY)
def test_what_is_dumped_is_read_as_the_same(written: tuple[str, dict[str, Any], str]):
    for policy in accepted([written]):
        assert parse_object(dump(policy))[0] == policy


def _samples(kind: str, count: int) -> list[tuple[str, dict[str, Any], str]]:
    found: list[tuple[str, dict[str, Any], str]] = []

    @settings(max_examples=count, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(SPECS[kind])
    def collect(spec: dict[str, Any]) -> None:
        found.append((kind, spec, "default"))

    collect()
    return found[:count]


@pytest.mark.parametrize("kind", sorted(SPECS))
def test_some_of_what_is_tried_is_let_in(kind: str):
    assert len(accepted(_samples(kind, 12))) >= 3


@pytest.mark.envoy
def test_a_real_envoy_takes_whatever_the_door_lets_in(tmp_path: Path):
    tried = [_samples(kind, 6) for kind in sorted(SPECS) if kind != "Gateway"]
    groups = [accepted(list(group)) for group in zip(*tried, strict=True)]
    sets = [(f"{n}-{m}", resources) for n, group in enumerate(groups) for m, resources in enumerate(compiled(group))]
    assert bootstrap.validate(bootstrap.static(sets, bootstrap.Authority().issue("default", "a")), tmp_path) == ""
