"""How much the embedded store holds."""

from typing import NamedTuple

from django.db.models import Count, Sum

from .models import Series, TraceSummary


class Held(NamedTuple):
    series: int
    """Label sets, of all proxies."""
    traces: int
    trace_bytes: int


def held() -> Held:
    traces = TraceSummary.objects.aggregate(n=Count("id"), size=Sum("size"))
    return Held(Series.objects.count(), traces["n"], traces["size"] or 0)
