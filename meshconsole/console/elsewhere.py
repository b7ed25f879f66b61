"""The same trace, service and time in the tools that people already have: Jaeger, Zipkin, and Tempo through Grafana's Explore."""

import json
from collections.abc import Mapping
from urllib.parse import quote, urlencode

from django.conf import settings

from meshconsole.grafana import links as grafana

from .scope import Scope

CONSOLE = frozenset(
    {
        "changes",
        "change",
        "certificates",
        "audit",
        "audit-chain",
        "settings",
        "security",
        "people",
        "person",
        "person-new",
        "policies",
        "policy",
        "policy-new",
    }
)
"""Pages about the console itself and what it tells proxies."""


def trace(id: str, start: float, end: float) -> list[tuple[str, str]]:
    """(name, address) of one trace; `start` and `end` in unix seconds."""
    found = []
    if settings.JAEGER_URL:
        found.append(("Jaeger", f"{settings.JAEGER_URL.rstrip('/')}/trace/{quote(id)}"))
    if settings.ZIPKIN_URL:
        found.append(("Zipkin", f"{_zipkin()}/traces/{quote(id)}"))
    if settings.GRAFANA_URL and settings.TEMPO_DATASOURCE:
        found.append(("Tempo", _explore({"query": id, "queryType": "traceql"}, start - 60, end + 60)))
    return found


def service(name: str, start: float, end: float) -> list[tuple[str, str]]:
    """The traces of a service in a span of time."""
    found = []
    if settings.JAEGER_URL:
        asked = {"service": name, "start": int(start * 1e6), "end": int(end * 1e6), "lookback": "custom", "limit": 20}
        found.append(("Jaeger", f"{settings.JAEGER_URL.rstrip('/')}/search?{urlencode(asked)}"))
    if settings.ZIPKIN_URL:
        asked = {"serviceName": name.lower(), "lookback": "range", "startTs": int(start * 1e3), "endTs": int(end * 1e3)}
        found.append(("Zipkin", f"{_zipkin()}/?{urlencode(asked)}"))
    if settings.GRAFANA_URL and settings.TEMPO_DATASOURCE:
        found.append(("Tempo", _explore({"query": "{resource.service.name=" + json.dumps(name) + "}", "queryType": "traceql"}, start, end)))
    return found


def dashboard(page: str, where: Mapping[str, str], scope: Scope, host: str = "") -> str:
    """Grafana's dashboard of what a page (by the name of its address) shows, over the page's span of time; '' without a Grafana."""
    base, period = settings.GRAFANA_URL, grafana.Period(scope.start, scope.end)
    match page:
        case "service":
            return grafana.service(base, host or grafana.host(where["name"], where["namespace"]), period)
        case "workload" | "proxy":
            return grafana.workload(base, where["namespace"], where["name"], period)
        case "proxies" | "join":
            return grafana.agents(base, period, scope.namespace)
        case _ if page in CONSOLE:
            return grafana.control_plane(base, period)
        case _:
            return grafana.mesh(base, period, scope.namespace)


def _zipkin() -> str:
    base = settings.ZIPKIN_URL.rstrip("/").removesuffix("/api/v2/spans")
    return base if base.endswith("/zipkin") else f"{base}/zipkin"


def _explore(query: dict[str, str], start: float, end: float) -> str:
    """Grafana's documented address of Explore (schemaVersion 1)."""
    uid = settings.TEMPO_DATASOURCE
    pane = {
        "datasource": uid,
        "queries": [{"refId": "A", "datasource": {"type": "tempo", "uid": uid}, **query}],
        "range": {"from": str(int(start * 1e3)), "to": str(int(end * 1e3))},
    }
    return f"{settings.GRAFANA_URL.rstrip('/')}/explore?" + urlencode({"schemaVersion": 1, "orgId": 1, "panes": json.dumps({"a": pane})})
