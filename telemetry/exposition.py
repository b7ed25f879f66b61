"""Prometheus' text format, version 0.0.4: read and written. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

Labels = dict[str, str]

_ESCAPES = {"n": "\n", "\\": "\\", '"': '"'}


class Unreadable(ValueError):
    """A line that is no sample."""


@dataclass(frozen=True, slots=True)
class Sample:
    name: str
    labels: Labels
    value: float


@dataclass(frozen=True, slots=True)
class Family:
    """One metric with its help, type (`counter`, `gauge`, `histogram`, …) and samples."""

    name: str
    type: str
    help: str
    samples: tuple[Sample, ...]


def lines(text: str) -> Iterator[tuple[str, str]]:
    """(series, value) of each sample line, unparsed: whoever knows a series by its text need not parse it again."""
    for line in text.splitlines():
        if not line or line[0] == "#":
            continue
        end = line.rfind("}") + 1 or line.find(" ")
        rest = line[end:].split()
        if end <= 0 or not rest:
            raise Unreadable(f"no sample: {line[:200]!r}")
        yield line[:end], rest[0]


def series(text: str) -> tuple[str, Labels]:
    """`name{a="b"}` -> its name and labels."""
    brace = text.find("{")
    if brace < 0:
        return text.strip(), {}
    labels: Labels = {}
    at, end = brace + 1, len(text)
    while at < end and text[at] != "}":
        equals = text.find("=", at)
        if equals < 0 or text[equals + 1 : equals + 2] != '"':
            raise Unreadable(f"no labels: {text[:200]!r}")
        key = text[at:equals].strip(" ,")
        value, at = _quoted(text, equals + 2)
        labels[key] = value
    return text[:brace].strip(), labels


def _quoted(text: str, at: int) -> tuple[str, int]:
    """The value that begins at `at`, and where the text goes on after its closing quote and comma."""
    end = text.find('"', at)
    if end >= 0 and "\\" not in text[at:end]:
        value = text[at:end]
    else:
        parts: list[str] = []
        end = at
        while end < len(text) and text[end] != '"':
            if text[end] == "\\" and end + 1 < len(text):
                parts.append(_ESCAPES.get(text[end + 1], "\\" + text[end + 1]))
                end += 2
            else:
                parts.append(text[end])
                end += 1
        value = "".join(parts)
        if end >= len(text):
            end = -1
    if end < 0:
        raise Unreadable(f"no end of a label's value: {text[:200]!r}")
    end += 1
    while text[end : end + 1] in (",", " "):
        end += 1
    return value, end


def number(text: str) -> float:
    """Prometheus writes +Inf, -Inf and NaN as Go does; Python reads them all."""
    try:
        return float(text)
    except ValueError as e:
        raise Unreadable(f"no number: {text[:50]!r}") from e


def parse(text: str) -> Iterator[Sample]:
    """Raises Unreadable."""
    for key, value in lines(text):
        name, labels = series(key)
        yield Sample(name, labels, number(value))


def types(text: str) -> dict[str, str]:
    """The metrics' declared types by name."""
    declared = (line.split() for line in text.splitlines() if line.startswith("# TYPE "))
    return {words[2]: words[3] for words in declared if len(words) == 4}


def value_text(value: float) -> str:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def series_text(name: str, labels: Mapping[str, str]) -> str:
    if not labels:
        return name
    inner = ",".join(f'{k}="{_escape(v)}"' for k, v in labels.items())
    return f"{name}{{{inner}}}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def write(families: Iterable[Family]) -> str:
    out: list[str] = []
    for family in families:
        if family.help:
            out.append(f"# HELP {family.name} " + family.help.replace("\\", "\\\\").replace("\n", "\\n"))
        out.append(f"# TYPE {family.name} {family.type}")
        out.extend(f"{series_text(s.name, s.labels)} {value_text(s.value)}" for s in family.samples)
    return "\n".join(out) + "\n" if out else ""
