import dataclasses
import datetime

import pytest
from django.db import connection
from django.utils import timezone

from meshconsole.agents import enrolment
from meshconsole.core.policies import parse
from meshconsole.discovery import registry
from meshconsole.discovery.models import WorkloadRecord
from meshconsole.discovery.platforms import agents
from meshconsole.xds import beats, clock, owning, records, status, unbound
from meshconsole.xds import session as s
from meshconsole.xds.models import HubRecord, ProxyRecord
from proxyagent.protocol import EnvoyState, Workload

from .test_link import Fake, resources

pytestmark = pytest.mark.django_db(transaction=True)
HUB = "h1"


@pytest.fixture(autouse=True)
def hub():
    beats._before.clear()
    HubRecord.objects.create(id=HUB, started=timezone.now(), beat=timezone.now())


def link(name: str, **held: str):
    fake = Fake()
    fake.link.facts = dataclasses.replace(fake.link.facts, name=name)
    fake.link.handle(s.Reported(s.EMPTY), 0)
    if held:
        fake.link.offer(resources(**held), 1)
        fake.answer(1)
    return fake


def connected(*fakes, revision: int = 1) -> None:
    batch = records.Batch(revision)
    for fake in fakes:
        batch.put_whole(records.row(fake.link, HUB))
    records.write(HUB, batch, timezone.now())


def noted(*fakes, revision: int = 0) -> records.Batch:
    batch = records.Batch(revision)
    records.put(batch, [fake.link for fake in fakes], HUB)
    return batch


def write(*fakes, revision: int = 0) -> None:
    records.write(HUB, noted(*fakes, revision=revision), timezone.now())


class TestRevisionStatus:
    def test_it_is_pending_until_the_hub_has_compiled_it(self):
        connected(link("a", x="1"))
        assert status.revision_status(2).state == "pending"
        write(revision=2)
        assert status.revision_status(2).state == "programmed"

    def test_it_is_programmed_when_all_concerned_have_taken_it(self):
        a, b, bystander = link("a", x="1"), link("b", x="1"), link("c", y="1")
        connected(a, b, bystander)
        for fake in (a, b):
            fake.link.offer(resources(x="2"), 2)
        write(a, b, revision=2)
        found = status.revision_status(2)
        assert (found.state, found.connected, found.total, found.synced, [p.name for p in found.proxies]) == (
            "pending",
            3,
            2,
            0,
            ["a", "b"],
        )
        a.answer(2)
        write(a)
        assert (status.revision_status(2).state, status.revision_status(2).synced) == ("pending", 1)
        b.answer(2)
        write(b)
        found = status.revision_status(2)
        assert (found.state, found.total, found.synced, [p.state for p in found.proxies]) == ("programmed", 2, 2, ["SYNCED", "SYNCED"])
        assert {p.name: p.synced_revision for p in status.proxies()} == {"a": 2, "b": 2, "c": 2}

    def test_a_refusal_fails_the_revision_and_not_those_before_and_after_it(self):
        a = link("a", x="1", y="1")
        connected(a)
        a.link.offer(resources(x="2", y="1"), 2)
        a.answer(2, cds="no")
        write(a, revision=2)
        found = status.revision_status(2)
        assert (found.state, found.nacked, found.proxies[0].error) == ("failed", 1, "cds: no")
        assert status.revision_status(1).state == "programmed"
        write(revision=3)
        assert status.revision_status(3).state == "programmed"

    def test_who_is_not_connected_is_not_waited_for(self):
        a = link("a", x="1")
        connected(a)
        a.link.offer(resources(x="2"), 2)
        write(a, revision=2)
        batch = records.Batch()
        batch.put_gone("default/a", timezone.now(), goodbye=False)
        records.write(HUB, batch, timezone.now())
        assert status.revision_status(2).state == "programmed"

    def test_without_any_hub_nothing_is_waited_for(self):
        HubRecord.objects.all().delete()
        assert status.revision_status(5).state == "programmed"


def test_what_a_proxy_goes_without_is_in_its_status_and_among_the_findings():
    fake = link("a", x="1")
    connected(fake)
    fake.link.unbound = {"127.0.0.1_3306": "Address already in use"}
    write(fake)
    (shown,) = status.proxies()
    assert shown.state == "SYNCED" and shown.warning == "cannot listen at 127.0.0.1:3306 (Address already in use)"
    entry, _ = parse("""
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {name: db, namespace: default}
        spec: {hosts: [db.example.com], ports: [{number: 80, name: http, protocol: HTTP}, {number: 3306, name: mysql, protocol: MYSQL}]}
    """)
    (finding,) = unbound.findings(entry)
    assert (finding.code, finding.path) == ("MSH0152", "spec.ports[1].number") and "default/a: Address already in use" in finding.text


class TestWriting:
    def test_a_thousand_acks_are_a_few_queries(self, django_assert_max_num_queries):
        fakes = [link(f"p{i}", x="1") for i in range(1000)]
        with django_assert_max_num_queries(50):
            connected(*fakes)
        for fake in fakes:
            fake.link.offer(resources(x="2"), 2)
            fake.answer(2)
        with django_assert_max_num_queries(10):
            write(*fakes, revision=2)
        found = status.revision_status(2)
        assert (found.state, found.synced, len(found.proxies)) == ("programmed", 1000, status.SHOWN)

    def test_what_could_not_be_written_goes_with_what_came_later(self):
        a, b = link("a", x="1"), link("b", x="1")
        failed = records.Batch(3)
        failed.put_whole(records.row(a.link, HUB))
        failed.put_whole(records.row(b.link, HUB))
        later = records.Batch(2)
        later.put_gone("default/a", timezone.now(), goodbye=False)
        both = failed.before(later)
        records.write(HUB, both, timezone.now())
        assert (
            dict(ProxyRecord.objects.values_list("pk", "connected")) == {"default/a": False, "default/b": True}
            and HubRecord.objects.get().revision == 3
        )

    def test_an_old_connections_end_does_not_end_the_new_one_elsewhere(self):
        a = link("a", x="1")
        connected(a)
        ProxyRecord.objects.update(hub="h2")
        batch = records.Batch()
        batch.put_gone("default/a", timezone.now(), goodbye=False)
        records.write(HUB, batch, timezone.now())
        assert ProxyRecord.objects.get().connected

    def test_a_vanished_agent_is_lost_and_one_that_said_goodbye_is_not(self):
        for name in ("a", "b"):
            agents.hello(Workload("default", name), timezone.now())
        connected(link("a", x="1"), link("b", x="1"))
        batch = records.Batch()
        batch.put_gone("default/a", timezone.now(), goodbye=False)
        batch.put_gone("default/b", timezone.now(), goodbye=True)
        records.write(HUB, batch, timezone.now())
        assert list(WorkloadRecord.objects.exclude(lost=None).values_list("name", flat=True)) == ["a"]
        connected(link("a", x="1"))
        assert not WorkloadRecord.objects.exclude(lost=None).exists()

    def test_whoever_came_and_went_between_two_writes_is_lost(self):
        agents.hello(Workload("default", "a"), timezone.now())
        batch = records.Batch()
        batch.put_whole(records.row(link("a", x="1").link, HUB))
        batch.put_gone("default/a", timezone.now(), goodbye=False)
        records.write(HUB, batch, timezone.now())
        assert not ProxyRecord.objects.get().connected and WorkloadRecord.objects.exclude(lost=None).count() == 1

    def test_whoever_went_and_came_between_two_writes_is_here(self):
        connected(a := link("a", x="1"))
        batch = records.Batch()
        batch.put_gone("default/a", timezone.now(), goodbye=False)
        batch.put_whole(records.row(a.link, HUB))
        records.write(HUB, batch, timezone.now())
        assert ProxyRecord.objects.get().connected


class TestProxies:
    def test_one_that_never_answered_and_went_has_never_connected(self):
        a = link("a")
        a.link.offer(resources(x="1"), 1)
        connected(a)
        assert status.proxy("default/a").state == "STALE"
        ProxyRecord.objects.update(connected=False, hub="")
        assert status.proxy("default/a").state == "NEVER_CONNECTED"

    def test_of_one_that_is_away_nobody_says_that_it_is_in_sync(self):
        connected(link("a", x="1"))
        assert status.proxy("default/a").state == "SYNCED"
        ProxyRecord.objects.update(connected=False, hub="")
        assert status.proxy("default/a").state == "STALE" and status.proxy("default/a").types["cds"].state == "STALE"

    def test_what_no_database_takes_does_not_keep_others_from_being_written(self):
        bad = link("a")
        bad.link.facts = dataclasses.replace(bad.link.facts, agent_version="1\0", bundle="\0" * 40)
        bad.link.envoy = EnvoyState(False, reason="no\0")
        bad.link.ask(["a\0b", "fine"], ["outbound|80||a\0b"])
        bad.link.offer(resources(x="1"), 1)
        bad.answer(1, cds="not\0this")
        connected(bad, link("b", x="1"))
        assert [(p.id, p.agent_version, p.hosts) for p in ProxyRecord.objects.all()] == [
            ("default/a", "1", ["fine"]),
            ("default/b", "1", []),
        ]
        assert not any("\0" in str(value) for value in ProxyRecord.objects.filter(pk="default/a").values_list()[0])

    def test_its_envoy_and_namespaces_are_told(self):
        a = link("a", x="1")
        a.link.envoy = EnvoyState(False, 2, "died")
        connected(a)
        (found,) = status.proxies("default")
        assert (found.envoy_running, found.envoy_restarts, found.envoy_reason) == (False, 2, "died")
        assert status.proxies("other") == [] == status.proxies(namespaces=["x"]) and status.proxy("default/none") is None

    def test_only_the_refused_type_is_refused(self):
        a = link("a", x="1")
        connected(a)
        a.link.offer(resources(x="2"), 2)
        a.answer(2, lds="port in use")
        write(a)
        types = status.proxy("default/a").types
        assert (types["cds"].state, types["lds"].state, types["lds"].error) == ("SYNCED", "NACKED", "port in use")

    def test_what_cannot_be_compiled_is_said(self):
        a = link("a", x="1")
        connected(a)
        a.link.compile_error = "could not be compiled: Oops"
        write(a)
        assert (status.proxy("default/a").state, status.proxy("default/a").error) == ("STALE", "could not be compiled: Oops")


class TestBeats:
    def later(self, seconds: float) -> datetime.datetime:
        return timezone.now() + datetime.timedelta(seconds=seconds)

    def test_a_dead_hubs_proxies_are_not_connected_and_their_workloads_lost(self):
        agents.hello(Workload("default", "a"), timezone.now())
        connected(link("a", x="1"))
        beats.begin("h2", self.later(30))
        assert not HubRecord.objects.filter(pk=HUB).exists() and not ProxyRecord.objects.get().connected
        assert WorkloadRecord.objects.exclude(lost=None).count() == 1

    def test_a_living_hub_is_left_alone(self):
        connected(link("a", x="1"))
        beats.begin("h2", self.later(5))
        assert ProxyRecord.objects.get().connected and set(beats.alive(self.later(5))) == {HUB, "h2"}

    def test_a_hub_whose_hosts_clock_is_wrong_neither_dies_of_it_nor_buries_others(self, monkeypatch):
        connected(link("a", x="1"))
        beats.begin("h2")
        if connection.vendor == "postgresql":  # SQLite's database is on the one host whose clock this is
            monkeypatch.setattr(timezone, "now", lambda: datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=5))
        beats.beat("h2", 3)
        assert set(beats.alive()) == {HUB, "h2"} and ProxyRecord.objects.get().connected
        assert abs(clock.now() - datetime.datetime.now(datetime.UTC)) < datetime.timedelta(seconds=2)
        assert abs(HubRecord.objects.get(pk="h2").beat - datetime.datetime.now(datetime.UTC)) < datetime.timedelta(seconds=2)

    def test_a_hub_whose_process_is_gone_from_this_machine_is_dead_at_once(self):
        HubRecord.objects.update(place=beats.place(), pid=2**22 + 1)
        connected(link("a", x="1"))
        beats.begin("h2", self.later(0))
        assert not ProxyRecord.objects.get().connected

    def test_a_hub_that_others_gave_up_comes_back_to_life(self):
        HubRecord.objects.all().delete()
        beats.beat(HUB, 7, timezone.now())
        assert beats.alive(timezone.now()) == {HUB: 7}

    def test_agents_of_a_hub_that_was_given_up_and_lives_are_claimed_again_before_their_endpoints_go(self):
        agents.hello(Workload("default", "a"), timezone.now())
        here, moved = link("a", x="1"), link("b", x="1")
        connected(here, moved)
        assert owning.disowned(HUB, ["default/a", "default/b"]) == []
        beats.begin("h2", self.later(30))  # it takes us for dead
        ProxyRecord.objects.filter(pk="default/b").update(hub="h2", connected=True)
        beats.beat(HUB, 7, timezone.now())
        assert owning.disowned(HUB, ["default/a", "default/b", "default/new"]) == ["default/a", "default/new"]
        connected(here)
        assert ProxyRecord.objects.get(pk="default/a").hub == HUB and not WorkloadRecord.objects.exclude(lost=None).exists()

    def test_a_goodbye_that_is_late_does_not_take_out_who_is_connected_elsewhere(self):
        agents.hello(Workload("default", "a"), timezone.now())
        connected(link("a", x="1"))
        enrolment.goodbye(("default", "a"), "h2", timezone.now())
        assert WorkloadRecord.objects.exists()
        enrolment.goodbye(("default", "a"), HUB, timezone.now())
        assert not WorkloadRecord.objects.exists()

    def test_a_member_of_a_group_that_comes_back_late_in_its_grace_keeps_it(self):
        member = Workload("default", "a", group="vms")
        agents.hello(member, timezone.now(), said=member)
        registry.lose([("default", "a")], self.later(-9))
        agents.hello(member, timezone.now(), said=member)
        assert registry.expire(self.later(2), 100) == []

    def test_what_was_lost_while_the_console_was_up_goes_after_the_grace(self, settings):
        settings.ENDPOINT_GRACE = 100
        agents.hello(Workload("default", "a"), timezone.now())
        beats.beat(HUB, 0, self.later(0))
        registry.lose([("default", "a")], self.later(0))
        for second in range(30, 121, 30):
            HubRecord.objects.update(beat=self.later(second))
            beats.beat(HUB, 0, self.later(second))
        assert not WorkloadRecord.objects.exists()

    def test_what_was_lost_while_no_console_was_up_gets_its_grace_anew(self, settings):
        settings.ENDPOINT_GRACE = 100
        agents.hello(Workload("default", "a"), timezone.now())
        registry.lose([("default", "a")], self.later(0))
        HubRecord.objects.all().delete()
        beats.begin("h2", self.later(1000))
        beats.beat("h2", 0, self.later(1050))
        assert WorkloadRecord.objects.exists()
        beats.beat("h2", 0, self.later(1101))
        assert not WorkloadRecord.objects.exists()
