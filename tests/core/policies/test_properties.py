"""Whatever the door lets in compiles to what protobuf takes, in whatever order it was loaded; and a real Envoy takes a sample of it."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from meshconsole.core.compiler import Compiler, Demand
from meshconsole.core.envoy.resource_set import ResourceSet
from meshconsole.core.mesh.model import MeshConfig, ProxyKind
from meshconsole.core.mesh.snapshot import Snapshot
from meshconsole.core.policies import dump, parse_object
from meshconsole.core.resources.messages import Invalid
from tests.core.compiler.mesh import bookinfo
from tests.golden import bootstrap

HOSTS = ["reviews", "details", "ratings.default.svc.cluster.local", "nobody", "*.default.svc.cluster.local", "api.example.com"]
WORD = st.text("abcdefgh-0", min_size=1, max_size=5)
TEXT = st.one_of(WORD, st.text(st.characters(codec="utf-8", min_codepoint=1), min_size=1, max_size=6))
DURATIONS = st.builds("{}{}".format, st.integers(1, 10**6), st.sampled_from(["ms", "s", "m", "h"]))
PERCENTAGE = st.builds(lambda value: {"value": value}, st.one_of(st.integers(0, 100), st.floats(0, 100)))
COUNT = st.one_of(st.integers(0, 5), st.integers(0, 2**31 - 1))


def some(**fields: SearchStrategy[Any]) -> SearchStrategy[dict[str, Any]]:
    """Any of the fields."""
    return st.fixed_dictionaries({}, optional=fields)


def must(required: dict[str, SearchStrategy[Any]], **fields: SearchStrategy[Any]) -> SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(required, optional=fields)


STRING = st.one_of(
    TEXT.map(lambda t: {"exact": t}),
    TEXT.map(lambda t: {"prefix": f"/{t}"}),
    st.sampled_from([".*", "[a-z]+", "(a|b)?c"]).map(lambda r: {"regex": r}),
)
PRESENCE = st.one_of(STRING, st.just({}), st.just({"regex": "*"}))
PORT = st.builds(lambda n: {"number": n}, st.sampled_from([9080, 80, 1]))
DESTINATION = must({"host": st.sampled_from([h for h in HOSTS if "*" not in h])}, subset=st.sampled_from(["v1", "v2"]), port=PORT)
OPERATIONS = some(
    set=st.dictionaries(st.one_of(WORD, st.just("Host")), TEXT, max_size=2),
    add=st.dictionaries(WORD, TEXT, max_size=2),
    remove=st.lists(WORD),
)
HEADERS = some(request=OPERATIONS, response=OPERATIONS)
MATCH = some(
    name=WORD,
    uri=STRING,
    scheme=STRING,
    method=STRING,
    authority=STRING,
    headers=st.dictionaries(WORD, PRESENCE, max_size=3),
    withoutHeaders=st.dictionaries(WORD, PRESENCE, max_size=2),
    queryParams=st.dictionaries(TEXT, PRESENCE, max_size=2),
    port=st.sampled_from([9080, 80]),
    sourceLabels=st.sampled_from([{}, {"app": "productpage"}, {"app": "nobody"}]),
    sourceNamespace=st.sampled_from(["default", "other"]),
    gateways=st.sampled_from([[], ["mesh"], ["edge"]]),
    ignoreUriCase=st.booleans(),
    statPrefix=WORD,
)
RETRIES = must(
    {"attempts": st.integers(1, 100)},
    perTryTimeout=DURATIONS,
    retryOn=st.sampled_from(["", "5xx", "503, reset", "gateway-error,409"]),
    retryRemoteLocalities=st.booleans(),
    retryIgnorePreviousHosts=st.booleans(),
    backoff=DURATIONS,
)
ABORT = st.one_of(
    must({"httpStatus": st.integers(200, 599)}, percentage=PERCENTAGE), must({"grpcStatus": st.just("UNAVAILABLE")}, percentage=PERCENTAGE)
)
FAULT = st.one_of(
    some(abort=ABORT), some(delay=must({"fixedDelay": DURATIONS}, percentage=PERCENTAGE, percent=st.integers(0, 100)))
).filter(bool)
CORS = some(
    allowOrigins=st.lists(STRING, max_size=2),
    allowMethods=st.lists(st.sampled_from(["GET", "POST"]), max_size=2),
    allowHeaders=st.lists(WORD, max_size=2),
    exposeHeaders=st.lists(WORD, max_size=2),
    maxAge=st.integers(1, 10**6).map("{}s".format),
    allowCredentials=st.booleans(),
    unmatchedPreflights=st.sampled_from(["FORWARD", "IGNORE", "UNSPECIFIED"]),
)
REWRITE = st.one_of(
    must({"authority": WORD}, uri=WORD.map("/{}".format)), st.just({"uriRegexRewrite": {"match": "^/(a+)/(.*)", "rewrite": r"/\2/\1"}})
)
COMMON = {
    "name": WORD,
    "match": st.lists(MATCH, max_size=3),
    "timeout": DURATIONS,
    "headers": HEADERS,
    "corsPolicy": CORS,
}
SHARE = must({"destination": DESTINATION}, weight=COUNT, headers=HEADERS)
RULE = st.one_of(
    must(
        {"route": st.lists(SHARE, min_size=1, max_size=3)},
        **COMMON,
        fault=FAULT,
        retries=RETRIES,
        rewrite=REWRITE,
        mirror=DESTINATION,
        mirrorPercentage=PERCENTAGE,
        mirrorPercent=st.integers(0, 100),
    ),
    must({"route": st.just([{"destination": {"host": "reviews"}}]), "mirrors": st.lists(must({"destination": DESTINATION}, percentage=PERCENTAGE))}),
    must(
        {"redirect": must({"authority": WORD}, uri=WORD.map("/{}".format), redirectCode=st.sampled_from([301, 302, 303, 307, 308]),
                          port=st.integers(1, 65535), scheme=st.sampled_from(["http", "https"]))},
        **COMMON,
    ),
    must({"directResponse": must({"status": st.integers(200, 599)}, body=TEXT.map(lambda t: {"string": t}))}, **COMMON),
)  # fmt: skip
VIRTUAL_SERVICE = must(
    {"hosts": st.lists(st.sampled_from(HOSTS), min_size=1, max_size=2, unique=True), "http": st.lists(RULE, min_size=1, max_size=4)},
    gateways=st.sampled_from([["mesh"], ["edge", "mesh"], ["edge"]]),
    exportTo=st.sampled_from([["."], ["*"], ["other"]]),
)
HASH = st.one_of(
    st.just({"httpHeaderName": "x-user"}),
    must({"httpCookie": must({"name": WORD}, ttl=DURATIONS, path=st.just("/"), attributes=st.just([{"name": "Secure"}]))}),
    st.just({"useSourceIp": True, "maglev": {"tableSize": 1021}}),
    st.just({"httpQueryParameterName": "q", "ringHash": {"minimumRingSize": 64}}),
)
BALANCER = st.one_of(
    must({"simple": st.sampled_from(["LEAST_REQUEST", "ROUND_ROBIN", "LEAST_CONN", "UNSPECIFIED"])}, warmup=must({"duration": DURATIONS})),
    st.sampled_from([{"simple": "RANDOM"}, {"simple": "PASSTHROUGH"}]),
    HASH.map(lambda h: {"consistentHash": h}),
)
POOL = st.one_of(
    must({"tcp": must({"maxConnections": COUNT}, connectTimeout=DURATIONS, idleTimeout=DURATIONS, maxConnectionDuration=DURATIONS,
                      tcpKeepalive=some(probes=st.integers(0, 127), time=st.integers(1, 9000).map("{}s".format)))}),
    must({"http": must({"http2MaxRequests": COUNT}, http1MaxPendingRequests=COUNT, maxRetries=COUNT, maxRequestsPerConnection=COUNT,
                       maxConcurrentStreams=COUNT, idleTimeout=DURATIONS, h2UpgradePolicy=st.sampled_from(["UPGRADE", "DEFAULT"]),
                       http2KeepAlive=must({"timeout": DURATIONS}, interval=DURATIONS))}),
    st.just({"http": {"useClientProtocol": True}}),
)  # fmt: skip
OUTLIERS = some(
    consecutive5xxErrors=COUNT,
    consecutiveGatewayErrors=COUNT,
    interval=DURATIONS,
    baseEjectionTime=DURATIONS,
    maxEjectionPercent=st.integers(0, 100),
    minHealthPercent=st.integers(0, 100),
    splitExternalLocalOriginErrors=st.just(True),
    consecutiveLocalOriginFailures=COUNT,
)
TLS = st.sampled_from([{"mode": "DISABLE"}, {"mode": "ISTIO_MUTUAL", "sni": "a"}, {"mode": "SIMPLE"}, {"mode": "SIMPLE", "sni": "b"}])
LEVEL = {"loadBalancer": BALANCER, "connectionPool": POOL, "outlierDetection": OUTLIERS, "tls": TLS}
POLICY = some(
    **LEVEL,
    portLevelSettings=st.lists(must({"port": st.just({"number": 9080})}, **LEVEL), max_size=1),
    retryBudget=some(percent=st.integers(0, 100), minRetryConcurrency=st.integers(0, 10)),
    proxyProtocol=some(version=st.sampled_from(["V1", "V2"])),
).filter(bool)
DESTINATION_RULE = must(
    {"host": st.sampled_from(HOSTS)},
    trafficPolicy=POLICY,
    subsets=st.lists(must({"name": st.sampled_from(["v1", "v2"])}, labels=st.sampled_from([{}, {"version": "v1"}]), trafficPolicy=POLICY), max_size=2),
    exportTo=st.just(["."]),
)  # fmt: skip
KINDS = st.one_of(st.tuples(st.just("VirtualService"), VIRTUAL_SERVICE), st.tuples(st.just("DestinationRule"), DESTINATION_RULE))


def accepted(written: list[tuple[str, dict[str, Any]]]) -> list[Any]:
    """Those that the door lets in."""
    found = []
    for n, (kind, spec) in enumerate(written):
        metadata = {"name": f"p{n}", "creationTimestamp": f"2026-01-{n % 3 + 1:02}T00:00:00Z"}
        try:
            found.append(parse_object({"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": metadata, "spec": spec})[0])
        except Invalid:
            continue
    return found


EDGE = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "Gateway",
    "metadata": {"name": "edge"},
    "spec": {"selector": {"app": "details"}, "servers": [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}]},
}
ASKED = Demand(frozenset({"reviews:9080", "details:9080", "ratings:9080", "nobody", "api.example.com"}))


def compiled(policies: list[Any]) -> list[ResourceSet]:
    workloads = bookinfo()
    gateway = replace(workloads[1], name="edge", kind=ProxyKind.GATEWAY, ports=(), services=())
    mesh = Snapshot(MeshConfig(), [parse_object(EDGE)[0], *policies], [*workloads, gateway], 1)
    compiler = Compiler()
    return [compiler.compile(mesh, workloads[0], ASKED), compiler.compile(mesh, gateway, ASKED)]


def bodies(sets: list[ResourceSet]) -> list[dict[Any, bytes]]:
    return [{key: blob.body for key, blob in resources.blobs.items()} for resources in sets]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(KINDS, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_what_the_door_lets_in_compiles_the_same_in_any_order(written: list[tuple[str, dict[str, Any]]], shuffle: random.Random):
    policies = accepted(written)
    first = bodies(compiled(policies))
    shuffle.shuffle(policies)
    assert bodies(compiled(policies)) == first


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(KINDS)
def test_what_is_dumped_is_read_as_the_same(written: tuple[str, dict[str, Any]]):
    for policy in accepted([written]):
        assert parse_object(dump(policy))[0] == policy


def test_most_of_what_is_tried_is_let_in():
    assert len(accepted(_samples(200))) > 100


def _samples(count: int) -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = []

    @settings(max_examples=count, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(KINDS)
    def collect(written: tuple[str, dict[str, Any]]) -> None:
        found.append(written)

    collect()
    return found[:count]


@pytest.mark.envoy
def test_a_real_envoy_takes_whatever_the_door_lets_in(tmp_path: Path):
    policies = accepted(_samples(300))
    groups = [policies[n : n + 6] for n in range(0, len(policies), 6)]
    sets = [(f"{n}-{m}", resources) for n, group in enumerate(groups) for m, resources in enumerate(compiled(group))]
    assert bootstrap.validate(bootstrap.static(sets, bootstrap.Authority().issue("default", "a")), tmp_path) == ""
