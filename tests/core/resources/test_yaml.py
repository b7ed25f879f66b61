"""The YAML reader: lines for every path, nothing ambiguous, nothing that grows."""

import time

import pytest

from meshconsole.core.resources.messages import Invalid, Message
from meshconsole.core.resources.yaml import MAX_BYTES, load_documents


def refusal(text: str | bytes) -> Message:
    with pytest.raises(Invalid) as caught:
        load_documents(text)
    (message,) = caught.value.messages
    return message


def test_every_path_has_its_line():
    (document,) = load_documents("# comment\napiVersion: v1\nspec:\n  http:\n  - route:\n    - weight: 90\n      name: a\n")
    assert document.lines.of("apiVersion") == 2
    assert document.lines.of("spec.http") == 4
    assert document.lines.of("spec.http[0].route[0].weight") == 6
    assert document.lines.of("spec.http[0].route[0].name") == 7


def test_a_path_that_is_not_there_has_the_line_of_what_is_above_it():
    (document,) = load_documents("spec:\n  http:\n  - route: []\n")
    assert document.lines.of("spec.http[0].route[3].weight") == 3
    assert document.lines.of("spec.hosts") == 1
    assert document.lines.of("metadata.name") == 1


def test_documents_are_counted_without_the_empty_ones_and_lines_are_of_the_whole_text():
    first, second = load_documents("---\na: 1\n---\n---\n# nothing\n---\nb:\n  c: 2\n")
    assert (first.index, second.index) == (0, 1)
    assert second.lines.of("b.c") == 8


def test_json_is_yaml_too():
    (document,) = load_documents('{"spec": {"hosts": ["a"],\n "n": 1.5, "yes": true, "none": null}}')
    assert document.data == {"spec": {"hosts": ["a"], "n": 1.5, "yes": True, "none": None}}
    assert document.lines.of("spec.n") == 2


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("on", "on"), ("yes", "yes"), ("NO", "NO"), ("true", True), ("False", False), ("~", None), ("", None), ("null", None),
        ("12", 12), ("-3", -3), ("007", "007"), ("0o17", 15), ("0xff", 255), ("1_000", "1_000"), ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"), ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"), ("1.5", 1.5), ("1e3", 1000.0), (".5", 0.5),
        ("1.0.0", "1.0.0"), ('"12"', "12"), ("'true'", "true"), ("!!str 12", "12"), ("v1", "v1"), ("10s", "10s"),
    ],
)  # fmt: skip
def test_scalars_are_what_they_look_like(written: str, meant: object):
    (document,) = load_documents(f"a: {written}")
    assert document.data["a"] == meant
    assert type(document.data["a"]) is type(meant)


def test_infinity_and_not_a_number_do_not_crash_the_reader():
    (document,) = load_documents("a: .inf\nb: -.INF\nc: .nan\n")
    assert document.data["a"] == float("inf")
    assert document.data["b"] == float("-inf")
    assert document.data["c"] != document.data["c"]


def test_a_key_that_stands_twice_is_refused_with_both_lines():
    message = refusal("spec:\n  hosts: [a]\n  http: []\n  hosts: [b]\n")
    assert (message.line, message.path) == (4, "spec.hosts")
    assert "'hosts' stands twice" in message.text and "line 2" in message.text


def test_aliases_and_merges_mean_what_they_mean_in_yaml():
    (document,) = load_documents("a: &x {n: 1, m: 2}\nb: *x\nc:\n  <<: *x\n  n: 3\n")
    assert document.data == {"a": {"n": 1, "m": 2}, "b": {"n": 1, "m": 2}, "c": {"n": 3, "m": 2}}


def test_an_alias_bomb_ends_before_it_grows():
    bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 10)}]\n" for n in range(20)
    )
    began = time.monotonic()
    assert "values (aliases counted in full)" in refusal(bomb).text
    assert time.monotonic() - began < 2


def test_a_merge_bomb_ends_too():
    lines = ["a0: &a0 {k0: 1}"] + [f"a{n}: &a{n} {{k{n}: [*a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}]}}" for n in range(1, 40)]
    assert "aliases counted in full" in refusal("\n".join(lines)).text


def test_twenty_megabytes_are_refused_at_once():
    began = time.monotonic()
    message = refusal(b"a: " + b"x" * (20 << 20))
    assert "20,971,523 bytes are more than the 4,194,304" in message.text
    assert time.monotonic() - began < 0.5


def test_what_is_just_small_enough_is_read():
    text = "a: " + "x" * (MAX_BYTES - 3)
    assert len(load_documents(text)) == 1
    assert "more than" in refusal(text + "x").text


def test_deep_nesting_is_refused():
    assert "deeper than" in refusal("[" * 500 + "]" * 500).text
    assert "deeper than" in refusal("".join(" " * n + f"a{n}:\n" for n in range(100))).text


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a: [1, 2\nb: 3\n", 2, "not YAML"),
        ("a:\n\t- b\n", 2, "not YAML"),
        ("a: b: c\n", 1, "not YAML"),
        ("a: 'open\n", 2, "not YAML"),
        ("a: *nobody\n", 1, "names no anchor"),
        ("? [a, b]\n: c\n", 1, "a key must be a plain word"),
        ("- a\n- b\n", 1, "must be a mapping"),
        ("just words\n", 1, "must be a mapping"),
        ("a: !!python/object/apply:os.system ['true']\n", 1, "the tag"),
        ("a: !custom x\n", 1, "the tag"),
        ("a: 1\n<<: 5\n", 2, "<< merges"),
    ],
)
def test_what_is_no_plain_yaml_is_refused_at_its_line(text: str, line: int, says: str):
    message = refusal(text)
    assert says in message.text
    assert message.line == line
    assert message.code == "MSH0001"


def test_bytes_that_are_no_utf8_are_refused():
    assert "not UTF-8" in refusal(b"a: \xff\xfe").text


def test_a_byte_order_mark_is_taken():
    assert load_documents("﻿a: 1".encode())[0].data == {"a": 1}


def test_control_characters_are_refused_and_not_kept():
    assert "not YAML" in refusal("a: \x00").text


def test_nothing_is_no_document():
    assert load_documents("") == []
    assert load_documents("# only a comment\n---\n") == []


def test_a_word_in_brackets_may_end_with_a_colon():
    """As Go's reader takes it, and so kubectl and istioctl: IPv6 networks are written so."""
    (document,) = load_documents("a:\n- [x, 2001:db8::, fd00::]\n- {b: [fe80::]}\nc: [d: e]\n")
    assert document.data == {"a": [["x", "2001:db8::", "fd00::"], {"b": ["fe80::"]}], "c": [{"d": "e"}]}
    assert document.lines.of("a[1].b[0]") == 3
    assert "not YAML" in refusal("a: [{b:}]").text
    assert "quotes" in refusal("a: [" + ", ".join(["a::"] * 100) + "]").text
