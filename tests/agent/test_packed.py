"""What Envoy counts under one tag, taken apart (the real Envoy's side is in tests/journeys/test_counting.py)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshconsole.core.envoy import packed as written
from proxyagent.relay import counting, packed
from telemetry import exposition
from telemetry.samples import ISTIO_BOUNDS

OUT = "source|200|-||reviews-v1;default;reviews;v1;reviews;v1;reviews.default.svc.cluster.local;reviews;default|-"
IN = "destination|200|-|0|;;|spiffe://cluster.local/ns/default/sa/x|O=shop|stall,CN=x"


def series(name, text, value, **more):
    return exposition.series(f'{name}{{packed="{text}"' + "".join(f',{k}="{v}"' for k, v in more.items()) + "}") + (value,)


def duration(requests, text=OUT, *, slow=0):
    """`requests`, of which so many took over 10 s."""
    name = packed.DURATION
    buckets = [series(f"{name}_bucket", text, requests - (slow if b < 10000 else 0), le=f"{b:.10g}") for b in ISTIO_BOUNDS]
    return [
        *buckets,
        series(f"{name}_bucket", text, requests, le="+Inf"),
        series(f"{name}_sum", text, 7.5),
        series(f"{name}_count", text, requests),
    ]


def found(figures, name):
    return {labels.get("le", ""): value for each, labels, value in packed.taken_apart(figures) if each == name}


def test_both_sides_agree_on_the_tags():
    theirs, ours = ((m.TAG, m.UNSIZED, m.FIELDS, m.UNANSWERED) for m in (written, packed))
    assert theirs == ours and written.SEPARATOR == "|"


def test_the_tags_are_told_apart_and_what_others_wrote_may_hold_the_separator():
    assert packed.tags(OUT) == {
        "reporter": "source",
        "request_protocol": "http",
        "response_code": "200",
        "response_flags": "-",
        "service": "reviews.default.svc.cluster.local;reviews;default",
        "peer": "reviews-v1;default;reviews;v1;reviews;v1",
        "peer_principal": "-",
    }
    assert packed.tags(IN)["peer_subject"] == "O=shop|stall,CN=x" and packed.tags(IN)["grpc_response_status"] == "0"


def test_where_no_workload_answered_the_service_stands_alone():
    said = packed.tags("source|503|UH|-|reviews.default.svc.cluster.local;reviews;default|-")
    assert (
        "peer" not in said and said["service"] == "reviews.default.svc.cluster.local;reviews;default" and said["request_protocol"] == "http"
    )


def test_what_is_grpc_its_status_says_and_where_there_was_no_answer_envoy():
    assert packed.tags(IN)["request_protocol"] == "grpc"
    gone = packed.tags(f"source|0|DC|{packed.UNANSWERED}|x;y;z|-")
    assert gone["request_protocol"] == "grpc" and "grpc_response_status" not in gone


def test_requests_are_the_durations_count():
    assert found(duration(12), packed.REQUESTS) == {"": 12}
    assert found([*duration(12), *duration(3, IN)], packed.REQUESTS) and [
        value for name, _, value in packed.taken_apart([*duration(12), *duration(3, IN)]) if name == packed.REQUESTS
    ] == [12, 3]


def test_a_request_without_a_body_has_the_size_nought():
    one_of_700_bytes = [
        *(series(f"{packed.SIZE}_bucket", OUT, int(b >= 700), le=f"{b:.10g}") for b in ISTIO_BOUNDS),
        series(f"{packed.SIZE}_bucket", OUT, 1, le="+Inf"),
        series(f"{packed.SIZE}_sum", OUT, 705.0),
        series(f"{packed.SIZE}_count", OUT, 1),
    ]
    sizes = found([*duration(12, slow=5), *one_of_700_bytes], f"{packed.SIZE}_bucket")
    assert sizes["0.5"] == 11 and sizes["500"] == 11 and sizes["1000"] == 12 and sizes["+Inf"] == 12
    assert found([*duration(12), *one_of_700_bytes], f"{packed.SIZE}_count") == {"": 12}
    assert found([*duration(12), *one_of_700_bytes], f"{packed.SIZE}_sum") == {"": 705.0}


def test_of_what_moved_not_all_buckets_are_told_and_none_is_missed():
    """All were slow: only the buckets from 10 s on have moved."""
    moved = [each for each in duration(4, slow=4) if each[2]]
    assert found(moved, f"{packed.SIZE}_bucket") == {**{f"{b:.10g}": 4 for b in ISTIO_BOUNDS}, "+Inf": 4}


@given(st.lists(st.integers(0, 50), min_size=1, max_size=4), st.lists(st.integers(0, 50), min_size=1, max_size=4))
def test_what_was_added_taken_apart_is_what_the_totals_gained(first, second):
    def told(*counts):
        return {
            f'envoy_{packed.DURATION}_count{{packed="source|{code}|-||s|-"}}': float(sum(each))
            for code, each in zip((200, 404, 503, 0), zip(*counts, strict=False), strict=False)
        }

    old, new = told(first), told(first, second)
    gained = {key: value - old.get(key, 0.0) for key, value in new.items()}
    before, after, between = ({(n, *sorted(t.items())): v for n, t, v in counting.figures(each)} for each in (old, new, gained))
    assert {key[0] for key in between} >= {packed.REQUESTS, f"{packed.SIZE}_count"}
    assert all(after[key] - before.get(key, 0.0) == pytest.approx(value) for key, value in between.items())


def test_where_a_telemetry_turned_the_sizes_off_none_is_made_up():
    moved = [(name, {packed.UNSIZED: labels.pop(packed.TAG), **labels}, value) for name, labels, value in duration(3)]
    assert found(moved, f"{packed.SIZE}_count") == {} and found(moved, packed.REQUESTS) == {"": 3}


def test_what_was_counted_before_they_were_turned_off_keeps_its_sizes():
    before = duration(100)
    after = [
        (name, {packed.UNSIZED: labels[packed.TAG], **{k: v for k, v in labels.items() if k != packed.TAG}}, value)
        for name, labels, value in duration(50)
    ]
    told = list(packed.taken_apart([*before, *after]))
    assert [value for name, _, value in told if name == f"{packed.SIZE}_count"] == [100]
    assert sum(value for name, _, value in told if name == packed.REQUESTS) == 150
