"""Where a trace's spans and a search's dots stand in their drawings. Pure; templates/traces draws them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from telemetry.meaning import Meaning, meaning
from telemetry.traces import Node, Summary, Trace

from . import figures

WIDTH = 1000
"""Of a bar's drawing; it is stretched to the column."""
TONES = 6


@dataclass(frozen=True)
class Row:
    node: Node
    said: Meaning
    tone: int
    """Of its service."""
    indent: int
    x: str
    width: str
    critical: tuple[tuple[str, str], ...]
    """(x, width)"""
    offset: float
    """Milliseconds after the trace's begin."""
    ms: float
    own_ms: float
    attributes: tuple[tuple[str, str], ...]

    @property
    def question(self) -> str:
        """The same request as a query of the page *Why?*; '' where the span is no call by a workload's proxy."""
        span = self.node.span
        url = urlsplit(str(span.attributes.get("http.url", "")))
        if not span.origin.proxy or span.kind != "client" or not url.netloc:
            return ""
        asked = {"from": f"{span.origin.namespace}/{span.origin.workload}", "to": url.netloc, "path": url.path or "/"}
        return urlencode({**asked, "method": str(span.attributes.get("http.method", "GET"))})


def rows(trace: Trace) -> list[Row]:
    whole = max(trace.duration, 1)
    tones = {who: n % TONES + 1 for n, who in enumerate(trace.services)}

    def place(start: int, end: int) -> tuple[str, str]:
        x = (start - trace.start) / whole * WIDTH
        width = max((end - start) / whole * WIDTH, 2.0)  # what is too short to be seen is still there
        return f"{min(x, WIDTH - 2.0):.1f}", f"{width:.1f}"

    found = []
    for node in trace.nodes:
        span = node.span
        x, width = place(span.start, span.end)
        found.append(
            Row(
                node,
                meaning(span),
                tones[(span.origin.namespace, span.origin.service)],
                min(node.depth, 12),
                x,
                width,
                tuple(place(a, b) for a, b in node.critical),
                (span.start - trace.start) / 1000,
                span.duration / 1000,
                node.own / 1000,
                tuple(sorted((key, str(said)) for key, said in span.attributes.items())),
            )
        )
    return found


def ticks(trace: Trace, count: int = 4) -> list[str]:
    return [figures.milliseconds(trace.duration / 1000 * n / count) if n else "0" for n in range(count + 1)]


PLOT_WIDTH, PLOT_HEIGHT, LEFT, BOTTOM, TOP = 1200, 190, 62, 24, 10


COLUMNS = 60
"""Of the heat map."""


def scatter(
    found: Sequence[Summary], start: float, end: float, heat: Mapping[tuple[int, int], tuple[int, int]] | None = None
) -> dict[str, Any]:
    """Duration over time; durations by their logarithm, for one trace of 2 s must not flatten a thousand of 5 ms. `heat` lies below: every trace is in it."""
    if not found:
        return {}
    low = math.floor(math.log10(max(min(t.ms for t in found), 0.01)))
    high = max(math.ceil(math.log10(max(t.ms for t in found) * 1.0001)), low + 1)
    if heat:
        low = min(low, math.floor(min(level for _, level in heat) / 3))
        high = max(high, math.ceil((max(level for _, level in heat) + 1) / 3))

    def x(at: float) -> float:
        return LEFT + (at - start) / (end - start) * (PLOT_WIDTH - LEFT - 12)

    def y(ms: float) -> float:
        return TOP + (high - math.log10(max(ms, 10**low))) / (high - low) * (PLOT_HEIGHT - TOP - BOTTOM)

    dots = [
        {
            "id": t.id,
            "x": f"{x(t.at):.1f}",
            "y": f"{y(t.ms):.1f}",
            "bad": t.errors > 0,
            "r": "5" if t.errors else "4",
            "title": f"{t.name or t.service}: {figures.milliseconds(t.ms)}, {t.spans} spans{', with errors' if t.errors else ''}",
        }
        for t in sorted(found, key=lambda t: t.errors > 0)
    ]
    levels = [{"y": f"{y(10.0**n):.1f}", "text": figures.milliseconds(10.0**n)} for n in range(low, high + 1)]
    form = "%H:%M:%S" if end - start <= 3600 else "%H:%M" if end - start <= 86400 else "%d %b %H:%M"
    times = [
        {
            "x": f"{x(at):.1f}",
            "text": datetime.fromtimestamp(at, UTC).strftime(form),
            "anchor": ("start", "middle", "middle", "middle", "end")[n],
        }
        for n in range(5)
        for at in [start + (end - start) * n / 4]
    ]
    most = max((n for n, _ in (heat or {}).values()), default=1)
    cells = [
        {
            "x": f"{x(start + (end - start) * column / COLUMNS):.1f}",
            "y": f"{y(10 ** ((level + 1) / 3)):.1f}",
            "width": f"{(PLOT_WIDTH - LEFT - 12) / COLUMNS - 1:.1f}",
            "height": f"{(PLOT_HEIGHT - TOP - BOTTOM) / (high - low) / 3 - 1:.1f}",
            "opacity": f"{0.12 + 0.5 * math.log1p(n) / math.log1p(most):.2f}",
            "bad": bad * 2 > n,
            "title": f"{n} trace{'' if n == 1 else 's'}{f', {bad} with errors' if bad else ''}",
        }
        for (column, level), (n, bad) in sorted((heat or {}).items())
    ]
    return {
        "cells": cells, "dots": dots, "levels": levels, "times": times, "width": PLOT_WIDTH, "height": PLOT_HEIGHT, "left": LEFT, "right": PLOT_WIDTH - 12,
        "base": PLOT_HEIGHT - 6,
    }  # fmt: skip
