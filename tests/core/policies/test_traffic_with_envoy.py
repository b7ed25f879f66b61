"""VirtualServices and DestinationRules act on real requests through a real Envoy."""

import http.client
import http.server
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from meshconsole.core.compiler import Compiler, Demand
from meshconsole.core.policies import parse
from tests.core.compiler.mesh import snapshot, workload
from tests.core.compiler.test_with_envoy import free_ports
from tests.golden import bootstrap

pytestmark = pytest.mark.envoy
HERE = Path(__file__).parent


class Instance(http.server.ThreadingHTTPServer):
    """One instance of a service: says who it is and what it got; `status` and `delay` make it ill."""

    daemon_threads = True

    def __init__(self, name: str):
        self.name, self.status, self.delay = name, 200, 0.0
        self.requests: list[str] = []
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    server: Instance
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one segment for head and body: else each answer waits 40 ms for a delayed ACK

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        time.sleep(self.server.delay)
        headers = {key.lower(): ",".join(self.headers.get_all(key, [])) for key in self.headers}
        body = json.dumps({"instance": self.server.name, "path": self.path, "headers": headers}).encode()
        self.send_response(self.server.status)
        self.send_header("content-length", str(len(body)))
        self.send_header("server", "application")
        self.end_headers()
        self.wfile.write(body)

    do_OPTIONS = do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    @property
    def seen(self) -> dict[str, Any]:
        return json.loads(self.body)


@dataclass
class Proxy:
    port: int
    instances: dict[str, Instance] = field(default_factory=dict)

    @cached_property
    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)

    def get(self, path: str, host: str = "backend.test", method: str = "GET", **headers: str) -> Answer:
        began = time.monotonic()
        self.connection.request(method, path, headers={"Host": host, **{k.replace("_", "-"): v for k, v in headers.items()}})
        answer = self.connection.getresponse()
        body = answer.read()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, body, time.monotonic() - began)

    def served_by(self, path: str, times: int, **headers: str) -> Counter[str]:
        return Counter(self.get(path, **headers).seen["instance"] for _ in range(times))


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    instances = {name: Instance(name) for name in ("v1", "v2", "v3", "good", "bad")}
    outbound, admin, dead = free_ports(3)
    places = {f"${{{name}}}": str(instance.server_address[1]) for name, instance in instances.items()} | {"${dead}": str(dead)}
    text = (HERE / "traffic.yaml").read_text()
    for placeholder, port in places.items():
        text = text.replace(placeholder, port)
    policies, _ = parse(text)
    client = workload("productpage-v1", ports=(), outbound_port=outbound)
    hosts = frozenset({"backend.test", "flaky.test", "ejecting.test", "sticky.test"})
    resources = Compiler().compile(snapshot(policies, [client]), client, Demand(hosts))
    config = bootstrap.static([("a", resources)], bootstrap.Authority().issue("default", "a"), admin=admin, apart=False)
    with bootstrap.running(config, tmp_path_factory.mktemp("traffic"), "client"):
        asking = Proxy(outbound, instances)
        yield asking
        asking.connection.close()
    for instance in instances.values():
        instance.shutdown()
        instance.server_close()


def test_a_prefix_is_a_plain_prefix(proxy: Proxy):
    assert proxy.get("/foo").seen["instance"] == "v2"
    assert proxy.get("/foobar").seen["instance"] == "v2"
    assert proxy.get("/FOO").seen["instance"] == "v2"  # ignoreUriCase
    assert proxy.get("/fo").seen["instance"] == "v1"


def test_a_regex_matches_the_whole_path(proxy: Proxy):
    assert proxy.get("/re/12").seen["instance"] == "v3"
    assert proxy.get("/re/12/more").seen["instance"] == "v1"


def test_the_conditions_of_one_match_are_all_needed(proxy: Proxy):
    wanted = {"end_user": "jason", "x_any": "1"}
    assert proxy.get("/all?page=1", **wanted).seen["instance"] == "v3"
    assert proxy.get("/all", **wanted).seen["instance"] == "v1"
    assert proxy.get("/all?page=2", **wanted).seen["instance"] == "v1"
    assert proxy.get("/all?page=1", **wanted, x_debug="1").seen["instance"] == "v1"
    assert proxy.get("/all?page=1", end_user="jason").seen["instance"] == "v1"
    assert proxy.get("/all?page=1", method="POST", **wanted).seen["instance"] == "v1"


def test_shares_are_as_the_weights_say(proxy: Proxy):
    served = proxy.served_by("/weights", 1000)
    assert 850 < served["v1"] < 950 and served["v2"] == 1000 - served["v1"]


def test_an_only_destination_gets_all_whatever_its_weight(proxy: Proxy):
    assert proxy.served_by("/only", 10) == {"v2": 10}


def test_a_destination_that_nobody_defines_is_503_at_once(proxy: Proxy):
    for path in ("/no-subset", "/no-service"):
        answer = proxy.get(path)
        assert answer.status == 503 and answer.seconds < 1


def test_rewrites_change_path_and_host(proxy: Proxy):
    assert proxy.get("/prefix/a?b=c").seen["path"] == "/new/a?b=c"
    assert proxy.get("/exact").seen["path"] == "/new"
    assert proxy.get("/whole/12").seen["path"] == "/new"
    assert proxy.get("/groups/a/b").seen["path"] == "/b/a"
    seen = proxy.get("/authority").seen["headers"]
    assert (seen["host"], seen["x-forwarded-host"]) == ("rewritten.example.com", "backend.test")
    assert proxy.get("/host-header").seen["headers"]["host"] == "by-header.example.com"


def test_header_operations_act_in_order(proxy: Proxy):
    answer = proxy.get("/headers", x_a="client", x_secret="s", x_c="client")
    seen = answer.seen["headers"]
    assert seen["x-a"] == "destination"  # a destination's `set` comes after the route's
    assert seen["x-b"] == "set"
    assert seen["x-c"] == "client,added"
    assert seen["x-percent"] == "100%"
    assert "x-secret" not in seen
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers.get("server") != "application"


def test_redirects_and_direct_responses_are_answered_here(proxy: Proxy):
    assert proxy.get("/redirect/uri").headers["location"] == "http://backend.test/new"
    answer = proxy.get("/redirect/prefix/a?b=c")
    assert (answer.status, answer.headers["location"]) == (308, "https://new.example.com:8443/other/a?b=c")
    teapot = proxy.get("/teapot")
    assert (teapot.status, teapot.body, teapot.headers["content-type"]) == (418, b"I am a teapot", "text/plain")


def test_faults_hit_their_share_and_nobody_without_a_percentage(proxy: Proxy):
    assert proxy.get("/delay").seconds >= 0.25  # Envoy counts in ticks of its event loop
    statuses = Counter(proxy.get("/abort").status for _ in range(400))
    assert 140 < statuses[503] < 260 and statuses[200] + statuses[503] == 400
    assert {proxy.get("/abort-nobody").status for _ in range(20)} == {200}


def test_a_timeout_cuts_at_its_limit(proxy: Proxy):
    proxy.instances["v3"].delay = 2.0
    try:
        answer = proxy.get("/timeout")
    finally:
        proxy.instances["v3"].delay = 0.0
    assert answer.status == 504 and 0.15 <= answer.seconds < 1.0


def test_retries_hide_an_instance_that_is_not_there(proxy: Proxy):
    assert {proxy.get("/", host="flaky.test").status for _ in range(40)} == {200}


def test_attempts_0_hides_nothing(proxy: Proxy):
    statuses = Counter(proxy.get("/off", host="flaky.test").status for _ in range(40))
    assert statuses[503] >= 10 and statuses[200] >= 10


def test_retry_on_takes_status_codes(proxy: Proxy):
    proxy.instances["bad"].status = 409
    before = len(proxy.instances["bad"].requests)
    try:
        assert {proxy.get("/codes", host="ejecting.test").status for _ in range(10)} <= {200, 409}
        assert {proxy.get("/no-codes-given", host="ejecting.test").status for _ in range(10)} == {200, 409}
    finally:
        proxy.instances["bad"].status = 200
    assert len(proxy.instances["bad"].requests) > before


def test_a_mirrored_request_arrives_and_its_answer_is_thrown_away(proxy: Proxy):
    proxy.instances["v3"].status = 500
    try:
        assert proxy.served_by("/mirrored/once", 5) == {"v1": 5}
        deadline = time.monotonic() + 5
        while proxy.instances["v3"].requests.count("/mirrored/once") < 5 and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        proxy.instances["v3"].status = 200
    assert proxy.instances["v3"].requests.count("/mirrored/once") == 5
    proxy.get("/mirror-none")
    time.sleep(0.2)
    assert "/mirror-none" not in proxy.instances["v3"].requests


def test_cross_origin_requests_are_answered_as_the_policy_says(proxy: Proxy):
    asked = {"origin": "https://example.com", "access_control_request_method": "GET"}
    preflight = proxy.get("/cors", method="OPTIONS", **asked)
    assert preflight.headers["access-control-allow-origin"] == "https://example.com"
    assert preflight.headers["access-control-max-age"] == "600"
    assert "/cors" not in proxy.instances["v1"].requests
    stranger = proxy.get("/cors", method="OPTIONS", **{**asked, "origin": "https://evil.example"})
    assert "access-control-allow-origin" not in stranger.headers
    assert "/cors" in proxy.instances["v1"].requests  # FORWARD is the default


def test_a_failing_instance_is_ejected_and_comes_back(proxy: Proxy):
    bad = proxy.instances["bad"]
    bad.status = 500
    try:
        deadline = time.monotonic() + 10
        while any(proxy.get("/", host="ejecting.test").status == 500 for _ in range(10)):
            assert time.monotonic() < deadline, "never ejected"
    finally:
        bad.status = 200
    deadline = time.monotonic() + 10
    while proxy.get("/", host="ejecting.test").seen["instance"] != "bad":
        assert time.monotonic() < deadline, "never let back in"
        time.sleep(0.05)


def test_a_consistent_hash_keeps_a_user_at_one_instance(proxy: Proxy):
    def instance(user: str) -> str:
        return proxy.get("/", host="sticky.test", x_user=user).seen["instance"]

    for user in ("a", "b", "c", "d"):
        assert len({instance(user) for _ in range(8)}) == 1
    assert len({instance(f"user-{n}") for n in range(40)}) == 3


def test_a_cookie_with_a_life_is_made_for_who_has_none(proxy: Proxy):
    first = proxy.get("/cookie", host="sticky.test")
    cookie = first.headers["set-cookie"]
    assert cookie.startswith("who=") and "Max-Age=60" in cookie
    again = [proxy.get("/cookie", host="sticky.test", cookie=cookie.partition(";")[0]).seen["instance"] for _ in range(8)]
    assert all(a == b for a, b in pairwise(again))
