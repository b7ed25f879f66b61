"""What Prometheus scrapes of a workload: Istio's names, the application's beside them, and nothing that is not for others."""

import asyncio
import http.server
import threading
import urllib.error
import urllib.request

import pytest

from proxyagent import protocol
from proxyagent.options import Wrong, parse
from proxyagent.protocol import Workload
from proxyagent.relay import labels
from proxyagent.relay.exporter import Expiry, foreign
from telemetry import exposition

from .conftest import free_port, reviews

APPLICATION = """# HELP shop_orders_total Orders taken
# TYPE shop_orders_total counter
shop_orders_total{kind="book"} 7
# TYPE istio_requests_total counter
istio_requests_total{reporter="source",destination_workload="somebody-else"} 1000000
# EOF
"""


@pytest.fixture
def application():
    """Answers Accept headers other than the text format's as an OpenMetrics library would, and says how often it was asked."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = APPLICATION.encode()
            self.send_response(200 if self.headers["accept"].startswith("text/plain") else 406)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *a):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/metrics"
    server.shutdown()
    server.server_close()


async def fetch(port, path="/metrics", **headers):
    def get():
        try:
            with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers), timeout=10) as f:
                return f.status, f.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, ""

    return await asyncio.to_thread(get)


def ports(console):
    return [f.workload.metrics_port for f in console.frames if isinstance(f, protocol.Hello)]


@pytest.mark.envoy
async def test_mesh_and_application_metrics_are_one_page_on_the_port_that_the_console_is_told(console, agents, origin, application):
    agent = agents(console, "--application-metrics", application)
    await console.until(protocol.State)
    assert not (await console.push(**reviews(agent, origin))).errors
    await agent.serves()
    port = ports(console)[-1]
    assert port
    async with asyncio.timeout(5):
        while "istio_request_duration_milliseconds_count" not in (page := (await fetch(port))[1]):
            await asyncio.sleep(0.1)
    found = list(exposition.parse(page))
    [requests] = [s for s in found if s.name == "istio_requests_total"]
    assert requests.labels["destination_workload"] == "reviews-v1" and len(requests.labels) == 25
    assert exposition.types(page)["istio_request_duration_milliseconds"] == "histogram"
    assert exposition.Sample("shop_orders_total", {"kind": "book"}, 7) in found
    assert exposition.Sample("meshconsole_agent_application_up", {}, 1) in found
    assert any(s.name.startswith("envoy_server_") for s in found)
    assert not any(s.name.startswith("envoy_istio") for s in found)
    assert len({(s.name, tuple(s.labels.items())) for s in found}) == len(found), "Prometheus drops what is there twice"
    assert (await fetch(port, "/stats/prometheus"))[0] == 200
    for closed in ("/config", "/healthz", "/config_dump", "/quitquitquit", "/"):
        assert (await fetch(port, closed))[0] == 404


@pytest.mark.envoy
async def test_who_has_no_token_is_not_told(console, agents, tmp_path):
    (tmp_path / "token").write_text("s3cret\n")
    agents(console, "--metrics-token-file", str(tmp_path / "token"))
    await console.until(protocol.State)
    port = ports(console)[-1]
    assert (await fetch(port))[0] == (await fetch(port, Authorization="Bearer wrong"))[0] == 401
    assert (await fetch(port, Authorization="Bearer s3cret"))[0] == 200


@pytest.mark.envoy
async def test_a_port_can_be_chosen_and_a_taken_default_is_replaced(console, agents, tmp_path):
    wanted = free_port()
    agents(console, "--metrics-port", str(wanted))
    await console.until(protocol.State)
    assert ports(console)[-1] == wanted
    agents(console, state=tmp_path / "other", port=free_port())
    agents(console, "--metrics-port", "0", state=tmp_path / "third", port=free_port())
    await console.until(protocol.State, lambda f: console.links == 3)
    assert len(set(ports(console))) == 3 and 0 in ports(console)


def test_an_application_says_nothing_in_the_meshs_name():
    assert foreign(APPLICATION) == "".join(f"{line}\n" for line in APPLICATION.splitlines()[:3])
    assert foreign("") == ""


def test_series_of_peers_that_went_are_left_out_until_they_count_again():
    expiry = Expiry(60)
    old = {'a_total{p="x"}': 1.0, 'b_bucket{p="x",le="5"}': 1.0, 'b_sum{p="x"}': 3.0, 'a_total{p="y"}': 1.0}
    assert expiry.living(old, 0) == old
    later = old | {'a_total{p="y"}': 2.0}
    assert expiry.living(later, 50) == later
    assert expiry.living(later, 61) == {'a_total{p="y"}': 2.0}
    back = later | {'a_total{p="x"}': 2.0}
    assert expiry.living(back, 62) == back


def test_beyond_the_limit_label_sets_are_counted_together_and_no_sum_is_lost():
    bounded = labels.Bounded(2)
    me = labels.own(Workload("default", "a-v1", labels={"app": "a"}))
    told = [labels.expand({"reporter": "source", "peer": f"{n};default;{n};v1", "response_code": "200"}, me, "") for n in "bcdeb"]
    admitted = [bounded.admit(t) for t in told]
    assert [a["destination_workload"] for a in admitted] == ["b", "c", "overflow", "overflow", "b"]
    assert admitted[2] == admitted[3] and admitted[2]["source_workload"] == "a-v1" and admitted[2]["destination_service"] == ""
    assert (bounded.known, bounded.overflowed) == (2, 2)
    assert admitted[2].keys() == admitted[0].keys()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--application-metrics", "127.0.0.1:9102"], "--application-metrics"),
        (["--metrics-port", "80", "--port", "80:http"], "--metrics-port 80 is a port of the workload too"),
    ],
)
def test_options_that_make_no_sense_are_refused(arguments, words):
    with pytest.raises(Wrong, match=words):
        parse(["--name", "a", *arguments], {})
