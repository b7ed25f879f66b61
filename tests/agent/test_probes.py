"""Probes, each against a real server or a real program."""

import asyncio
import ssl
import subprocess
import time
from pathlib import Path

import grpc
import pytest

from proxyagent.health import Health, probe
from proxyagent.options import Wrong
from proxyagent.probes import grpc as grpc_probe
from proxyagent.probes import tcp
from proxyagent.probes.judge import Judge
from proxyagent.probes.prober import NOT_ALLOWED, Prober, ask
from proxyagent.protocol import Assigned, ExecProbe, GrpcProbe, HttpProbe, Probe, TcpProbe, Workload, WorkloadPort

from .conftest import Origin, free_port

WORKLOAD = Workload("default", "a", ports=(WorkloadPort(80, "http", "127.0.0.2", 8080),))


async def until(true, seconds=10):
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.02)


class TestJudging:
    def test_one_failure_of_two_is_not_news_and_one_success_heals(self):
        judge = Judge(1, 2)
        assert judge.result("") == (True, "")
        assert judge.result("refused") is None
        assert judge.result("refused") == (False, "refused")
        assert judge.result("refused") is None
        assert judge.result("") == (True, "")
        assert judge.result("") is None

    def test_thresholds_count_results_in_a_row(self):
        judge = Judge(2, 3)
        said = [judge.result(reason) for reason in ("", "", "x", "x", "", "x", "x", "x", "", "x", "", "")]
        assert [n for n, news in enumerate(said) if news] == [1, 7, 11]

    def test_an_application_that_never_answered_is_not_healthy_at_once(self):
        assert Judge(1, 3).result("refused") == (False, "refused")


class TestTheOption:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("http:/health", HttpProbe(8080, "/health", "127.0.0.2")),
            ("http://127.0.0.9:81/x?y=z", HttpProbe(81, "/x?y=z", "127.0.0.9")),
            ("https://127.0.0.9/x", HttpProbe(443, "/x", "127.0.0.9", True)),
            ("tcp", TcpProbe(8080, "127.0.0.2")),
            ("tcp://127.0.0.9:81", TcpProbe(81, "127.0.0.9")),
            ("grpc", GrpcProbe(8080, "127.0.0.2")),
            ("grpc:shop.Cart", GrpcProbe(8080, "127.0.0.2", "shop.Cart")),
            ("grpc://127.0.0.9:81/shop.Cart", GrpcProbe(81, "127.0.0.9", "shop.Cart")),
            ("exec:/bin/check 'a b'", ExecProbe(("/bin/check", "a b"))),
        ],
    )
    def test_says_how(self, text, expected):
        found = probe(text, WORKLOAD, 5)
        assert found.how == expected and (found.period, found.timeout, found.failures) == (5, 2, 2)

    @pytest.mark.parametrize("text", ["ping", "http://x:y/", "", "exec:", "exec:'"])
    def test_that_is_none_is_refused(self, text):
        with pytest.raises(Wrong, match="--health"):
            probe(text, WORKLOAD, 5)


def get(port: int, path: str = "/", **fields) -> Probe:
    return Probe(HttpProbe(port, path, **fields), timeout=0.5)


class TestHttp:
    async def test_an_application_is_healthy_while_it_answers(self):
        origin = Origin()
        assert await ask(get(origin.port), WORKLOAD) == ""
        origin.stop()
        assert "refused" in (await ask(get(origin.port), WORKLOAD)).lower()

    async def test_statuses_from_200_to_399_are_healthy_and_a_hang_is_not(self):
        seen = []

        async def answer(reader, writer):
            seen.append((await reader.readuntil(b"\r\n\r\n")).decode())
            if status:
                writer.write(f"HTTP/1.1 {status} Word\r\n\r\n".encode())
                writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        for tried, healthy in ((204, True), (302, True), (399, True), (400, False), (503, False)):
            status = tried
            assert (await ask(get(port, "/x"), WORKLOAD) == "") is healthy
        assert (await ask(get(port, "/x"), WORKLOAD)).endswith("/x answered 503")
        status = 0
        assert "did not answer within 0.5 s" in await ask(get(port), WORKLOAD)
        await ask(get(port, headers=(("Host", "shop.example"), ("X-Probe", "yes"))), WORKLOAD)
        assert "Host: shop.example\r\n" in seen[-1] and "X-Probe: yes\r\n" in seen[-1] and seen[-1].count("Host:") == 1
        server.close()

    async def test_a_port_of_the_workload_is_asked_past_its_own_proxy(self):
        origin = Origin()
        behind = Workload("default", "a", address="127.0.0.9", ports=(WorkloadPort(80, "http", "127.0.0.1", origin.port),))
        assert await ask(get(80), behind) == ""
        origin.stop()

    async def test_a_certificate_that_nobody_signed_is_taken_over_https(self, tmp_path):
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=x -days 1 -keyout k.pem -out c.pem"
        subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(tmp_path / "c.pem", tmp_path / "k.pem")

        async def answer(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        assert await ask(get(port, tls=True), WORKLOAD) == ""
        assert await ask(get(port), WORKLOAD) != ""
        server.close()


class TestTcp:
    async def test_who_accepts_a_connection_is_healthy(self):
        server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        assert await ask(Probe(TcpProbe(port)), WORKLOAD) == ""
        server.close()
        assert "refused" in (await ask(Probe(TcpProbe(free_port())), WORKLOAD)).lower()


class HealthServer(grpc.GenericRpcHandler):
    """A grpc.health.v1 server of grpcio, of which the answers are set by hand."""

    def __init__(self):
        self.known = {"": 1, "down": 2}

    def service(self, details):
        def check(data, context):
            name = data[2:].decode() if data else ""
            if name not in self.known:
                context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
            value = self.known[name]
            return bytes((8, value)) if value else b""

        return grpc.unary_unary_rpc_method_handler(check) if details.method == grpc_probe.METHOD else None


class TestGrpc:
    @pytest.fixture
    def port(self):
        from concurrent.futures import ThreadPoolExecutor

        server = grpc.server(ThreadPoolExecutor(1))
        server.add_generic_rpc_handlers((HealthServer(),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield port
        server.stop(0)

    async def test_who_says_serving_is_healthy(self, port):
        assert await ask(Probe(GrpcProbe(port)), WORKLOAD) == ""

    async def test_who_says_anything_else_is_not(self, port):
        assert (await ask(Probe(GrpcProbe(port, service="down")), WORKLOAD)).endswith("is NOT_SERVING")
        assert "NOT_FOUND: unknown service" in await ask(Probe(GrpcProbe(port, service="nobody")), WORKLOAD)
        assert "refused" in (await ask(Probe(GrpcProbe(free_port())), WORKLOAD)).lower()

    async def test_a_server_that_speaks_no_grpc_is_not(self):
        origin = Origin()
        assert await ask(Probe(GrpcProbe(origin.port), timeout=1), WORKLOAD) != ""
        origin.stop()

    def test_its_messages_are_those_of_the_generated_classes(self):
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

        file = descriptor_pb2.FileDescriptorProto(name="h.proto", package="h", syntax="proto3")
        file.message_type.add(name="Request").field.add(name="service", number=1, type=9, label=1)
        pool = descriptor_pool.DescriptorPool()
        pool.Add(file)
        message = message_factory.GetMessageClass(pool.FindMessageTypeByName("h.Request"))
        for name in ("", "shop.Cart", "x" * 127, "x" * 128, "x" * 500):
            assert grpc_probe.request(name) == message(service=name).SerializeToString()
        assert (grpc_probe.status(b""), grpc_probe.status(b"\x08\x01"), grpc_probe.status(b"\x08\x02")) == (
            "UNKNOWN",
            "SERVING",
            "NOT_SERVING",
        )


def run(*command: str, timeout: float = 5) -> Probe:
    return Probe(ExecProbe(command), timeout=timeout)


class TestExec:
    async def test_status_0_is_healthy(self):
        assert await ask(run("true"), WORKLOAD) == ""

    async def test_another_status_is_not_and_what_it_said_is_told(self):
        assert await ask(run("sh", "-c", "echo no database >&2; exit 3"), WORKLOAD) == "sh ended with status 3: no database"
        assert "no-such-program" in await ask(run("/no-such-program"), WORKLOAD)

    async def test_no_shell_reads_it(self, tmp_path):
        assert await ask(run("test", "$HOME; touch x", "=", "$HOME; touch x"), WORKLOAD) == ""

    async def test_it_sees_none_of_the_agents_settings(self, monkeypatch):
        monkeypatch.setenv("MESHCONSOLE_JOIN_TOKEN", "secret")
        assert await ask(run("sh", "-c", 'test -z "$MESHCONSOLE_JOIN_TOKEN"'), WORKLOAD) == ""

    async def test_one_that_takes_too_long_is_killed_with_all_that_it_started(self, tmp_path):
        pid = tmp_path / "pid"
        reason = await ask(run("sh", "-c", f"sleep 60 & echo $! > {pid}; wait", timeout=0.5), WORKLOAD)
        assert reason == "sh did not answer within 0.5 s"
        child = int(pid.read_text())

        def ended():
            try:
                state = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0]
            except FileNotFoundError:
                return True
            return state == "Z"

        await until(ended)

    async def test_a_host_that_does_not_allow_it_says_so_and_runs_nothing(self, tmp_path):
        told = []
        await Prober(run("touch", str(tmp_path / "x")), WORKLOAD, False, lambda *news: told.append(news)).run()
        assert told == [(False, NOT_ALLOWED)] and not (tmp_path / "x").exists()


class TestFollowing:
    async def test_a_probe_that_stumbles_goes_on(self, monkeypatch):
        told, answers = [], iter([EOFError("half an answer"), ""])

        async def strange(*_):
            if isinstance(answer := next(answers, ""), Exception):
                raise answer
            return answer

        monkeypatch.setattr(tcp, "ask", strange)
        task = asyncio.create_task(Prober(Probe(TcpProbe(1), period=0.1), WORKLOAD, False, lambda *news: told.append(news)).run())
        await until(lambda: len(told) == 2)
        task.cancel()
        assert told == [(False, "127.0.0.1:1: half an answer"), (True, "")]

    async def test_changes_only_are_told_and_the_delay_is_kept(self):
        origin, told = Origin(), []
        begun = time.monotonic()
        slow = Probe(HttpProbe(origin.port), initial_delay=0.3, period=0.1)
        task = asyncio.create_task(Prober(slow, WORKLOAD, False, lambda *news: told.append((news[0], time.monotonic() - begun))).run())
        await until(lambda: told)
        assert told[0][1] >= 0.3
        await asyncio.sleep(0.3)
        origin.stop()
        await until(lambda: len(told) > 1)
        task.cancel()
        assert [healthy for healthy, _ in told] == [True, False]

    async def test_the_groups_probe_is_followed_and_one_that_goes_heals(self, tmp_path):
        told, flag = [], tmp_path / "ready"
        health = Health(None, WORKLOAD, True, lambda *news: told.append(news[0]))
        health.start()
        checking = Probe(ExecProbe(("test", "-e", str(flag))), period=0.1)
        health.assigned(Assigned(WORKLOAD, checking))
        await until(lambda: told == [False])
        flag.touch()
        await until(lambda: told == [False, True])
        flag.unlink()
        await until(lambda: told == [False, True, False])
        health.assigned(Assigned(WORKLOAD))
        assert told == [False, True, False, True]
        health.stop()

    async def test_the_hosts_own_probe_comes_before_the_groups(self):
        told = []
        health = Health(Probe(ExecProbe(("true",)), period=0.1), WORKLOAD, False, lambda *news: told.append(news[0]))
        health.start()
        health.assigned(Assigned(WORKLOAD, Probe(ExecProbe(("false",)), period=0.1)))
        await until(lambda: told)
        await asyncio.sleep(0.3)
        health.stop()
        assert told == [True]
