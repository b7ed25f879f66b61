"""What a connected agent is sent, and what is known of it afterwards: a real web process, agents without Envoys."""

import asyncio
import time

import pytest

from proxyagent import protocol
from proxyagent.protocol import EnvoyState, Goodbye, Health, ListState, Metrics, MetricsStored, Push
from telemetry.samples import Batch, Counter, encode

from .conftest import workload

SPLIT = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}, namespace: default}}
spec:
  hosts: [{name}]
  http:
  - name: "{mark}"
    route:
    - destination: {{host: {name}}}
    timeout: {timeout}
"""


class Api:
    """What the faces say, asked over HTTP as anybody would."""

    def __init__(self, console):
        self.console, self.client = console, console.client()

    async def _call(self, method: str, path: str, **options):
        answer = await asyncio.to_thread(self.client.request, method, path, **options)
        assert answer.is_success, answer.text
        return answer.json()

    async def apply(self, name: str, mark: str = "m", timeout: str = "1s") -> int:
        return (await self._call("POST", "/api/v1/apply", content=SPLIT.format(name=name, mark=mark, timeout=timeout)))["revision"]

    async def revision(self, number: int) -> dict:
        return await self._call("GET", f"/api/v1/revisions/{number}/status")

    async def proxy(self, id: str) -> dict:
        return await self._call("GET", f"/api/v1/proxies/{id}")

    async def in_sync(self, agent) -> dict:
        """Until it is written down that the agent has taken just what it holds (and what it was told)."""
        held = {type_: len(names) for type_, names in agent.cache.versions().items()}
        counts = lambda p: {t: found["resources"] for t, found in p["types"].items()}  # noqa: E731
        return await self.until(lambda: self.proxy(agent.id), lambda p: p["connected"] and p["state"] == "SYNCED" and counts(p) == held)

    async def workloads(self) -> dict[str, dict]:
        return {w["id"]: w for w in (await self._call("GET", "/api/v1/workloads"))["items"]}

    async def until(self, ask, true, seconds: float = 10):
        end, last = time.monotonic() + seconds, None
        while time.monotonic() < end:
            try:
                if true(last := await ask()):
                    return last
            except AssertionError as e:  # a proxy that is not written down yet is a 404
                last = e
            await asyncio.sleep(0.05)
        raise AssertionError(f"not within {seconds} s: {last}\n{self.console.log()[-3000:]}")


@pytest.fixture
def api(console):
    found = Api(console)
    yield found
    found.client.close()


@pytest.fixture
async def pair(agent):
    """A service, and a caller that has asked for it."""
    server = await agent().connect()
    caller = agent()
    host = f"{server.workload.name}:9080"
    caller.learned = (host,)
    await caller.connect()
    await caller.until(lambda: host in caller.cache.aliases)
    return server, caller


def bodies(push: Push) -> bytes:
    return b"".join(r.body for resources in push.resources.values() for r in resources)


class TestChanges:
    async def test_a_change_goes_to_who_uses_the_host_and_to_nobody_else(self, pair, agent, api):
        server, caller = pair
        bystander = await agent().connect()
        await bystander.until(lambda: bystander.pushes)
        before, told = len(caller.pushes), bystander.bytes_received
        await api.apply(server.workload.name, "only-for-the-caller")
        await caller.until(lambda: len(caller.pushes) > before)
        assert b"only-for-the-caller" in bodies(caller.pushes[-1])
        await asyncio.sleep(0.3)
        assert bystander.bytes_received == told

    async def test_a_revision_is_programmed_when_everyone_concerned_has_acknowledged(self, pair, api):
        server, caller = pair
        number = await api.apply(server.workload.name)
        found = await api.until(lambda: api.revision(number), lambda r: r["state"] == "programmed")
        assert [p["id"] for p in found["proxies"]] == [caller.id] and (found["total"], found["synced"]) == (1, 1)

    async def test_a_revision_is_pending_until_the_last_one_has_answered(self, pair, api):
        server, caller = pair
        answer = caller.session.handle
        held: list = []
        caller.session.handle = lambda event, now: held.append(event) or iter(())  # an agent that is slow to apply
        number = await api.apply(server.workload.name, timeout="7s")
        await caller.until(lambda: held)
        await asyncio.sleep(0.3)
        found = await api.revision(number)
        assert found["state"] == "pending" and [p["id"] for p in found["proxies"]] == [caller.id]
        assert (await api.proxy(caller.id))["state"] == "STALE"
        caller.session.handle = answer
        for event in held:
            await caller._do(event)
        await api.until(lambda: api.revision(number), lambda r: r["state"] == "programmed")

    async def test_a_burst_of_changes_is_a_few_pushes_and_ends_with_the_newest(self, pair, api):
        server, caller = pair
        before = len(caller.pushes)
        for i in range(20):
            number = await api.apply(server.workload.name, f"mark-{i}.")
        await api.until(lambda: api.revision(number), lambda r: r["state"] == "programmed")
        assert b"mark-19." in bodies(caller.pushes[-1])
        assert len(caller.pushes) - before <= 20

    async def test_endpoints_come_and_go(self, pair, agent, api):
        server, caller = pair
        name = server.workload.name
        second = await agent(workload(services=(name,), labels={"app": name}, address="127.0.0.77")).connect()
        await caller.until(lambda: b"127.0.0.77" in b"".join(r.body for r in caller.cache.of("eds").values()))
        await second.say(Health(False, "503"))
        await caller.until(lambda: len(caller.pushes[-1].resources.get("eds", ())) == 1)
        assert (await api.workloads())[second.id]["healthy"] is False
        await second.say(Goodbye())
        await caller.until(lambda: b"127.0.0.77" not in b"".join(r.body for r in caller.cache.of("eds").values()))
        assert second.id not in await api.workloads()

    async def test_an_application_that_flaps_holds_up_nothing_and_ends_as_it_is(self, pair, api):
        server, caller = pair
        for i in range(60):
            await server.say(Health(i % 2 == 1, f"{i}"))
        await server.say(protocol.Demand((f"{server.workload.name}:9080",)))
        begin = time.monotonic()
        await server.until(lambda: f"{server.workload.name}:9080" in server.cache.aliases)
        assert time.monotonic() - begin < 5
        await api.until(api.workloads, lambda found: found[server.id]["healthy"])

    async def test_a_vanished_agents_endpoint_stays(self, pair, agent, api):
        server, caller = pair
        before = caller.cache
        server.cut()
        await api.until(lambda: api.proxy(server.id), lambda p: not p["connected"])
        assert server.id in await api.workloads() and caller.cache is before


class TestRefusals:
    async def test_a_refused_change_says_envoys_sentence_and_the_policy(self, pair, api):
        server, caller = pair
        caller.verdict = lambda push: {"vhds": "Unknown thing in route"} if b"bad" in bodies(push) else {}
        number = await api.apply(server.workload.name, "bad")
        found = await api.until(lambda: api.revision(number), lambda r: r["state"] == "failed")
        assert (found["nacked"], found["proxies"][0]["id"]) == (1, caller.id)
        status = await api.until(lambda: api.proxy(caller.id), lambda p: p["state"] == "NACKED")
        assert status["types"]["vhds"]["state"] == "NACKED" and status["types"]["vhds"]["error"] == "Unknown thing in route"
        assert status["policies"] == [f"VirtualService default/{server.workload.name}"]
        assert status["types"]["cds"]["state"] == "SYNCED"

        good = await api.apply(server.workload.name, "good")
        await api.until(lambda: api.revision(good), lambda r: r["state"] == "programmed")
        status = await api.until(lambda: api.proxy(caller.id), lambda p: p["state"] == "SYNCED")
        assert status["error"] == "" and status["policies"] == []

    async def test_a_refusal_does_not_hold_up_what_does_not_concern_it(self, pair, agent, api):
        server, caller = pair
        other = await agent().connect()
        await caller.demand(f"{other.workload.name}:9080")
        await caller.until(lambda: f"{other.workload.name}:9080" in caller.cache.aliases)
        caller.verdict = lambda push: {"vhds": "no"} if b"bad" in bodies(push) else {}
        bad = await api.apply(server.workload.name, "bad")
        await api.until(lambda: api.revision(bad), lambda r: r["state"] == "failed")
        fine = await api.apply(other.workload.name, "fine")
        assert (await api.until(lambda: api.revision(fine), lambda r: r["state"] != "pending"))["state"] == "programmed"
        assert b"fine" in bodies(caller.pushes[-1]) and b"bad" not in bodies(caller.pushes[-1])
        assert (await api.revision(bad))["state"] == "failed"


class TestDemand:
    async def test_a_host_on_demand_comes_with_its_clusters_and_endpoints_in_one_push(self, agent):
        server, caller = await agent().connect(), await agent().connect()
        name = server.workload.name
        for spelling in (f"{name}:9080", f"{name}.default:9080", f"{name}.default.svc.cluster.local:9080"):
            await caller.demand(spelling)
            await caller.until(lambda s=spelling: s in caller.cache.aliases)
        first = next(p for p in caller.pushes if f"{name}:9080" in p.aliases)
        assert {"vhds", "cds", "eds"} <= first.resources.keys()
        assert len({caller.cache.aliases[s] for s in caller.cache.aliases}) == 1

    async def test_what_was_told_before_is_told_again_to_who_asks_again(self, pair):
        _, caller = pair
        before = len(caller.pushes)
        await caller.say(protocol.Demand((caller.learned[0],)))
        await caller.until(lambda: len(caller.pushes) > before)
        assert caller.pushes[-1].aliases.keys() == {caller.learned[0]} and not caller.pushes[-1].resources

    async def test_invented_hosts_do_not_grow_without_bound(self, agent, api):
        one = await agent().connect()
        await one.until(lambda: one.pushes)
        await one.say(protocol.Demand(tuple(f"host-{i}.invented.example:80" for i in range(2300))))
        await one.until(lambda: sum(1 for a in one.cache.aliases.values() if a == "") >= 300, 60)
        await one.until(lambda: len(one.cache.aliases) >= 2300, 60)
        assert len((await api.until(lambda: api.proxy(one.id), lambda p: p["demand"]))["demand"]) == 2000


class TestReconnecting:
    async def test_nothing_is_sent_to_who_comes_back_with_what_it_should_have(self, pair, api):
        _, caller = pair
        await api.in_sync(caller)
        await caller.leave()
        before = len(caller.received)
        await caller.connect()
        await asyncio.sleep(0.5)
        since = caller.received[before:]
        assert [type(r.frame).__name__ for r in since] == ["Challenge", "Welcome"]

    async def test_a_change_made_meanwhile_arrives_as_a_difference(self, pair, api):
        server, caller = pair
        await caller.leave()
        await api.apply(server.workload.name, "meanwhile")
        before = len(caller.received)
        await caller.connect()
        await caller.until(lambda: any(isinstance(r.frame, Push) for r in caller.received[before:]))
        since = [r.frame for r in caller.received[before:]]
        assert any(isinstance(f, ListState) for f in since)
        assert [r.name.rpartition("/")[0] for r in caller.pushes[-1].resources["vhds"]] == ["outbound"]
        assert list(caller.pushes[-1].resources) == ["vhds"] and b"meanwhile" in bodies(caller.pushes[-1])

    async def test_who_lost_its_disk_gets_everything(self, pair):
        server, caller = pair
        await caller.leave()
        caller.cache = type(caller.cache)()
        await caller.connect()
        await caller.until(lambda: caller.cache.of("vhds"))
        assert {"cds", "eds", "lds", "rds", "vhds"} <= caller.cache.versions().keys()


class TestFigures:
    def batch(self, value: float = 5) -> bytes:
        now = time.time()
        labels = {"reporter": "source", "source_workload": "a", "destination_workload": "b"}
        return encode(Batch(now - 10, now, (Counter("istio_requests_total", labels, value),)))

    async def test_batches_are_stored_in_order_and_acknowledged(self, agent):
        one = await agent().connect()
        for seq in range(1, 6):
            await one.say(Metrics("epoch", seq, self.batch()))
        await one.until(lambda: len(one.of(MetricsStored)) == 5)
        assert [m.seq for m in one.of(MetricsStored)] == [1, 2, 3, 4, 5]

    async def test_a_repeated_batch_is_acknowledged_with_the_newest_that_is_stored(self, agent):
        one = await agent().connect()
        for seq in (1, 2, 1):
            await one.say(Metrics("epoch", seq, self.batch()))
        await one.until(lambda: len(one.of(MetricsStored)) == 3)
        assert [m.seq for m in one.of(MetricsStored)] == [1, 2, 2]

    async def test_figures_that_cannot_be_do_not_stop_those_after_them(self, agent):
        one = await agent().connect()
        await one.say(Metrics("epoch", 1, b"nonsense"))
        await one.say(Metrics("epoch", 2, self.batch()))
        await one.until(lambda: len(one.of(MetricsStored)) == 2)
        assert not one.closed


async def test_the_life_of_the_envoy_beside_it_is_known(agent, api):
    one = await agent().connect()
    await one.say(EnvoyState(False, 3, "exit status 1"))
    found = await api.until(lambda: api.proxy(one.id), lambda p: p["envoyRunning"] is False)
    assert (found["envoyRestarts"], found["envoyReason"]) == (3, "exit status 1")
