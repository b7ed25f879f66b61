"""Istio's defaults that surprise, on real requests through real Envoys: three sidecars in three namespaces, and a gateway."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from .surprises import Mesh, running

pytestmark = pytest.mark.envoy


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    with running(tmp_path_factory.mktemp("surprises")) as found:
        found.begin_long()
        yield found


def _opened(mesh: Mesh, host: str, path: str) -> int:
    before = mesh["v1"].connections
    for _ in range(4):
        assert mesh.by(host, path) == "v1"
    return mesh["v1"].connections - before


def _sticks(mesh: Mesh, host: str, path: str = "/") -> bool:
    return all(len({mesh.by(host, path, x_user=user) for _ in range(6)}) == 1 for user in "abc")


def test_settings_of_a_port_inherit_nothing(mesh: Mesh):
    assert _sticks(mesh, "ports.test:81")
    assert not _sticks(mesh, "ports.test:82"), "its own settings say nothing of a balancer: it is the default, not the destination's"


def test_a_subset_replaces_its_destinations_policy_field_by_field(mesh: Mesh):
    assert _sticks(mesh, "fields.test")
    assert Counter(mesh.by("fields.test", "/balanced", x_user="a") for _ in range(9)) == {"v1": 3, "v2": 3, "v3": 3}
    assert _opened(mesh, "fields.test", "/plain") == 4, "a subset without a policy has the destination's"
    assert _opened(mesh, "fields.test", "/pooled") <= 1, "what connectionPool says of tcp stands instead of all that it said of http"


@pytest.mark.parametrize(
    ("client", "served"),
    [
        # In the client's namespace the exact host, the longest wildcard; its namespace before the service's, though less exact.
        ("client", {"one.look.test": "v1", "two.look.test": "v2", "kept.look.test": "v1", "alone.test": "v3"}),
        ("guest", {"one.look.test": "v3", "two.look.test": "v3", "kept.look.test": "v3", "alone.test": "v3"}),
        # Without one there: the service's namespace, of what it shows; without one there: the root's.
        ("third", {"one.look.test": "v1", "two.look.test": "v2", "kept.look.test": "v2", "alone.test": "v2"}),
    ],
)
def test_which_destination_rule_holds(mesh: Mesh, client: str, served: dict[str, str]):
    assert {host: mesh.by(host, client=client) for host in served} == served


def test_rules_of_one_host_in_a_namespace_are_added_up_and_the_oldest_policy_holds(mesh: Mesh):
    assert [mesh.by("merged.test", path) for path in ("/one", "/two")] == ["v1", "v2"]
    assert _sticks(mesh, "merged.test"), "of the older rule"
    before = mesh["v1"].connections
    assert {mesh.by("merged.test", "/one") for _ in range(4)} == {"v1"}
    assert mesh["v1"].connections - before <= 1, "not of the younger"


def test_a_rule_for_some_clients_comes_before_the_rule_for_all(mesh: Mesh):
    assert {client: mesh.by("selected.example", client=client) for client in ("client", "guest", "third")} == {
        "client": "v2", "guest": "v1", "third": "v1",
    }  # fmt: skip


def test_a_new_instance_is_asked_little_at_first_and_its_share_when_it_is_warm(mesh: Mesh):
    def asked() -> int:
        return [mesh.by("warm.test") for _ in range(60)].count("v3")

    time.sleep(max(0.0, mesh.late.began + 2.2 - time.monotonic()))  # the others are warm
    assert asked() == 0
    mesh.late.come()
    deadline = time.monotonic() + 5
    while mesh.stat("cluster.outbound.80..warm.test.membership_total$") != 3:
        assert time.monotonic() < deadline, "it never came"
    came = time.monotonic()
    cold = asked()
    assert cold <= 12 or time.monotonic() - came > 1, cold
    time.sleep(max(0.0, came + 2.3 - time.monotonic()))
    asked()  # Envoy has planned its next turns while it was cold
    assert asked() >= 15


def test_the_default_balancer_asks_who_has_less_to_do(mesh: Mesh):
    """Of two at random the one with fewer requests under way: the busy one is asked only where both draws are it."""
    with ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(mesh.get, "idle.test", "/hold") for _ in range(20)]
        while sum(path == "/hold" for one in ("v1", "v2") for path, _ in mesh[one].hosts) < 20:
            time.sleep(0.01)
        mesh["v2"].held.set()  # only v1 is busy now
        try:
            while sum(each.done() for each in waiting) < sum(path == "/hold" for path, _ in mesh["v2"].hosts):
                time.sleep(0.01)
            busy = [mesh.by("idle.test") for _ in range(120)].count("v1")
        finally:
            mesh["v1"].held.set()
    for one in ("v1", "v2"):
        mesh[one].held.clear()
    assert busy < 45, f"{busy} of 120 went to the busy one; by turns or by chance it were 60"


def test_with_all_instances_ejected_nobody_is_asked(mesh: Mesh):
    """Envoy's own panic threshold would send requests to all of them again."""
    with mesh.status(500, "ill1", "ill2"):
        deadline = time.monotonic() + 5
        while mesh.get("panic.test").status != 503:
            assert time.monotonic() < deadline, "never were all ejected"
        assert {mesh.get("panic.test").status for _ in range(10)} == {503}


def test_outlier_detection_is_off_unless_said_and_five_errors_eject(mesh: Mesh):
    with mesh.status(500, "ill1"):
        assert [mesh.get("five.test").status for _ in range(5)] == [500] * 5
        time.sleep(0.3)  # Envoy's main thread ejects, and tells its workers
        assert {mesh.get("five.test").status for _ in range(3)} == {503}
        assert {mesh.get("never.test").status for _ in range(15)} == {500}


def test_two_retries_are_made_unasked_of_what_never_arrived(mesh: Mesh):
    before = mesh.stat("cluster.outbound.80..dead.test.upstream_rq_retry$")
    assert mesh.get("dead.test").status == 503
    assert mesh.stat("cluster.outbound.80..dead.test.upstream_rq_retry$") - before == 2


def test_retries_have_no_limit_at_a_time(mesh: Mesh):
    """Envoy's own is three at a time."""
    mesh["v1"].delay = 0.1
    try:
        with ThreadPoolExecutor(20) as pool:
            assert {each.status for each in pool.map(lambda n: mesh.get("again.test", f"/once/{n}"), range(20))} == {200}
    finally:
        mesh["v1"].delay = 0.0


def test_each_try_has_its_own_limit(mesh: Mesh):
    before = len(mesh["v1"].hosts)
    answer = mesh.get("again.test", "/hold")
    assert answer.status == 504 and 0.25 < answer.seconds < 2
    assert len(mesh["v1"].hosts) - before == 2
    mesh["v1"].held.set()
    mesh["v1"].held.clear()


def test_a_delay_without_a_percentage_delays_nobody_and_by_the_old_percent_those(mesh: Mesh):
    assert mesh.get("again.test", "/delay-nobody").seconds < 1
    assert mesh.get("again.test", "/delay-all").seconds >= 0.15


def test_a_mirrored_request_names_the_host_that_was_called(mesh: Mesh):
    """Envoy's own way is to add `-shadow`."""
    assert mesh.by("again.test", "/mirrored") == "v1"
    deadline = time.monotonic() + 5
    while not mesh["mirror"].hosts and time.monotonic() < deadline:
        time.sleep(0.01)
    assert mesh["mirror"].hosts == [("/mirrored", "again.test")]


def test_a_preflight_that_nobody_matches_can_be_kept_from_the_application(mesh: Mesh):
    asked = {"access_control_request_method": "GET"}
    stranger = mesh.get("again.test", "/ignored", method="OPTIONS", origin="https://evil.test", **asked)
    assert "access-control-allow-origin" not in stranger.headers
    assert not any(path == "/ignored" for path, _ in mesh["v1"].hosts)
    assert mesh.get("again.test", "/ignored", method="OPTIONS", origin="https://a.test", **asked).headers["access-control-allow-origin"]


def test_the_routes_host_beats_the_destinations(mesh: Mesh):
    seen = mesh.get("again.test", "/host").seen
    assert seen["headers"]["host"] == "of-the-route.test"


def test_one_of_several_matches_is_enough_and_each_kind_of_match_matches(mesh: Mesh):
    assert [mesh.get("again.test", path).status for path in ("/either", "/or", "/neither")] == [211, 211, 200]
    assert mesh.get("again.test", "/neither", method="POST").status == 211
    assert mesh.get("again.test", client="guest").status == 212
    assert [mesh.get("again.test", x_regex=value).status for value in ("abc", "bcd")] == [213, 200]
    assert mesh.get("again.test", x_there="").status == 214
    assert mesh.get("again.test", "/after-all").status == 200, "a sidecar keeps the order: after a rule for everything nothing is reached"


def test_without_a_port_a_destination_is_called_at_the_port_that_was_called(mesh: Mesh):
    assert [mesh.by(f"twoports.test:{port}") for port in (81, 82)] == ["v1", "v2"]


def test_weights_are_parts_of_their_sum(mesh: Mesh):
    served = Counter(mesh.by("parts.test") for _ in range(400))
    assert 60 < served["v1"] < 140 and served["v1"] + served["v2"] == 400


def test_a_short_name_is_of_the_rules_namespace(mesh: Mesh):
    assert {mesh.by("short.test", client=client) for client in ("client", "guest", "third")} == {"v2"}


def test_the_port_of_a_redirect(mesh: Mesh):
    def location(path: str, host: str = "redirected.test") -> str:
        return mesh.get(host, path).headers["location"]

    assert location("/same", "redirected.test:8080") == "http://redirected.test:8080/new"
    assert location("/same") == "http://redirected.test/new"
    assert location("/plain") == "https://redirected.test/new"
    assert location("/") == "https://redirected.test:8443/new"


def test_without_outlier_detection_no_instance_is_nearer(mesh: Mesh):
    assert {mesh.by("places.test") for _ in range(40)} == {"v1", "v2"}


@pytest.mark.parametrize(
    ("host", "spoken", "over_http2"),
    [("upgraded", "HTTP/2.0", "HTTP/2.0"), ("asked", "HTTP/1.1", "HTTP/2.0"), ("unsaid", "HTTP/1.1", "HTTP/1.1")],
)
def test_which_http_a_service_is_spoken_to(mesh: Mesh, host: str, spoken: str, over_http2: str):
    for version, expected in ((1, spoken), (2, over_http2)):
        mesh.heard.clear()
        with httpx.Client(http1=version == 1, http2=version == 2, timeout=10) as client:
            client.get(f"http://127.0.0.1:{mesh.outbound['client']}/", headers={"Host": f"{host}.test"})
        assert mesh.heard[0] == expected


@pytest.mark.parametrize("client", ["client", "edge"])
def test_the_oldest_virtual_service_comes_first_and_of_one_age_by_name(mesh: Mesh, client: str):
    assert mesh.get("age.test", "/both", client).status == 221, "zebra is older than apple"
    assert mesh.get("tie.test", "/both", client).status == 231
    # A sidecar knows the oldest only; a gateway's are merged.
    assert mesh.get("age.test", "/apple", client).status == (404 if client == "client" else 222)


def test_a_match_for_a_gateway_is_for_no_sidecar(mesh: Mesh):
    assert mesh.get("again.test", "/unmatched").status == 200


@pytest.mark.parametrize(("client", "status"), [("client", 200), ("guest", 200), ("third", 502)])
def test_a_workloads_own_sidecar_beats_the_namespaces_and_that_the_meshs(mesh: Mesh, client: str, status: int):
    assert mesh.get(f"127.0.0.1:{mesh['v1'].server_address[1]}", client=client).status == status


def test_a_route_has_no_timeout_unless_it_says_one(mesh: Mesh):
    """Envoy's own is 15 seconds. The request was sent before the other tests began."""
    answer = mesh.long.result(timeout=20)
    assert answer.status == 200 and answer.seconds > 15.2
