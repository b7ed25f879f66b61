"""Which EnvoyFilters reach which proxy, and what their patches cost and break."""

from typing import Any

import pytest

from meshconsole.core.compiler import Compiler, Demand
from meshconsole.core.envoy import wire
from meshconsole.core.envoy.resource_set import ResourceSet, XdsType
from meshconsole.core.mesh.model import MeshConfig, ProxyKind
from meshconsole.core.mesh.snapshot import Snapshot
from meshconsole.core.policies import parse
from meshconsole.core.resources.messages import Invalid
from tests.core.compiler.mesh import bookinfo, snapshot, workload

HEAD = """
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: %s, namespace: %s%s}
spec:
  priority: %d
  %s
  configPatches:
"""
MARK = """
  - applyTo: HTTP_FILTER
    match: {context: %s}
    patch:
      operation: INSERT_FIRST
      value: {name: %s, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors}}
"""
CALLS = Demand(frozenset({"reviews:9080", "ratings:9080"}))


def envoy_filter(
    name: str, patches: str = "", *, namespace: str = "default", labels: str = "", priority: int = 0, created: str = ""
) -> str:
    selector = f"workloadSelector: {{labels: {{{labels}}}}}" if labels else ""
    age = f', creationTimestamp: "{created}"' if created else ""
    return HEAD % (name, namespace, age, priority, selector) + (patches or MARK % ("SIDECAR_INBOUND", name))


def compiled(*documents: str, name: str = "details-v1", compiler: Compiler | None = None) -> ResourceSet:
    policies = parse("\n---\n".join(documents))[0] if documents else []
    mesh = snapshot(policies)
    found = next(w for w in mesh.workloads if w.name == name)
    return (compiler or Compiler()).compile(mesh, found, CALLS)


def body(resources: ResourceSet, type_: XdsType, name: str) -> dict[str, Any]:
    return wire.parse(type_, resources.blobs[type_, name].body)


def http_filters(resources: ResourceSet, listener: str = "inbound|9080") -> list[str]:
    chain = body(resources, XdsType.LDS, listener)["filter_chains"][0]
    return [each["name"] for each in chain["filters"][-1]["typed_config"]["http_filters"]]


def test_a_filter_is_for_whom_its_selector_names():
    document = envoy_filter("marked", labels="app: details")
    assert http_filters(compiled(document))[0] == "marked"
    assert "marked" not in http_filters(compiled(document, name="ratings-v1"))


def test_a_filter_of_the_root_namespace_is_for_everybody_and_of_another_one_for_nobody_here():
    documents = [envoy_filter("root", namespace="istio-system"), envoy_filter("other", namespace="other")]
    assert http_filters(compiled(*documents)) == ["root", "envoy.filters.http.router"]


def test_priority_then_the_root_namespace_then_age_says_who_comes_first():
    """Each inserts first, so the last one applied stands first."""
    found = http_filters(
        compiled(
            envoy_filter("late", priority=5),
            envoy_filter("young", created="2026-01-03T00:00:00Z"),
            envoy_filter("old", created="2026-01-02T00:00:00Z"),
            envoy_filter("root", namespace="istio-system", created="2026-01-04T00:00:00Z"),
            envoy_filter("early", priority=-5),
        )
    )
    assert found[:-1] == ["late", "young", "old", "root", "early"]


@pytest.mark.parametrize(("version", "applies"), [(r"^1\..*", True), (r"^1\.4.*", False)])
def test_a_filter_for_another_release_does_not_apply(version, applies):
    patch = (MARK % ("SIDECAR_INBOUND", "marked")).replace("match: {", f"match: {{proxy: {{proxyVersion: '{version}'}}, ")
    assert ("marked" in http_filters(compiled(envoy_filter("f", patch)))) is applies


def test_node_metadata_is_compared():
    def of(namespace: str) -> list[str]:
        patch = (MARK % ("SIDECAR_INBOUND", "marked")).replace("match: {", f"match: {{proxy: {{metadata: {{NAMESPACE: {namespace}}}}}, ")
        return http_filters(compiled(envoy_filter("f", patch, namespace="istio-system")))

    assert "marked" in of("default") and "marked" not in of("other")


def test_clients_whose_labels_no_patch_reads_share_their_outbound_resources():
    policies, _ = parse(envoy_filter("inbound only", labels="app: details").replace("inbound only", "inbound-only"))
    mesh, compiler = snapshot(policies), Compiler()
    one, other = (compiler.compile(mesh, next(w for w in mesh.workloads if w.name == name), CALLS) for name in ("details-v1", "ratings-v1"))
    for name in (
        (XdsType.CDS, "outbound|9080||reviews.default.svc.cluster.local"),
        (XdsType.VHDS, "outbound/reviews.default.svc.cluster.local:9080"),
    ):
        assert one.blobs[name] is other.blobs[name]


CLUSTER_PATCH = """
  - applyTo: CLUSTER
    match: {context: SIDECAR_OUTBOUND, cluster: {service: reviews.default.svc.cluster.local}}
    patch: {operation: MERGE, value: {connect_timeout: 3s}}
"""


def test_a_selector_splits_only_what_it_patches():
    policies, _ = parse(envoy_filter("timeouts", CLUSTER_PATCH, labels="app: details"))
    mesh, compiler = snapshot(policies), Compiler()
    one, other = (compiler.compile(mesh, next(w for w in mesh.workloads if w.name == name), CALLS) for name in ("details-v1", "ratings-v1"))
    reviews, host = "outbound|9080||reviews.default.svc.cluster.local", "outbound/reviews.default.svc.cluster.local:9080"
    assert body(one, XdsType.CDS, reviews)["connect_timeout"] == "3s"
    assert body(other, XdsType.CDS, reviews)["connect_timeout"] == "10s"
    assert one.blobs[XdsType.VHDS, host] is other.blobs[XdsType.VHDS, host]
    assert [str(o) for o in one.blobs[XdsType.CDS, reviews].origins] == ["EnvoyFilter default/timeouts"]


def test_a_changed_filter_costs_only_what_it_touches():
    compiler, workloads = Compiler(), bookinfo()
    policies, _ = parse(envoy_filter("timeouts", CLUSTER_PATCH))
    others, _ = parse(envoy_filter("timeouts", CLUSTER_PATCH.replace("3s", "4s")))
    first = Snapshot(MeshConfig(), policies, workloads, 1)
    details = workloads[1]
    before = compiler.compile(first, details, CALLS)
    computed: list[Any] = []
    compute = compiler.memo.compute
    compiler.memo.compute = lambda tracer, key: (computed.append(key[0]), compute(tracer, key))[1]
    after = compiler.compile(Snapshot.following(first, MeshConfig(), others, workloads, 2), details, CALLS)
    changed = [name for name, blob in after.blobs.items() if blob is not before.blobs.get(name)]
    assert changed == [(XdsType.CDS, "outbound|9080||reviews.default.svc.cluster.local")]
    assert set(computed) <= {"patches", "added", "cluster"}, "routes and listeners were compiled again"


def test_a_removed_cluster_is_not_waited_for():
    patch = CLUSTER_PATCH.replace("{operation: MERGE, value: {connect_timeout: 3s}}", "{operation: REMOVE}")
    resources = compiled(envoy_filter("gone", patch, priority=1))
    assert not any("reviews" in name for type_, name in resources.blobs if type_ in (XdsType.CDS, XdsType.EDS))
    route = body(resources, XdsType.VHDS, "outbound/reviews.default.svc.cluster.local:9080")["routes"][0]
    assert "envoy.filters.http.on_demand" in route["typed_per_filter_config"]


def test_what_a_filter_calls_is_delivered_with_it():
    patch = """
  - applyTo: HTTP_FILTER
    match: {context: SIDECAR_INBOUND}
    patch:
      operation: INSERT_FIRST
      value:
        name: envoy.filters.http.lua
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua
          inline_code: 'function envoy_on_request(h) h:httpCall("outbound|9080||productpage.default.svc.cluster.local", {}, "", 5) end'
"""
    assert (XdsType.CDS, "outbound|9080||productpage.default.svc.cluster.local") in compiled(envoy_filter("lua", patch)).blobs
    assert (XdsType.CDS, "outbound|9080||productpage.default.svc.cluster.local") not in compiled().blobs


SOCKET = """
  - applyTo: CLUSTER
    match: {context: SIDECAR_OUTBOUND, cluster: {service: reviews.default.svc.cluster.local}}
    patch: {operation: MERGE, value: {transport_socket: {name: strange}}}
"""


def test_a_patch_that_cannot_be_applied_keeps_the_last_good_cluster_and_names_its_filter():
    compiler = Compiler()
    workloads = bookinfo()
    first = Snapshot(MeshConfig(), [], workloads, 1)
    before = compiler.compile(first, workloads[1], CALLS)
    policies, _ = parse(envoy_filter("strange", SOCKET))
    after = compiler.compile(Snapshot.following(first, MeshConfig(), policies, workloads, 2), workloads[1], CALLS)
    name = (XdsType.CDS, "outbound|9080||reviews.default.svc.cluster.local")
    assert after.blobs[name] is before.blobs[name]
    assert [str(policy) for failure in after.failures for policy in failure.policies] == ["EnvoyFilter default/strange"]


def test_an_added_extension_is_delivered_to_the_proxies_it_is_for():
    patch = """
  - applyTo: EXTENSION_CONFIG
    match: {context: SIDECAR_INBOUND}
    patch:
      operation: ADD
      value: {name: shared, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors}}
"""
    assert (XdsType.ECDS, "shared") in compiled(envoy_filter("ecds", patch, labels="app: details")).blobs
    assert (XdsType.ECDS, "shared") not in compiled(envoy_filter("ecds", patch, labels="app: ratings")).blobs


def test_a_gateway_is_patched_in_its_own_context():
    gateway = workload("edge", kind=ProxyKind.GATEWAY, ports=(), services=(), labels={"app": "edge"})
    policies, _ = parse(
        envoy_filter("edge", MARK % ("GATEWAY", "marked") + MARK % ("SIDECAR_OUTBOUND", "not-here"))
        + "\n---\n"
        + """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: default}
spec: {selector: {app: edge}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
"""
    )
    resources = Compiler().compile(snapshot(policies, [gateway]), gateway)
    assert http_filters(resources, "gateway_0.0.0.0_80") == ["marked", "envoy.filters.http.router"]


@pytest.mark.parametrize(
    ("patch", "says"),
    [
        (
            "{applyTo: VIRTUAL_HOST, match: {context: SIDECAR_INBOUND}, patch: {operation: MERGE, value: {rate_limits: [{stage: 99}]}}}",
            "rate_limits[0].stage: must be at most 10",
        ),
        (
            "{applyTo: HTTP_FILTER, match: {context: SIDECAR_INBOUND, listener: {filterChain: {filter: {name: "
            "envoy.filters.network.http_connection_manager, subFilter: {name: envoy.filters.http.router}}}}}, patch: {operation: INSERT_AFTER, "
            'value: {name: late, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors}}}}',
            "must stand last",
        ),
    ],
)
def test_what_envoy_would_refuse_never_goes_to_a_proxy(patch: str, says: str):
    compiler, workloads = Compiler(), bookinfo()
    first = Snapshot(MeshConfig(), [], workloads, 1)
    before = compiler.compile(first, workloads[1], CALLS)
    policies, _ = parse(envoy_filter("bad", f"  - {patch}", priority=1))
    after = compiler.compile(Snapshot.following(first, MeshConfig(), policies, workloads, 2), workloads[1], CALLS)
    assert after.blobs[XdsType.LDS, "inbound|9080"] is before.blobs[XdsType.LDS, "inbound|9080"]
    (failure,) = after.failures
    assert says in failure.reason and [str(policy) for policy in failure.policies] == ["EnvoyFilter default/bad"]


def test_what_is_added_is_checked_as_a_whole_at_the_door():
    patch = "  - {applyTo: CLUSTER, patch: {operation: ADD, value: {name: a, connect_timeout: 0s, lb_policy: RANDOM}}}"
    with pytest.raises(Invalid) as caught:
        parse(envoy_filter("bad", patch))
    assert [(m.path, m.text) for m in caught.value.messages] == [
        ("spec.configPatches[0].patch.value.connect_timeout", "must be more than 0s")
    ]
