from datetime import UTC, datetime, timedelta

import pytest

from meshconsole.console import figures

NOW = datetime(2026, 8, 5, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "–"),
        (0, "0"),
        (0.004, "<0.01"),
        (0.25, "0.25"),
        (1.5, "1.5"),
        (12.34, "12.3"),
        (1234, "1,234"),
        (12345, "12.3k"),
        (2.5e6, "2.5M"),
    ],
)
def test_rates_have_three_digits_that_say_something(value, said):
    assert figures.rate(value) == said


@pytest.mark.parametrize(
    ("share", "said"), [(None, "–"), (0, "0 %"), (0.0004, "<0.1 %"), (0.123, "12.3 %"), (0.9999, ">99.9 %"), (1, "100 %")]
)
def test_a_share_is_never_rounded_to_nothing_or_to_all(share, said):
    assert figures.percent(share) == said


@pytest.mark.parametrize(
    ("value", "said"), [(None, "–"), (0.25, "0.2 ms"), (7, "7 ms"), (412.6, "413 ms"), (1500, "1.5 s"), (90_000, "1.5 min")]
)
def test_times_have_the_unit_that_fits(value, said):
    assert figures.milliseconds(value) == said


@pytest.mark.parametrize(("value", "said"), [(0, "0 B"), (2048, "2 KiB"), (5 << 20, "5 MiB")])
def test_bytes_have_the_unit_that_fits(value, said):
    assert figures.bytes_(value) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (2, "just now"),
        (45, "45 s ago"),
        (125, "2 min ago"),
        (7500, "2 h 5 min ago"),
        (20 * 3600, "20 h ago"),
        (2 * 86400 + 3 * 3600, "2 d 3 h ago"),
    ],
)
def test_the_past_is_said_in_one_or_two_units(seconds, said):
    assert figures.ago(NOW - timedelta(seconds=seconds), NOW) == said


def test_what_should_have_come_is_said_to_be_past():
    assert figures.until(NOW + timedelta(hours=3), NOW) == "in 3 h"
    assert figures.until(NOW - timedelta(minutes=3), NOW) == "3 min ago"


def test_a_line_needs_two_points():
    assert figures.spark_paths([1.0]) == ("", "")
    line, area = figures.spark_paths([0.0, 4.0])
    assert line == "M0.0 22.0L100.0 2.0"
    assert area.endswith("Z")
