"""Prometheus' text format, there and back."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.exposition import Family, Sample, Unreadable, lines, parse, types, write

names = st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,20}", fullmatch=True)
keys = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,10}", fullmatch=True)
# A label's value may hold anything but what splits lines for Python and not for Prometheus.
values = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp")) | st.sampled_from('\n\\"{}, ='), max_size=30)


@given(names, st.dictionaries(keys, values, max_size=4), st.floats(allow_nan=False))
def test_what_is_written_is_read_back(name, labels, value):
    [sample] = parse(write([Family(name, "gauge", "some\nhelp", (Sample(name, labels, value),))]))
    assert sample == Sample(name, labels, value)


def test_the_format_of_envoy_is_read():
    text = '# TYPE envoy_a counter\nenvoy_a{x="1;2;-",y=""} 5\n\nenvoy_b{} 1.5\nenvoy_c 3 1395066363000\nd_bucket{le="+Inf"} 7\n'
    assert list(parse(text)) == [
        Sample("envoy_a", {"x": "1;2;-", "y": ""}, 5.0),
        Sample("envoy_b", {}, 1.5),
        Sample("envoy_c", {}, 3.0),
        Sample("d_bucket", {"le": "+Inf"}, 7.0),
    ]
    assert types(text) == {"envoy_a": "counter"}
    assert next(lines(text)) == ('envoy_a{x="1;2;-",y=""}', "5")


def test_infinities_and_nan_are_written_as_prometheus_does():
    text = write([Family("a", "gauge", "", tuple(Sample("a", {}, v) for v in (math.inf, -math.inf, math.nan, 3.0, 0.25)))])
    assert text == "# TYPE a gauge\na +Inf\na -Inf\na NaN\na 3\na 0.25\n"


@pytest.mark.parametrize("text", ["a", "a{", 'a{b="c} 1', "a{b=c} 1", 'a{b="c"}', "a x"])
def test_what_is_no_sample_is_refused(text):
    with pytest.raises(Unreadable):
        list(parse(text))
