import datetime

import pytest

from meshconsole.discovery import registry, signals
from meshconsole.discovery.models import Head, WorkloadRecord
from meshconsole.discovery.platforms import agents
from proxyagent.protocol import Health, Workload, WorkloadPort

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
NAME = ("default", "reviews-v1")


def minutes(n: float) -> datetime.datetime:
    return NOW + datetime.timedelta(minutes=n)


def spec(name: str = "reviews-v1", **fields) -> Workload:
    return Workload("default", name, **({"services": ("reviews",), "ports": (WorkloadPort(9080, "http"),)} | fields))


@pytest.fixture
def news():
    heard: list[int] = []

    def listen(number: int, **_: object) -> None:
        heard.append(number)

    signals.changed.connect(listen)
    yield heard
    signals.changed.disconnect(listen)


class TestRegistering:
    def test_a_new_workload_is_news_and_the_same_again_is_not(self, news):
        assert agents.hello(spec(), NOW) and not agents.hello(spec(), minutes(1))
        assert news == [registry.number()]

    def test_a_changed_one_is_news_and_keeps_its_age(self, news):
        agents.hello(spec(), NOW)
        assert agents.hello(spec(labels={"version": "v2"}), minutes(1))
        (found,) = registry.workloads()
        assert found.labels == {"version": "v2"} and found.created == "2026-03-01T00:00:00.000000Z" and len(news) == 2

    def test_another_identity_does_not_get_the_name(self):
        agents.hello(spec(service_account="a"), NOW)
        with pytest.raises(registry.Taken, match="service account a"):
            agents.hello(spec(service_account="b"), NOW)

    def test_after_a_goodbye_it_does(self, news):
        agents.hello(spec(service_account="a"), NOW)
        assert agents.goodbye(NAME) and not agents.goodbye(NAME)
        agents.hello(spec(service_account="b"), NOW)
        assert len(news) == 3

    def test_equal_names_in_two_namespaces_are_two_workloads(self):
        agents.hello(spec(), NOW)
        agents.hello(Workload("other", "reviews-v1", service_account="b"), NOW)
        assert [w.id for w in registry.workloads()] == ["default/reviews-v1", "other/reviews-v1"]

    @pytest.mark.parametrize(
        "wrong",
        [
            {"services": ("Reviews",)},
            {"services": tuple(f"s{i}" for i in range(65))},
            {"address": "10.0.0.1; rm"},
            {"address": "/tmp/socket"},
            {"ports": (WorkloadPort(70000),)},
            {"ports": (WorkloadPort(80), WorkloadPort(80))},
            {"ports": (WorkloadPort(80, app_address="localhost"),)},
            {"labels": {"a": "x" * 64}},
            {"labels": {"a b": "c"}},
            {"weight": -1},
            {"locality": "x" * 201},
            {"service_account": "a/../b"},
        ],
    )
    def test_what_cannot_be_is_refused_and_leaves_no_trace(self, wrong):
        with pytest.raises(registry.Refused):
            agents.hello(spec(**wrong), NOW)
        assert WorkloadRecord.objects.count() == 0


class TestReading:
    def test_unchanged_workloads_keep_their_identity(self):
        agents.hello(spec("a"), NOW)
        agents.hello(spec("b"), NOW)
        before = registry.workloads()
        agents.hello(spec("b", weight=2), NOW)
        after = registry.workloads()
        assert after[0] is before[0] and after[1] is not before[1]

    def test_reading_again_reads_no_rows(self, django_assert_num_queries):
        for i in range(5):
            agents.hello(spec(f"w{i}"), NOW)
        registry.workloads()
        with django_assert_num_queries(1):
            registry.workloads()

    def test_port_names_declare_their_protocol(self):
        names = ("http", "http2-x", "grpc-web-x", "grpc", "tcp-db", "https", "mystery", "")
        agents.hello(spec(ports=tuple(WorkloadPort(80 + i, name) for i, name in enumerate(names))), NOW)
        (found,) = registry.workloads()
        assert [str(p.protocol) for p in found.ports] == ["http", "http2", "grpc-web", "grpc", "tcp", "https", "", ""]

    def test_services_are_those_that_workloads_serve(self):
        agents.hello(spec("a"), NOW)
        agents.hello(spec("b"), NOW)
        (service,) = registry.services()
        assert service.host == "reviews.default.svc.cluster.local" and [e.workload for e in service.endpoints] == ["a", "b"]


class TestHealth:
    def test_a_change_is_news_and_a_repetition_is_not(self, news):
        agents.hello(spec(), NOW)
        assert agents.health(NAME, Health(False, "503"), NOW)
        assert not agents.health(NAME, Health(False, "still 503"), NOW)
        assert WorkloadRecord.objects.get().health_reason == "still 503" and not registry.workloads()[0].healthy
        assert agents.health(NAME, Health(True), NOW) and registry.workloads()[0].healthy
        assert len(news) == 3

    def test_of_what_is_not_registered_it_is_no_news(self, news):
        assert not agents.health(NAME, Health(False), NOW) and news == []


class TestGrace:
    def test_a_vanished_agents_workload_stays_for_the_grace(self, news):
        agents.hello(spec(), NOW)
        registry.lose([NAME], minutes(1))
        assert registry.expire(minutes(10), 600) == [] and registry.workloads()
        assert registry.expire(minutes(12), 600) == [NAME] and registry.workloads() == []
        assert len(news) == 2

    def test_who_comes_back_in_time_is_not_lost_any_more(self):
        agents.hello(spec(), NOW)
        registry.lose([NAME], minutes(1))
        agents.hello(spec(), minutes(9))
        assert registry.expire(minutes(60), 600) == []

    def test_who_comes_back_at_once_is_found_with_the_others(self):
        agents.hello(spec(), NOW)
        registry.lose([NAME], NOW)
        agents.hello(spec(), NOW)
        registry.found([NAME], NOW)
        assert registry.expire(minutes(60), 600) == []

    def test_losing_twice_does_not_lengthen_the_grace(self):
        agents.hello(spec(), NOW)
        registry.lose([NAME], minutes(1))
        registry.lose([NAME], minutes(10))
        assert registry.expire(minutes(12), 600) == [NAME]

    def test_after_an_outage_of_the_console_every_grace_begins_again(self):
        agents.hello(spec(), NOW)
        registry.lose([NAME], minutes(1))
        registry.pardon(minutes(100))
        assert registry.expire(minutes(109), 600) == [] and registry.expire(minutes(111), 600) == [NAME]


def test_every_change_has_a_number_of_its_own_that_is_never_given_again(news):
    for i in range(30):
        agents.hello(spec(f"w{i}"), NOW)
    assert news == sorted(set(news)) == sorted(WorkloadRecord.objects.values_list("version", flat=True))
    registry.workloads()
    Head.objects.update(number=5)  # a backup is restored
    WorkloadRecord.objects.all().delete()
    agents.hello(spec("after"), NOW)
    assert [w.name for w in registry.workloads()] == ["after"] and news[-1] > news[-2]
