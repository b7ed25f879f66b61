import itertools

import pytest

from telemetry import ingest, query
from telemetry.models import Minute, Series, TenSeconds
from telemetry.rollup import snap, tiles
from telemetry.stores import embedded
from telemetry.tasks import delete_expired

from .traffic import HOST, NOW, batch, requests

sequence = itertools.count()
START = 1_800_000_000 - 30 * 86400


def store(*parts, end: float = NOW, proxy: str = "default/a-v1", seconds: float = 5.0, now: float = NOW) -> None:
    ingest.store(proxy, "e", next(sequence), batch(*parts, end=end, seconds=seconds), now=now)


@pytest.mark.django_db
class TestEdges:
    def test_an_edge_carries_what_its_batches_said(self):
        store(requests("a-v1", "b-v1", 90, 7.0), requests("a-v1", "b-v1", 10, 40.0, code="503"))
        store(requests("a-v1", "b-v1", 98, reporter="destination"), proxy="default/b-v1")
        (edge,) = query.edges(NOW - 60, NOW, now=NOW)
        assert (edge.source.workload, edge.destination.workload, edge.service) == ("a-v1", "b-v1", HOST.format("b"))
        assert (edge.requests, edge.error_share, edge.mtls_share) == (100, 0.1, 1.0)
        assert edge.request_bytes == 30_000 and edge.response_bytes == 120_000
        assert edge.p50 is not None and 5 < edge.p50 < 10 and edge.p99 is not None and 25 < edge.p99 <= 50
        assert all(type(n) is int for n in (*edge.buckets, edge.requests, edge.request_bytes))

    def test_a_steady_rate_is_the_same_at_any_moment_of_a_window(self):
        for i in range(40):
            store(requests("a-v1", "b-v1", 50), end=NOW + 5 * i, now=NOW + 5 * i)
        for later in (0.5, 3, 5.5, 7, 9.9):
            now = NOW + 195 + later - 5
            (edge,) = query.edges(now - 60, now, now=now)
            assert edge.rate == pytest.approx(10, rel=0.09)  # one batch of 5 s in 60 may be on its way

    def test_only_what_touches_the_namespaces_is_given(self):
        store(requests("a-v1", "b-v1", 1))
        far = {"source_workload_namespace": "x", "destination_workload_namespace": "y", "destination_service_namespace": "y"}
        store(requests("c-v1", "d-v1", 1, **far), proxy="x/c-v1")
        assert {e.source.workload for e in query.edges(NOW - 60, NOW, {"default"}, now=NOW)} == {"a-v1"}
        assert {e.source.workload for e in query.edges(NOW - 60, NOW, {"y"}, now=NOW)} == {"c-v1"}
        assert query.edges(NOW - 60, NOW, set(), now=NOW) == []
        assert len(query.edges(NOW - 60, NOW, now=NOW)) == 2

    def test_any_window_up_to_thirty_days_counts_every_request_once(self):
        ends = [START + 17 + i * 3601.7 for i in range(700)]
        for i, end in enumerate(ends):
            store(requests("a-v1", "b-v1", 1 + i % 3), end=end, now=end)
        now = ends[-1] + 3
        for seconds in (60, 3600, 5000, 86400, 100_000, 7 * 86400, 30 * 86400):
            start = now - seconds
            found = sum(e.requests for e in query.edges(start, now, now=now))
            first, _ = snap(start, now, now)
            assert found == sum(1 + i % 3 for i, end in enumerate(ends) if end > first)

    def test_a_moment_in_the_past_is_answered_from_what_is_kept(self):
        store(requests("a-v1", "b-v1", 7), end=NOW - 86400, now=NOW - 86400)
        store(requests("a-v1", "b-v1", 5), end=NOW, now=NOW)
        delete_expired(NOW)
        (edge,) = query.edges(NOW - 86400 - 60, NOW - 86400 + 10, now=NOW)
        assert edge.requests == 7


@pytest.mark.django_db
def test_a_summary_spells_an_edge_out():
    store(requests("a-v1", "b-v1", 90, 7.0), requests("a-v1", "b-v1", 10, 40.0, code="503", response_flags="UF"))
    (found,) = query.summaries(NOW - 60, NOW, now=NOW)
    assert (found.source.workload, found.destination.app, found.service_name) == ("a-v1", "b", "b")
    assert (found.requests, found.error_share, found.codes, found.flags) == (100, 0.1, {"200": 90, "503": 10}, {"UF": 10})
    assert found.p50 == query.edges(NOW - 60, NOW, now=NOW)[0].p50
    assert found.mean == 10.3


@pytest.mark.django_db
class TestGolden:
    def test_of_one_service(self):
        store(requests("a-v1", "b-v1", 90), requests("a-v1", "b-v2", 10, code="500"), requests("a-v1", "c-v1", 5))
        golden = query.golden(NOW - 60, NOW, service=HOST.format("b"), now=NOW)
        assert (golden.requests, golden.error_share, golden.errors_5xx) == (100, 0.1, 0.1)

    def test_of_a_workload_in_and_out(self):
        store(requests("a-v1", "b-v1", 90))
        store(requests("b-v1", "c-v1", 7), proxy="default/b-v1")
        assert query.golden(NOW - 60, NOW, workload="default/b-v1", now=NOW).requests == 90
        assert query.golden(NOW - 60, NOW, workload="default/b-v1", direction="outbound", now=NOW).requests == 7
        assert query.golden(NOW - 60, NOW, namespace="default", now=NOW).requests == 97
        assert query.golden(NOW - 60, NOW, now=NOW).requests == 97

    def test_of_all_at_once(self):
        store(requests("a-v1", "b-v1", 90), requests("a-v1", "unknown", 3, service="b", code="503"))
        by_service = query.goldens(NOW - 60, NOW, "service", now=NOW)
        assert {s: g.requests for s, g in by_service.items()} == {HOST.format("b"): 93}
        assert list(query.goldens(NOW - 60, NOW, "workload", now=NOW)) == ["default/b-v1"]
        assert list(query.goldens(NOW - 60, NOW, "app", direction="outbound", now=NOW)) == ["default/a"]

    def test_of_what_had_no_traffic(self):
        golden = query.golden(NOW - 60, NOW, service="nobody", now=NOW)
        assert (golden.rate, golden.p99, golden.mtls_share) == (0, None, None)


@pytest.mark.django_db
class TestSeries:
    def test_a_rate_per_second_in_each_step(self):
        for i in range(12):
            store(requests("a-v1", "b-v1", 10 * (1 + i // 6)), end=1_800_000_000 + 10 * i + 9, now=NOW + 300)
        (line,) = query.series("requests", 1_800_000_000, 1_800_000_120, 60, now=NOW + 300)
        assert line.points == ((1_800_000_000, 1.0), (1_800_000_060, 2.0))

    def test_lines_are_split_by_labels_and_narrowed_by_them(self):
        store(requests("a-v1", "b-v1", 10), requests("a-v1", "b-v2", 20), requests("a-v1", "c-v1", 40))
        lines = query.series(
            "requests", NOW - 65, NOW + 5, 10, ["destination_workload"], {"destination_canonical_service": "b"}, now=NOW + 60
        )
        totals = {line.labels["destination_workload"]: sum(v or 0 for _, v in line.points) for line in lines}
        assert totals == {"b-v1": 1.0, "b-v2": 2.0}

    def test_what_both_ends_report_is_one_line_unless_the_reporter_is_asked_for(self):
        store(requests("a-v1", "b-v1", 10))
        store(requests("a-v1", "b-v1", 10, reporter="destination"), proxy="default/b-v1")
        (line,) = query.series("requests", NOW - 5, NOW + 5, 10, now=NOW + 60)
        assert line.points == ((1_800_000_000, 1.0),)
        both = query.series("requests", NOW - 5, NOW + 5, 10, ["reporter"], now=NOW + 60)
        assert [line.labels["reporter"] for line in both] == ["destination", "source"]

    def test_percentiles_and_shares_are_none_where_nothing_was_asked(self):
        store(requests("a-v1", "b-v1", 10, 7.0, code="500"))
        (line,) = query.series("p50", NOW - 15, NOW + 5, 10, now=NOW + 60)
        assert line.points == ((1_799_999_990, None), (1_800_000_000, 7.5))
        (line,) = query.series("error_share", NOW - 15, NOW + 5, 10, now=NOW + 60)
        assert line.points == ((1_799_999_990, None), (1_800_000_000, 1.0))

    def test_without_any_series_there_is_one_line_of_nothing(self):
        (line,) = query.series("requests", NOW - 65, NOW, 60, where={"destination_workload": "nobody"}, now=NOW)
        assert {v for _, v in line.points} == {0.0}

    def test_a_step_finer_than_what_is_kept_grows_to_it(self):
        store(requests("a-v1", "b-v1", 60), end=NOW - 86400, now=NOW - 86400)
        delete_expired(NOW)
        (line,) = query.series("requests", NOW - 86400 - 120, NOW - 86400 + 120, 10, now=NOW)
        assert {b[0] - a[0] for a, b in zip(line.points, line.points[1:], strict=False)} == {60}
        assert sum((v or 0) * 60 for _, v in line.points) == pytest.approx(60)

    def test_many_windows_of_few_series_and_few_windows_of_many_give_the_same(self, monkeypatch):
        for i in range(30):
            store(requests("a-v1", f"b{i % 5}-v1", 10), end=NOW + 10 * i, now=NOW + 400)
        asked = ("requests", NOW - 60, NOW + 300, 30, ["destination_workload"])
        sought = query.series(*asked, now=NOW + 400)
        monkeypatch.setattr("telemetry.stores.embedded.SEEK", 0)
        assert query.series(*asked, now=NOW + 400) == sought

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"metric": "speed"}, "metric is 'speed'"),
            ({"by": ["colour"]}, "colour: no label"),
            ({"where": {"colour": "red"}}, "colour: no label"),
            ({"step": 7}, "multiple of 10"),
            ({"end": NOW - 100}, "ends"),
        ],
    )
    def test_what_cannot_be_asked_is_refused_in_words(self, change: dict, words: str):
        with pytest.raises(ValueError, match=words):
            query.series(**({"metric": "requests", "start": NOW - 60, "end": NOW, "step": 10} | change), now=NOW)


@pytest.mark.django_db
class TestRetention:
    def test_each_resolution_is_kept_for_its_time(self):
        for hours in (0, 1, 3, 47, 49, 24 * 91):
            store(requests("a-v1", "b-v1", 1), end=NOW - 3600 * hours, now=NOW - 3600 * hours)
        deleted = delete_expired(NOW)
        assert TenSeconds.objects.count() == 2
        assert Minute.objects.count() == 4
        assert deleted["hour"] == 1
        assert delete_expired(NOW) == dict.fromkeys(deleted, 0)

    def test_the_series_of_gone_workloads_expire_and_may_come_back(self):
        from telemetry.models import AgentCursor, Series

        store(requests("a-v1", "b-v1", 1), end=NOW - 95 * 86400, now=NOW - 95 * 86400)
        delete_expired(NOW)
        assert not Series.objects.exists() and not AgentCursor.objects.exists()
        store(requests("a-v1", "b-v1", 4))
        assert [e.requests for e in query.edges(NOW - 60, NOW, now=NOW)] == [4]


@pytest.mark.django_db(transaction=True)
def test_a_series_that_expired_while_this_process_remembers_it_is_made_anew():
    store(requests("a-v1", "b-v1", 1), end=NOW - 95 * 86400, now=NOW - 95 * 86400)
    delete_expired(NOW)
    store(requests("a-v1", "b-v1", 4))
    assert [e.requests for e in query.edges(NOW - 60, NOW, now=NOW)] == [4]


@pytest.mark.django_db
def test_a_long_deletion_goes_in_short_transactions(monkeypatch):
    monkeypatch.setattr("telemetry.tasks.CHUNK", 3)
    for i in range(20):
        store(requests("a-v1", "b-v1", 1), requests("a-v1", "c-v1", 1), end=NOW - 20_000 + 10 * i, now=NOW - 15_000)
    assert delete_expired(NOW)["ten_seconds"] == 40


@pytest.mark.django_db
def test_a_chart_over_more_series_than_a_statement_can_name_is_drawn():
    """SQLite reads no statement above a megabyte: the numbers of 100,000 series, once per tile, are more."""
    store(requests("a-v1", "b-v1", 60))
    number = Series.objects.get().pk
    many = [*range(number, number + 150_000)]
    parts = tiles(int(NOW) - 3600, int(NOW) + 10, NOW)
    assert len(embedded._stepped(parts, 60, many)) == 1
    assert sum(row[2] for row in embedded._stepped(parts, 3600, many)) == 60
