"""Access logs: the search with its live tail, and one record with everything that it says."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from telemetry import flags, traces
from telemetry import logs as store

from .. import kinds, mesh
from ..scope import Scope

SHOWN = 200
CODES = (
    ("", "Every result"),
    (">=400", "Errors"),
    ("5xx", "5xx"),
    ("4xx", "4xx"),
    ("403", "403"),
    ("404", "404"),
    ("429", "429"),
    ("503", "503"),
    ("0", "No answer"),
)
TEXTS = ("workload", "service", "code", "flag", "policy", "trace", "path", "reporter")


@dataclass(frozen=True)
class Row:
    entry: store.Entry

    @property
    def record(self) -> store.Record:
        return self.entry.record

    @property
    def source(self) -> str:
        r = self.record
        return r.workload if r.reporter == "source" else r.peer or r.said.get("client", "").rpartition(":")[0]

    @property
    def target(self) -> str:
        r = self.record
        return (r.peer or r.service.partition(".")[0]) if r.reporter == "source" else r.workload

    @property
    def request(self) -> str:
        said = self.record.said
        return f"{said['method']} {said.get('path', '')}" if "method" in said else "TCP connection"

    @property
    def details(self) -> str:
        """Envoy's own words for how it ended."""
        return self.record.said.get("details") or self.record.said.get("ended", "")

    @property
    def time(self) -> str:
        return datetime.fromtimestamp(self.record.at / 1e6, UTC).strftime("%H:%M:%S.%f")[:-3]

    @property
    def words(self) -> tuple[str, ...]:
        r = self.record
        return ((r.denied,) if r.denied else ()) + flags.in_words(r.flags)

    @property
    def flags(self) -> list[tuple[str, str, str]]:
        """(short, long, in words)"""
        known = flags.FLAGS
        return [(f, known[f].long if f in known else "", known[f].words if f in known else "") for f in flags.split(self.record.flags)]

    @property
    def tone(self) -> str:
        code = self.record.code
        return "bad" if code >= 500 or (not code and self.record.flags) else "warn" if code >= 400 or self.record.denied else ""

    @property
    def policies(self) -> list[tuple[Any, kinds.Kind | None]]:
        return [(p, kinds.Kind.named(p.kind)) for p in self.record.policies]


@login_required
@require_GET
def logs(request: HttpRequest) -> HttpResponse:
    scope, given = Scope.of(request), request.GET
    texts = {name: given.get(name, "").strip()[:300] for name in TEXTS}
    asked = store.Asked(
        namespaces=mesh.chosen(request.user, scope.namespace),
        denied=given.get("denied") == "1",
        would=given.get("would") == "1",
        **cast(dict[str, Any], texts),
    )
    wrong = list(asked.problems())
    found = store.search(asked, scope.start, scope.end + 60, limit=SHOWN) if not wrong else store.Found((), False)
    query = {key: said for key, said in texts.items() if said}
    return render(
        request,
        "logs/list.html",
        {
            "rows": [Row(e) for e in found.entries],
            "more": found.more,
            "asked": given,
            "reporter": texts["reporter"],
            "wrong": wrong,
            "filtered": bool(query) or asked.denied or asked.would,
            "codes": CODES,
            "flags": sorted(flags.FLAGS.items()),
            "on": settings.ACCESS_LOG,
            "slow": settings.ACCESS_LOG_SLOW_MS,
            "sampling": settings.ACCESS_LOG_SAMPLING,
            "command": " ".join(["meshconsole logs -f", *(f"--{key} '{said}'" for key, said in query.items())]),
            "api_path": f"GET /api/v1/logs?{urlencode(query)}".rstrip("?"),
        },
    )


@login_required
@require_GET
def log(request: HttpRequest, id: int) -> HttpResponse:
    found = store.one(id, mesh.seen(request.user))
    if found is None:
        raise Http404("There is no such record: it may not have been kept.")
    row = Row(found)
    trace = traces.trace(row.record.trace, mesh.seen(request.user)) if row.record.trace else None
    said: dict[str, Any] = {"row": row, "r": row.record, "has_trace": trace is not None, "api_path": f"GET /api/v1/logs/{id}"}
    return render(request, "logs/detail.html", said)
