import itertools
import math
import threading

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telemetry import ingest, query
from telemetry.models import BUCKETS, TABLES, AgentCursor, Hour, Minute, Series, TenSeconds
from telemetry.rollup import Resolution
from telemetry.samples import Batch, Counter, Histogram, encode
from telemetry.series import Dictionary

from .traffic import NOW, batch, labels, requests

PROXY = "default/a-v1"
another = itertools.count()
"""Examples share a database: each has a proxy of its own."""


def counted() -> int:
    return sum(TenSeconds.objects.values_list("requests", flat=True))


@pytest.mark.django_db
class TestEachBatchOnce:
    def test_a_repeated_batch_is_counted_once_and_answered_with_its_seq(self):
        body = batch(requests("a-v1", "b-v1", 10))
        assert [ingest.store(PROXY, "e1", 1, body, now=NOW) for _ in range(3)] == [1, 1, 1]
        assert counted() == 10

    def test_an_older_seq_changes_nothing_and_is_answered_with_the_newest(self):
        ingest.store(PROXY, "e1", 5, batch(requests("a-v1", "b-v1", 10)), now=NOW)
        assert ingest.store(PROXY, "e1", 4, batch(requests("a-v1", "b-v1", 3)), now=NOW) == 5
        assert counted() == 10

    def test_a_gap_is_accepted(self):
        ingest.store(PROXY, "e1", 1, batch(requests("a-v1", "b-v1", 1)), now=NOW)
        assert ingest.store(PROXY, "e1", 9, batch(requests("a-v1", "b-v1", 2)), now=NOW) == 9
        assert counted() == 3

    def test_a_restarted_agent_counts_from_the_start_of_its_new_epoch(self):
        ingest.store(PROXY, "e1", 7, batch(requests("a-v1", "b-v1", 1)), now=NOW)
        assert ingest.store(PROXY, "e2", 1, batch(requests("a-v1", "b-v1", 2)), now=NOW) == 1
        assert ingest.store(PROXY, "e1", 7, batch(requests("a-v1", "b-v1", 1)), now=NOW) == 7
        assert counted() == 3

    def test_two_proxies_have_cursors_of_their_own(self):
        for proxy in ("default/a-v1", "default/c-v1"):
            ingest.store(proxy, "e1", 1, batch(requests("a-v1", "b-v1", 1)), now=NOW)
        assert counted() == 2

    def test_an_empty_batch_moves_the_cursor(self):
        assert ingest.store(PROXY, "e1", 3, batch(), now=NOW) == 3
        assert AgentCursor.objects.get(proxy_id=PROXY).seq == 3

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(st.integers(0, 12), max_size=40))
    def test_any_order_of_repeats_counts_each_accepted_seq_once(self, offered: list[int]):
        proxy = f"default/p{next(another)}"
        highest, expected = -1, 0
        for seq in offered:
            answer = ingest.store(proxy, "e", seq, batch(requests("a-v1", "b-v1", 2**seq)), now=NOW)
            if seq > highest:
                highest, expected = seq, expected + 2**seq
            assert answer == highest
        own = list(Series.objects.filter(proxy_id=proxy).values_list("id", flat=True))
        assert sum(TenSeconds.objects.filter(series__in=own).values_list("requests", flat=True)) == expected


@pytest.mark.django_db(transaction=True)
def test_two_threads_offering_the_same_batches_count_each_once():
    bodies = [(seq, batch(requests("a-v1", "b-v1", 1), end=NOW + seq)) for seq in range(30)]
    failures: list[BaseException] = []

    def offer():
        try:
            for seq, body in bodies:
                ingest.store(PROXY, "e1", seq, body, now=NOW + 60)
        except BaseException as e:
            failures.append(e)
        finally:
            connection.close()

    threads = [threading.Thread(target=offer) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert counted() == 30
    assert Series.objects.count() == 1


@pytest.mark.django_db
class TestNothingOfABadBatch:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"\xc1",
            b"not msgpack",
            batch(requests("a-v1", "b-v1", 1))[:-3],
            encode(Batch(0, math.nan)),
            encode(Batch(0, math.inf)),
            encode(Batch(-5, 5)),
            encode(Batch(1, 2, (Counter("istio_requests_total", labels("a", "b"), -1),))),
            encode(Batch(1, 2, (Counter("istio_requests_total", labels("a", "b"), math.nan),))),
            encode(Batch(1, 2, (Counter("istio_requests_total", labels("a", "b"), 1e300),))),
            encode(Batch(1, 2, (), (Histogram("istio_request_duration_milliseconds", labels("a", "b"), (1, 2), 1, 3),))),
            encode(Batch(1, 2, (), (Histogram("istio_request_duration_milliseconds", labels("a", "b"), (-1,) * 20, 1, 3),))),
            encode(Batch(1, 2, (), (Histogram("istio_request_bytes", labels("a", "b"), (1,) * 20, math.inf, 3),))),
        ],
    )
    def test_it_is_refused_in_words_and_nothing_is_stored(self, body: bytes):
        with pytest.raises(ingest.Malformed) as e:
            ingest.store(PROXY, "e1", 1, body, now=NOW)
        assert str(e.value)
        assert not AgentCursor.objects.exists() and not Series.objects.exists() and not TenSeconds.objects.exists()

    @pytest.mark.parametrize(("proxy", "epoch", "seq"), [("", "e", 1), (PROXY, "", 1), (PROXY, "e" * 65, 1), (PROXY, "e", -1)])
    def test_a_cursor_that_cannot_be_is_refused(self, proxy: str, epoch: str, seq: int):
        with pytest.raises(ingest.Malformed):
            ingest.store(proxy, epoch, seq, batch(), now=NOW)

    def test_a_good_batch_is_still_counted_under_the_same_seq(self):
        with pytest.raises(ingest.Malformed):
            ingest.store(PROXY, "e1", 1, b"\xc1", now=NOW)
        assert ingest.store(PROXY, "e1", 1, batch(requests("a-v1", "b-v1", 4)), now=NOW) == 1
        assert counted() == 4


@pytest.mark.django_db
class TestWindows:
    def test_a_batch_lies_in_the_window_in_which_it_ends(self):
        ingest.store(PROXY, "e1", 1, batch(requests("a-v1", "b-v1", 1), end=1_800_000_010.0), now=NOW + 60)
        ingest.store(PROXY, "e1", 2, batch(requests("a-v1", "b-v1", 2), end=1_800_000_010.1), now=NOW + 60)
        assert dict(TenSeconds.objects.values_list("window", "requests")) == {1_800_000_000: 1, 1_800_000_010: 2}

    def test_a_clock_that_is_ahead_is_brought_back_to_ours(self):
        ingest.store(PROXY, "e1", 1, batch(requests("a-v1", "b-v1", 1), end=NOW + 86400), now=NOW)
        assert TenSeconds.objects.get().window <= NOW + ingest.FUTURE

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.lists(
            st.tuples(st.integers(0, 9000), st.sampled_from(["b-v1", "b-v2", "c"]), st.integers(1, 10**6), st.integers(0, 10**5)),
            max_size=30,
        ),
    )
    def test_minutes_and_hours_are_the_sums_of_their_windows(self, traffic: list[tuple[int, str, int, int]]):
        proxy = f"default/p{next(another)}"
        for seq, (offset, callee, n, ms) in enumerate(traffic):
            part = requests("a-v1", callee, n % 50 + 1, float(ms))
            part[0][0] = Counter("istio_requests_total", part[0][0].labels, n)
            ingest.store(proxy, "e", seq, batch(part, end=NOW + offset), now=NOW + 9000)
        own = list(Series.objects.filter(proxy_id=proxy).values_list("id", flat=True))
        columns = ("requests", "duration", "request_bytes", "response_bytes", *BUCKETS)

        def sums(model, size: int) -> dict:
            result: dict = {}
            for window, series, *values in model.objects.filter(series__in=own).values_list("window", "series", *columns):
                key = (window // size, series)
                result[key] = [a + b for a, b in zip(result.get(key, [0] * len(columns)), values, strict=True)]
            return result

        assert sums(TenSeconds, 60) == sums(Minute, 60)
        assert sums(TenSeconds, 3600) == sums(Minute, 3600) == sums(Hour, 3600)
        assert sum(row[0] for row in sums(Hour, 3600).values()) == sum(n for _, _, n, _ in traffic)


@pytest.mark.django_db(transaction=True)
class TestBounds:
    def test_label_values_are_cut_to_a_length(self):
        ingest.store(PROXY, "e1", 1, batch(requests("a-v1", "b-v1", 1, code="x" * 10_000)), now=NOW)
        assert max(len(v) for v in Series.objects.get().key) == 256

    def test_beyond_the_limit_requests_are_counted_under_overflow(self, monkeypatch):
        monkeypatch.setattr(ingest, "_dictionary", Dictionary(limit=5))
        for seq in range(4):
            parts = [requests("a-v1", f"b{i}-v1", 1) for i in range(seq * 5, seq * 5 + 5)]
            ingest.store(PROXY, "e1", seq, batch(*parts), now=NOW)
        assert Series.objects.count() == 6
        assert counted() == 20
        lost = [e for e in query.edges(NOW - 60, NOW, now=NOW) if e.destination.workload == "overflow"]
        assert [e.requests for e in lost] == [15]
        assert lost[0].source.workload == "a-v1"

    def test_the_limit_is_one_proxys_own(self, monkeypatch):
        monkeypatch.setattr(ingest, "_dictionary", Dictionary(limit=2))
        for proxy in ("default/x", "default/y"):
            ingest.store(proxy, "e1", 1, batch(requests("a-v1", "b-v1", 1), requests("a-v1", "c-v1", 1)), now=NOW)
        assert Series.objects.count() == 4

    def test_metrics_that_this_console_does_not_keep_are_left_out(self):
        body = encode(Batch(NOW - 5, NOW, (Counter("istio_future_total", labels("a", "b"), 5),)))
        assert ingest.store(PROXY, "e1", 1, body, now=NOW) == 1
        assert not Series.objects.exists()

    def test_a_rolled_back_batch_leaves_no_number_behind(self):
        from django.db import transaction

        with pytest.raises(ZeroDivisionError), transaction.atomic():
            ingest.store(PROXY, "e1", 1, batch(requests("a-v1", "b-v1", 1)), now=NOW)
            raise ZeroDivisionError
        ingest.store(PROXY, "e1", 1, batch(requests("a-v1", "b-v1", 1)), now=NOW)
        assert set(TenSeconds.objects.values_list("series", flat=True)) == set(Series.objects.values_list("id", flat=True))


@pytest.mark.django_db
def test_other_bounds_are_brought_into_ours():
    of = labels("a-v1", "b-v1")
    body = encode(Batch(NOW - 5, NOW, (), (Histogram("istio_request_duration_milliseconds", of, (3, 2, 1), 60.0, 6),), bounds=(7.0, 20.0)))
    ingest.store(PROXY, "e1", 1, body, now=NOW)
    row = TenSeconds.objects.get()
    assert [getattr(row, b) for b in BUCKETS] == [0, 0, 0, 3, 2, *[0] * 14, 1]


def test_every_resolution_has_its_table():
    assert set(TABLES) == set(Resolution)
