"""What is counted of each request, and what a Telemetry changes of it; a real Envoy takes all of it in tests/golden, and counts by it in tests/journeys/test_counting.py."""

import pytest

from meshconsole.core.envoy import loggers
from meshconsole.core.envoy.reporting import MetricOverride, Side

OFF = MetricOverride(off=True)


def counted(*overrides):
    """[(name, its tags' names)] of each logger."""
    said = loggers.outbound_http(Side(metrics=overrides))
    return [
        [(s["stat"]["name"], [t["name"] for t in s["stat"]["tags"]]) for s in (*c.get("counters", ()), *c["histograms"])]
        for c in (each["typed_config"] for each in said)
    ]


def test_all_tags_are_one_and_a_request_meets_two_figures_and_with_a_body_a_third():
    assert counted() == [
        [("request_duration_milliseconds", ["packed"]), ("response_bytes", ["packed"])],
        [("request_bytes", ["packed"])],
        [("request_duration_milliseconds", ["packed"]), ("request_bytes", ["packed"]), ("response_bytes", ["packed"])],
    ]


def test_the_inbound_side_says_its_seven_fields_in_order():
    (first, *_) = loggers.inbound_http(Side(), "reviews.default.svc.cluster.local;reviews;default", [])
    (tag,) = first["typed_config"]["histograms"][0]["stat"]["tags"]
    assert tag["value_format"] == (
        "destination|%RESPONSE_CODE%|%RESPONSE_FLAGS%|%GRPC_STATUS_NUMBER%|reviews.default.svc.cluster.local;reviews;default|%DOWNSTREAM_PEER_URI_SAN%|%DOWNSTREAM_PEER_SUBJECT%"
    )


@pytest.mark.parametrize(
    ("off", "left"),
    [
        (["request_bytes"], [["request_duration_milliseconds", "response_bytes"]] * 2),
        (["response_bytes"], [["request_duration_milliseconds"], ["request_bytes"], ["request_duration_milliseconds", "request_bytes"]]),
        (["request_bytes", "response_bytes"], [["request_duration_milliseconds"]] * 2),
    ],
)
def test_sizes_that_a_telemetry_turns_off_cost_nothing(off, left):
    found = counted(*((name, OFF) for name in off))
    assert [[name for name, _ in each] for each in found] == left
    assert all(tags == ["unsized" if "request_bytes" in off else "packed"] for each in found for _, tags in each)


def test_other_labels_are_tags_of_their_own_and_the_count_is_one_too():
    found = counted(("requests_total", MetricOverride(tags=(("method", "request.method"),))))
    assert [name for name, _ in found[0]] == ["requests_total", "request_duration_milliseconds", "request_bytes", "response_bytes"]
    assert "method" in found[0][0][1] and "packed" not in found[0][0][1]
