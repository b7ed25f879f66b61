"""Where a client is makes a difference only where a DestinationRule asks for it; clients of one place share what they hold."""

from dataclasses import replace
from typing import Any

from meshconsole.core.compiler import Compiler, Demand
from meshconsole.core.envoy import wire
from meshconsole.core.envoy.resource_set import ResourceSet, XdsType
from meshconsole.core.policies import parse_object
from tests.core.compiler.mesh import bookinfo, snapshot

CLUSTER = "outbound|9080||reviews.default.svc.cluster.local"
ASKED = Demand(frozenset({"reviews:9080"}))


def rule(**policy: Any) -> Any:
    spec = {"host": "reviews", "trafficPolicy": policy}
    data = {"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", "metadata": {"name": "reviews"}, "spec": spec}
    return parse_object(data)[0]


def seen_from(*localities: str, policy: Any) -> list[ResourceSet]:
    places = {"reviews-v1": "west/a", "reviews-v2": "west/b", "reviews-v3": "east/a"}
    servers = [replace(w, locality=places.get(w.name, "")) for w in bookinfo()[1:]]
    clients = [replace(bookinfo()[0], name=f"client-{n}", locality=where) for n, where in enumerate(localities)]
    compiler, mesh = Compiler(), snapshot([policy] if policy else [], [*clients, *servers])
    return [compiler.compile(mesh, client, ASKED) for client in clients]


def priorities(resources: ResourceSet) -> dict[str, int]:
    body = wire.parse(XdsType.EDS, resources.blobs[XdsType.EDS, CLUSTER].body)
    return {"/".join((g["locality"]["region"], g["locality"]["zone"])): g.get("priority", 0) for g in body["endpoints"]}


def test_the_nearest_come_first_for_each_client():
    west, east = seen_from("west/a", "east/a", policy=rule(outlierDetection={}))
    assert priorities(west) == {"west/a": 0, "west/b": 1, "east/a": 2}
    assert priorities(east) == {"west/a": 1, "west/b": 1, "east/a": 0}


def test_without_outlier_detection_or_a_place_of_its_own_a_client_knows_no_near_or_far():
    for resources in (
        *seen_from("west/a", policy=rule(loadBalancer={"simple": "RANDOM"})),
        *seen_from("", policy=rule(outlierDetection={})),
    ):
        assert set(priorities(resources).values()) == {0}


def test_clients_of_one_place_share_their_endpoints_and_so_do_all_where_nobody_asks():
    one, other, far = seen_from("west/a", "west/a", "east/a", policy=rule(outlierDetection={}))
    key = (XdsType.EDS, CLUSTER)
    assert one.blobs[key] is other.blobs[key] and one.blobs[key] is not far.blobs[key]
    here, there = seen_from("west/a", "east/a", policy=None)
    assert here.blobs[key] is there.blobs[key]
