"""Types that Istio's kinds share: durations, percentages, regular expressions."""

from decimal import Decimal

import pytest
from google.protobuf import duration_pb2
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from meshconsole.core.resources.common import Duration, Percent, PositiveDuration, StringMatch, proto_duration, regex_fault, seconds

DURATION, POSITIVE = TypeAdapter(Duration), TypeAdapter(PositiveDuration)


@pytest.mark.parametrize(
    ("written", "length"),
    [
        ("10s", "10"), ("1.5s", "1.5"), ("250ms", "0.25"), ("1h30m", "5400"), ("1h", "3600"), ("2m3s", "123"), ("1us", "0.000001"),
        ("1µs", "0.000001"), ("5ns", "0.000000005"), (".5s", "0.5"), ("0", "0"), ("0s", "0"),
    ],
)  # fmt: skip
def test_durations_are_read_as_istio_writes_them(written: str, length: str):
    assert seconds(written) == Decimal(length)


@pytest.mark.parametrize("written", ["", "10", "ten seconds", "1 s", "1d", "s", "1.5", "1.2.3s", "--1s", "1e3s", "١s"])
def test_what_is_no_duration_is_refused(written: str):
    with pytest.raises(ValidationError, match="is no duration"):
        DURATION.validate_python(written)


@pytest.mark.parametrize("written", ["-1s", "999999999999s"])
def test_a_duration_is_neither_negative_nor_longer_than_protobuf_takes(written: str):
    with pytest.raises(ValidationError, match="cannot be"):
        DURATION.validate_python(written)


@pytest.mark.parametrize("written", ["0s", "0", "999us", "1.0005s"])
def test_most_durations_are_whole_milliseconds_from_one_on(written: str):
    with pytest.raises(ValidationError, match="1ms or longer|whole milliseconds"):
        POSITIVE.validate_python(written)


@settings(deadline=None)
@given(st.integers(0, 10**9), st.sampled_from(["ms", "s", "m", "h", "us"]))
def test_protobuf_reads_every_duration_as_what_was_written(number: int, unit: str):
    written = f"{number}{unit}"
    if seconds(written) > 315_576_000_000:
        return
    message = duration_pb2.Duration()
    message.FromJsonString(proto_duration(written))
    assert Decimal(message.seconds) + Decimal(message.nanos) / 10**9 == seconds(written)


@pytest.mark.parametrize(("value", "numerator"), [(0, 0), (0.1, 1000), (12.5, 125_000), (99.99, 999_900), (100, 1_000_000)])
def test_percentages_are_kept_to_a_ten_thousandth_of_a_percent(value: float, numerator: int):
    assert Percent(value=value).fraction == {"numerator": numerator, "denominator": "MILLION"}


@pytest.mark.parametrize("value", [-1, 100.1, "50", True, float("nan")])
def test_what_is_no_percentage_is_refused(value: object):
    with pytest.raises(ValidationError):
        Percent.model_validate({"value": value})


@pytest.mark.parametrize("pattern", [".*", r"^/v[0-9]+/(?:a|b)$", r"(?i)jason", "x{1000}", ""])
def test_what_re2_takes_is_taken(pattern: str):
    assert regex_fault(pattern) == ""


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("(?=ahead)", "no look-around"), (r"(a)\1", "no RE2 expression"), ("[", "no RE2 expression"), ("*", "no RE2 expression"),
        ("a" * 1025, "more than 1024"), ("((a{100}){100}){10}", "no RE2 expression"), (r"\pL{40}", "too complex"),
    ],
)  # fmt: skip
def test_what_re2_or_envoy_would_refuse_is_refused_here(pattern: str, says: str):
    assert says in regex_fault(pattern)


def test_a_string_match_is_one_condition():
    assert list(StringMatch(exact="a", prefix="b").faults()) == ["exact and prefix exclude one another; keep one"]
    assert list(StringMatch(exact="a").faults()) == []
    assert StringMatch().is_empty and not StringMatch(exact="").is_empty
