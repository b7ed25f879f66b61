"""What a proxy holds, and that nothing is compiled twice."""

import random
from dataclasses import replace

import pytest

from meshconsole.core.compiler import Compiler, Demand
from meshconsole.core.compiler.kinds import Kinds
from meshconsole.core.envoy import wire
from meshconsole.core.envoy.resource_set import ResourceSet, XdsType
from meshconsole.core.mesh.model import MeshConfig, Protocol, Workload, WorkloadPort
from meshconsole.core.mesh.snapshot import Snapshot

from .mesh import Answering, Narrowing, bookinfo, snapshot, workload

KINDS = Kinds([Answering, Narrowing])


def names(resources: ResourceSet, type_: XdsType) -> set[str]:
    return {blob.name for blob in resources if blob.type is type_}


def bodies(resources: ResourceSet) -> dict[object, bytes]:
    return {key: blob.body for key, blob in resources.blobs.items()}


def body(resources: ResourceSet, type_: XdsType, name: str) -> dict:
    return wire.parse(type_, resources.blobs[type_, name].body)


def test_a_sidecar_that_has_called_nobody_holds_its_own_listeners_only():
    resources = Compiler(KINDS).compile(snapshot(), bookinfo()[0])
    assert names(resources, XdsType.LDS) == {"outbound", "inbound|9080"}
    assert names(resources, XdsType.CDS) == {"inbound|9080||"}
    assert names(resources, XdsType.VHDS) == {"outbound/init.invalid"}
    assert names(resources, XdsType.RDS) == {"outbound"}


def test_a_host_that_was_asked_for_comes_with_its_cluster_and_endpoints():
    resources = Compiler(KINDS).compile(snapshot(), bookinfo()[0], Demand(frozenset({"reviews:9080"})))
    cluster = "outbound|9080||reviews.default.svc.cluster.local"
    assert resources.aliases == {"reviews:9080": "outbound/reviews.default.svc.cluster.local:9080"}
    assert {(XdsType.CDS, cluster), (XdsType.EDS, cluster)} <= resources.blobs.keys()
    assert len(body(resources, XdsType.EDS, cluster)["endpoints"][0]["lb_endpoints"]) == 3


@pytest.mark.parametrize(
    "authority",
    ["reviews", "REVIEWS:9080", "reviews.default", "reviews.default.svc:9080", "reviews.default.svc.cluster.local:9080"],
)
def test_every_spelling_leads_to_the_one_virtual_host(authority: str):
    resources = Compiler(KINDS).compile(snapshot(), bookinfo()[0], Demand(frozenset({authority})))
    name = resources.aliases[authority]
    assert name == "outbound/reviews.default.svc.cluster.local:9080"
    assert authority.lower() in body(resources, XdsType.VHDS, name)["domains"]


def test_no_two_virtual_hosts_of_one_proxy_share_a_domain():
    two = [
        workload("a-v1", services=("shop",), ports=(WorkloadPort(8080, "http"), WorkloadPort(8081, "http-admin"), WorkloadPort(80, "http")))
    ]
    asked = frozenset({"shop", "shop:80", "shop:8080", "shop:8081", "shop:99", "shop.default:8080", "other.example", "other.example:80"})
    resources = Compiler(KINDS).compile(snapshot([], two), two[0], Demand(asked))
    domains = [domain for blob in resources if blob.type is XdsType.VHDS for domain in wire.parse(blob.type, blob.body)["domains"]]
    assert len(domains) == len(set(domains))
    assert all(a in domains for a in asked)


def test_a_bare_name_reaches_a_service_of_another_namespace_where_there_is_only_one():
    workloads = [
        workload("web-v1"),
        workload("db-v1", namespace="data"),
        workload("cache-v1", namespace="a"),
        workload("cache-v2", namespace="b"),
    ]
    resources = Compiler(KINDS).compile(snapshot([], workloads), workloads[0], Demand(frozenset({"db:9080", "cache:9080"})))
    assert resources.aliases["db:9080"] == "outbound/db.data.svc.cluster.local:9080"
    assert resources.aliases["cache:9080"] == "outbound/cache:9080"
    assert "allow_any" in str(body(resources, XdsType.VHDS, "outbound/cache:9080"))


def test_an_unknown_host_is_passed_through_or_refused_as_the_mesh_says():
    asked = Demand(frozenset({"example.com"}))
    open_ = Compiler(KINDS).compile(snapshot(), bookinfo()[0], asked)
    assert body(open_, XdsType.CDS, "PassthroughCluster|example.com:80")["cluster_type"]["name"] == "envoy.cluster.dns"
    closed = Compiler(KINDS).compile(snapshot(mesh=MeshConfig(allow_any=False)), bookinfo()[0], asked)
    assert [each["direct_response"] for each in body(closed, XdsType.VHDS, "outbound/example.com:80")["routes"]] == 2 * [{"status": 502}]


def test_a_request_to_the_outbound_port_itself_does_not_go_round():
    asked = Demand(frozenset({"127.0.0.1:15001", "localhost:15001", "127.0.0.1:15002"}))
    resources = Compiler(KINDS).compile(snapshot(), bookinfo()[0], asked)
    assert {n for n in names(resources, XdsType.CDS) if n.startswith("Passthrough")} == {"PassthroughCluster|127.0.0.1:15002"}
    assert [each["direct_response"]["status"] for each in body(resources, XdsType.VHDS, "outbound/localhost:15001")["routes"]] == [502, 502]


@pytest.mark.parametrize("authority", ["", "a b", "http://x", "x:0", "x:99999", "x:y", "*.example.com", "a..b", "[::1", "é.com", "x" * 300])
def test_what_is_no_host_is_nobody(authority: str):
    resources = Compiler(KINDS).compile(snapshot(), bookinfo()[0], Demand(frozenset({authority})))
    assert resources.aliases == {authority: ""}


def test_a_cluster_that_envoy_asks_for_by_itself_is_delivered():
    name = "outbound|9080||ratings.default.svc.cluster.local"
    resources = Compiler(KINDS).compile(snapshot(), bookinfo()[0], Demand(clusters=frozenset({name, "outbound|1||nobody", "junk"})))
    assert {(XdsType.CDS, name), (XdsType.EDS, name)} <= resources.blobs.keys()
    assert names(resources, XdsType.CDS) == {name, "inbound|9080||"}


def test_proxies_of_one_class_share_their_blobs():
    compiler, mesh, demand = Compiler(KINDS), snapshot(), Demand(frozenset({"reviews:9080", "ratings:9080"}))
    one, other = (compiler.compile(mesh, w, demand) for w in (bookinfo()[0], bookinfo()[2]))
    shared = [key for key in one.blobs if key[0] in (XdsType.VHDS, XdsType.EDS, XdsType.RDS)]
    assert len(shared) == 6
    assert all(one.blobs[key] is other.blobs[key] for key in shared)


def test_the_same_snapshot_gives_the_same_resource_set():
    compiler, mesh, demand = Compiler(KINDS), snapshot(), Demand(frozenset({"reviews"}))
    assert compiler.compile(mesh, bookinfo()[0], demand) is compiler.compile(mesh, bookinfo()[0], demand)


def test_a_policy_changes_only_the_host_that_it_concerns():
    compiler, demand = Compiler(KINDS), Demand(frozenset({"reviews", "ratings"}))
    workloads = bookinfo()
    first = Snapshot(MeshConfig(), [], workloads, 1)
    before = compiler.compile(first, workloads[0], demand)
    compiled = compiler.memo.computed
    policy = Answering.make("teapot", {"host": "reviews.default.svc.cluster.local", "status": 418})
    after = compiler.compile(Snapshot.following(first, MeshConfig(), [policy], workloads, 2), workloads[0], demand)
    changed = {key for key in before.blobs.keys() | after.blobs.keys() if before.blobs.get(key) is not after.blobs.get(key)}
    vhost = (XdsType.VHDS, "outbound/reviews.default.svc.cluster.local:9080")
    cluster = "outbound|9080||reviews.default.svc.cluster.local"
    assert changed == {vhost, (XdsType.CDS, cluster), (XdsType.EDS, cluster)}
    assert after.blobs[vhost].origins[0].name == "teapot"
    assert "Answering default/teapot" in str(body(after, *vhost))
    assert compiler.memo.computed - compiled <= 3


def test_an_endpoint_that_is_ill_is_taken_out_and_nothing_else_changes():
    compiler, demand, workloads = Compiler(KINDS), Demand(frozenset({"reviews", "ratings"})), bookinfo()
    first = Snapshot(MeshConfig(), [], workloads, 1)
    before = compiler.compile(first, workloads[0], demand)
    ill = [replace(w, healthy=w.name != "reviews-v2") for w in workloads]
    ill = [old if old == new else new for old, new in zip(workloads, ill, strict=True)]
    after = compiler.compile(Snapshot.following(first, MeshConfig(), [], ill, 2), workloads[0], demand)
    changed = {key for key in before.blobs if before.blobs[key] is not after.blobs.get(key)}
    assert changed == {(XdsType.EDS, "outbound|9080||reviews.default.svc.cluster.local")}


def test_labels_make_a_difference_only_where_a_policy_reads_them():
    policy = Answering.make("only-v1", {"host": "ratings.default.svc.cluster.local", "status": 418, "label": ("version", "v1")})
    compiler, demand, workloads = Compiler(KINDS), Demand(frozenset({"ratings", "details"})), bookinfo()
    mesh = snapshot([policy])
    v1, v2, v3 = (compiler.compile(mesh, w, demand) for w in workloads[2:5])
    vhost = (XdsType.VHDS, "outbound/ratings.default.svc.cluster.local:9080")
    assert v1.blobs[vhost] is not v2.blobs[vhost]
    assert v2.blobs[vhost] is v3.blobs[vhost]
    details = (XdsType.VHDS, "outbound/details.default.svc.cluster.local:9080")
    assert v1.blobs[details] is v2.blobs[details]


def test_a_sidecar_scope_delivers_what_it_names_and_hides_the_rest():
    narrowed = Narrowing.make("few", {"hosts": [("default", "ratings.default.svc.cluster.local")]})
    resources = Compiler(KINDS).compile(snapshot([narrowed]), bookinfo()[0], Demand(frozenset({"reviews:9080"})))
    assert "outbound/ratings.default.svc.cluster.local:9080" in names(resources, XdsType.VHDS)
    assert "PassthroughCluster|reviews:9080" in names(resources, XdsType.CDS)


def test_equal_meshes_are_equal_bytes_in_whatever_order_they_are_said():
    policies = [
        Answering.make(f"p{i}", {"host": f"{s}.default.svc.cluster.local", "status": 418}) for i, s in enumerate(("reviews", "details"))
    ]
    demand = Demand(frozenset({"reviews", "ratings:9080", "details"}))
    first = None
    for seed in range(5):
        workloads, shuffled = bookinfo(), list(policies)
        random.Random(seed).shuffle(workloads)
        random.Random(seed + 100).shuffle(shuffled)
        made = bodies(Compiler(KINDS).compile(Snapshot(MeshConfig(), shuffled, workloads, seed), bookinfo()[0], demand))
        assert first is None or made == first
        first = made


def test_remembering_never_changes_the_answer():
    """Random walks over policies, workloads and health: what the old compiler says of the next snapshot is what a new one says."""
    dice = random.Random(7)
    services = ["a", "b", "c", "d"]
    mesh = MeshConfig()
    demands = [
        Demand(frozenset(dice.sample(["a", "b:9080", "c.default", "d", "nobody.example", "a.other", "x.wild.example"], 4)))
        for _ in range(3)
    ]
    for _ in range(6):
        workloads: list[Workload] = []
        policies: list = []
        compiler, latest = Compiler(KINDS), None
        for step in range(25):
            match dice.randrange(7):
                case 0 | 1:
                    name = dice.choice(services)
                    there = f"{name}-{dice.randrange(3)}"
                    made = workload(there, name, namespace=dice.choice(["default", "other"]), healthy=dice.random() < 0.7)
                    workloads = [w for w in workloads if w.id != made.id] + [made]
                case 2 if workloads:
                    workloads = [w for w in workloads if w is not dice.choice(workloads)]
                case 3 | 4:
                    host = dice.choice(
                        [f"{dice.choice(services)}.default.svc.cluster.local", "*.default.svc.cluster.local", "*.wild.example"]
                    )
                    spec = {"host": host, "status": dice.choice([418, 420]), "label": dice.choice([None, ("version", "1")])}
                    made_p = Answering.make(f"p{dice.randrange(3)}", spec, created=f"2026-01-0{dice.randrange(1, 9)}T00:00:00Z")
                    policies = [p for p in policies if p.metadata.name != made_p.metadata.name] + [made_p]
                case 5 if policies:
                    policies = [p for p in policies if p is not dice.choice(policies)]
                case 6:
                    spec = {"hosts": [("default", f"{dice.choice(services)}.default.svc.cluster.local"), ("other", "*")]}
                    policies = [p for p in policies if p.metadata.name != "narrow"] + (
                        [Narrowing.make("narrow", spec)] if dice.random() < 0.5 else []
                    )
            latest = Snapshot.following(latest, mesh, policies, workloads, step)
            fresh = Snapshot(mesh, policies, workloads, step)
            clients = [workload("client-1"), workload("client-2"), *workloads]
            for client in dice.sample(clients, min(3, len(clients))):
                demand = dice.choice(demands)
                remembered, anew = compiler.compile(latest, client, demand), Compiler(KINDS).compile(fresh, client, demand)
                assert bodies(remembered) == bodies(anew), f"step {step}"
                assert remembered.aliases == anew.aliases


@pytest.mark.parametrize("count", [50, 500])
def test_a_change_costs_what_it_touches_and_not_what_the_mesh_holds(count: int):
    workloads = [workload(f"s{i}-v1", address=f"10.0.{i >> 8}.{i & 255}") for i in range(count)]
    policies = [Answering.make(f"p{i}", {"host": f"s{i}.default.svc.cluster.local", "status": 418}) for i in range(count)]
    policies.append(Narrowing.make("all", {"hosts": [("default", "*")]}))
    compiler, first = Compiler(KINDS), Snapshot(MeshConfig(), policies, workloads, 1)
    before = compiler.compile(first, workloads[0])
    assert len(names(before, XdsType.VHDS)) == count + 1
    compiled = compiler.memo.computed
    policies = [*policies[:7], Answering.make("p7", {"host": "s7.default.svc.cluster.local", "status": 420}), *policies[8:]]
    after = compiler.compile(Snapshot.following(first, MeshConfig(), policies, workloads, 2), workloads[0])
    assert [key for key in after.blobs if after.blobs[key] is not before.blobs.get(key)] == [
        (XdsType.VHDS, "outbound/s7.default.svc.cluster.local:9080")
    ]
    assert compiler.memo.computed - compiled == 1


def test_a_change_of_the_mesh_configuration_changes_everything():
    compiler, demand = Compiler(KINDS), Demand(frozenset({"reviews"}))
    name = (XdsType.CDS, "outbound|9080||reviews.default.svc.cluster.local")
    first = snapshot()
    assert b"spiffe://cluster.local/" in compiler.compile(first, bookinfo()[0], demand).blobs[name].body
    second = Snapshot.following(first, MeshConfig(trust_domain="other.example"), [], list(first.workloads), 2)
    assert b"spiffe://other.example/" in compiler.compile(second, bookinfo()[0], demand).blobs[name].body


def test_a_memo_that_grows_forgets_what_nobody_holds():
    compiler, demand, workloads = Compiler(KINDS), Demand(frozenset({"reviews"})), bookinfo()
    latest = Snapshot(MeshConfig(), [], workloads, 1)
    compiler.memo._limit = 20
    for turn in range(100):
        policy = Answering.make("p", {"host": "reviews.default.svc.cluster.local", "status": 400 + turn % 90})
        latest = Snapshot.following(latest, MeshConfig(), [policy], workloads, turn)
        compiler.compile(latest, workloads[0], Demand(frozenset({"reviews", f"host-{turn}.example"})))
        compiler.compile(latest, workloads[1], demand)
        compiler.memo._limit = 20
    assert sum(map(len, compiler.memo.units.values())) < 150
    assert len(compiler.memo.blobs) < 150


def test_ports_that_a_workload_does_not_serve_are_not_its_endpoints():
    workloads = [
        workload("a-v1", "shop", ports=(WorkloadPort(80, "http", Protocol.HTTP),)),
        workload("a-v2", "shop", ports=(WorkloadPort(81, "http", Protocol.HTTP),), address="127.0.0.9"),
    ]
    resources = Compiler(KINDS).compile(snapshot([], workloads), workloads[0], Demand(frozenset({"shop:81"})))
    (group,) = body(resources, XdsType.EDS, "outbound|81||shop.default.svc.cluster.local")["endpoints"]
    assert [e["endpoint"]["address"]["socket_address"]["address"] for e in group["lb_endpoints"]] == ["127.0.0.9"]


def test_demands_that_grow_while_nothing_changes_leave_nothing_behind():
    compiler, latest, client = Compiler(KINDS), snapshot(), bookinfo()[0]
    other = compiler.compile(latest, bookinfo()[1], Demand(frozenset({"reviews"})))
    for size in range(600):
        compiler.compile(latest, client, Demand(frozenset({f"host-{i}.example" for i in range(max(size - 3, 0), size)})))
    assert sum(map(len, compiler._shared.values())) <= 260
    assert compiler.compile(latest, bookinfo()[1], Demand(frozenset({"reviews"}))) is other
