"""Numbers and times as people read them: three significant digits, units that fit, nothing that jumps in width."""

from collections.abc import Sequence
from datetime import datetime

NONE = "–"


def _round(value: float) -> str:
    if value == 0:
        return "0"
    if abs(value) < 0.01:
        return "<0.01"
    if abs(value) < 10:
        return f"{value:.2f}".rstrip("0").rstrip(".")
    if abs(value) < 100:
        return f"{value:.1f}".rstrip("0").rstrip(".")
    return f"{value:,.0f}"


def number(value: float | None) -> str:
    if value is None:
        return NONE
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            return _round(value / (1000 if unit == "k" else limit)) + unit
    return _round(value)


def rate(value: float | None) -> str:
    """Per second."""
    return number(value)


def percent(share: float | None) -> str:
    """A share 0..1."""
    if share is None:
        return NONE
    value = share * 100
    if 0 < value < 0.1:
        return "<0.1 %"
    if 99.9 < value < 100:
        return ">99.9 %"
    return f"{value:.1f}".removesuffix(".0") + " %"


def milliseconds(value: float | None) -> str:
    if value is None:
        return NONE
    if value < 1:
        return f"{value:.1f} ms"
    if value < 10:
        return f"{value:.1f}".removesuffix(".0") + " ms"
    if value < 1000:
        return f"{value:.0f} ms"
    if value < 60_000:
        return f"{value / 1000:.2f}".rstrip("0").rstrip(".") + " s"
    return f"{value / 60_000:.1f}".removesuffix(".0") + " min"


def bytes_(value: float | None) -> str:
    if value is None:
        return NONE
    for limit, unit in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if value >= limit:
            return f"{_round(value / limit)} {unit}"
    return f"{_round(value)} B"


def span(seconds: float) -> str:
    """The largest unit that fits, and a second one where it says much: `2 d 3 h`, `45 s`."""
    seconds = max(0, int(seconds))
    for size, unit, below, below_unit in ((86400, "d", 3600, "h"), (3600, "h", 60, "min")):
        if seconds >= size:
            rest = seconds % size // below
            return f"{seconds // size} {unit}" + (f" {rest} {below_unit}" if rest and seconds < 10 * size else "")
    return f"{seconds // 60} min" if seconds >= 60 else f"{seconds} s"


def ago(at: datetime, now: datetime) -> str:
    seconds = (now - at).total_seconds()
    return "just now" if seconds < 5 else f"{span(seconds)} ago"


def until(at: datetime, now: datetime) -> str:
    seconds = (at - now).total_seconds()
    return f"in {span(seconds)}" if seconds > 0 else f"{span(-seconds)} ago"


def spark_paths(values: Sequence[float | None], width: float = 100, height: float = 24) -> tuple[str, str]:
    """The `d` of a line and of the area below it; empty where there are fewer than two points."""
    known = [v for v in values if v is not None]
    if len(known) < 2:
        return "", ""
    top = max(known) or 1.0
    step = width / (len(values) - 1)
    points = [(i * step, height - 2 - (v or 0.0) / top * (height - 4)) for i, v in enumerate(values)]
    line = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return line, f"{line}L{width} {height}L0 {height}Z"
