"""Where requests go by place: shares, the nearest first, and each zone its own callers."""

from collections import Counter

import pytest

from .live import LiveMesh, eventually

URL = "http://echo:27080/"


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Callers and instances of `echo` in two zones of one region, and an instance in another region."""
    mesh = LiveMesh(tmp_path_factory.mktemp("places")).start()
    try:
        mesh.here, mesh.there = (
            mesh.workload(f"client-{zone}", service="client", options=("--locality", f"eu/{zone}"), app_listens=False)
            for zone in ("a", "b")
        )
        mesh.near, mesh.far, mesh.abroad = (
            mesh.workload(f"echo-{name}", service="echo", account="echo", options=("--locality", place))
            for name, place in (("near", "eu/a"), ("far", "eu/b"), ("abroad", "us/c"))
        )
        yield mesh
    finally:
        mesh.stop()


@pytest.fixture
def mesh(places):
    for instance in (places.near, places.far, places.abroad):
        instance.control(status=200, delay=0, count=0)
    yield places
    places.clear()


def policy(balancer: str, more: str = "") -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: echo}}
spec:
  host: echo
  trafficPolicy:
    loadBalancer: {balancer}
{more}"""


EJECT = "    outlierDetection: {consecutive5xxErrors: 1, interval: 1s, baseEjectionTime: 2s, maxEjectionPercent: 100}"


def served(client, requests: int = 100) -> Counter:
    with client.client() as calls:
        return Counter(calls.get(URL).headers.get("x-instance", "nobody").removeprefix("echo-") for _ in range(requests))


def test_without_outlier_detection_place_says_nothing(mesh):
    eventually(lambda: set(served(mesh.here, 60)) == {"near", "far", "abroad"})


def test_shares_by_place_are_kept(mesh):
    mesh.apply(policy("{localityLbSetting: {distribute: [{from: eu/a, to: {eu/a: 80, us/c: 20}}]}}"))
    found = eventually(lambda: (seen := served(mesh.here, 500)) and set(seen) == {"near", "abroad"} and seen)
    assert 340 <= found["near"] <= 460, found
    assert set(served(mesh.there, 60)) == {"near", "far", "abroad"}, "the rule is for callers of eu/a"


def test_with_outlier_detection_the_nearest_serve_until_they_are_ill(mesh):
    mesh.apply(policy("{simple: ROUND_ROBIN}", EJECT))
    eventually(lambda: set(served(mesh.here, 40)) == {"near"})
    assert set(served(mesh.there, 40)) == {"far"}
    mesh.near.control(status=503)
    eventually(lambda: set(served(mesh.here, 20)) == {"far"})
    mesh.near.control(status=200)
    eventually(lambda: set(served(mesh.here, 20)) == {"near"})


def test_the_region_to_fail_over_to_can_be_named(mesh):
    mesh.apply(policy("{localityLbSetting: {failoverPriority: [topology.istio.io/network, topology.kubernetes.io/zone]}}", EJECT))
    eventually(lambda: set(served(mesh.here, 40)) == {"near"})
    mesh.near.control(status=503)
    eventually(lambda: set(served(mesh.here, 60)) == {"far", "abroad"})


def test_each_zone_serves_its_own_callers_as_far_as_its_instances_can(mesh):
    """Callers are half in a, half in b; instances a third in a, in b, and abroad: each zone keeps what a third can take of its half."""
    mesh.apply(policy("{zoneAwareLbSetting: {enabled: true, minClusterSize: 2}}"))
    found = eventually(lambda: (seen := served(mesh.here, 300)) and seen["near"] > 150 and seen)
    assert found["far"] < 60 and found["abroad"] > 40, found
    assert served(mesh.there, 300)["far"] > 150


def test_fewer_instances_than_the_least_are_served_as_one(mesh):
    mesh.apply(policy("{zoneAwareLbSetting: {enabled: true}}"))
    eventually(lambda: set(served(mesh.here, 60)) == {"near", "far", "abroad"})
