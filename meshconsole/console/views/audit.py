"""The audit log: who did what, when, from where, through which door; whether anybody has tampered with it; and its export."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from meshconsole.accounts import audit
from meshconsole.accounts.permissions import EVERYWHERE, Verb, may

from ..scope import Scope

PAGE = 60
SPANS = {"1h": timedelta(hours=1), "24h": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}
SPAN_WORDS = {"": "Any time", "1h": "Last hour", "24h": "Last 24 hours", "7d": "Last 7 days", "30d": "Last 30 days"}
DOORS = ("browser", "token", "cli", "ci", "system")


def _asked(request: HttpRequest) -> audit.Filter:
    if not may(request.user, Verb.GET, "AuditEntry", EVERYWHERE):
        raise PermissionDenied("Only admins of the whole mesh read the audit log: an entry may tell of any namespace.")
    given = {
        name: request.GET.get(name, "").replace("\0", "").strip()[:200] for name in ("who", "action", "door", "object", "since", "until")
    }
    span = SPANS.get(request.GET.get("span", ""))
    return audit.Filter(
        given["who"], given["action"], given["door"], given["object"], Scope.of(request).namespace.replace("\0", ""),
        timezone.now() - span if span else _day(given["since"]), _day(given["until"]),
    )  # fmt: skip


def _day(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@login_required
@require_GET
def entries(request: HttpRequest) -> HttpResponse:
    asked = _asked(request)
    given = request.GET.get("before", "")
    before = int(given) if given.isdecimal() and len(given) < 18 else None
    found = audit.entries(limit=PAGE + 1, before=before, asked=asked)
    days: list[tuple[Any, list[dict[str, Any]]]] = []
    for entry in found[:PAGE]:
        day = entry.at.astimezone(UTC).date()
        if not days or days[-1][0] != day:
            days.append((day, []))
        days[-1][1].append({"entry": entry, "lines": _lines(entry.diff)})
    filtered = any((asked.who, asked.action, asked.door, asked.object, asked.namespace, asked.since, asked.until))
    said = {"days": days, "asked": asked, "filtered": filtered, "paged": before is not None, "spans": SPAN_WORDS.items(), "doors": DOORS}
    said |= {
        "older": found[PAGE - 1].number if len(found) > PAGE else None,
        "actions": audit.actions(),
        "span": request.GET.get("span", ""),
    }
    return render(request, "audit/list.html", said)


def _lines(diff: str) -> list[tuple[str, str]]:
    """(add, del, gap or same; text) of a unified diff or of a few told facts."""
    kinds = {"+": "add", "-": "del", "@": "gap"}
    return [(kinds.get(text[:1], "same"), text) for text in diff.splitlines() if not text.startswith(("+++", "---"))][:400]


@login_required
@require_GET
def chain(request: HttpRequest) -> HttpResponse:
    """Green or red: fetched by the page after it stands, for it goes over every entry."""
    _asked(request)
    if not getattr(request, "htmx", None):  # typed, or opened in a tab of its own
        return entries(request)
    return render(request, "audit/chain.html", {"verdict": audit.verify(most=5)})


@login_required
@require_GET
def export(request: HttpRequest) -> StreamingHttpResponse:
    """What the filters of the page let through, as JSON lines."""
    return exported(_asked(request))


def exported(asked: audit.Filter) -> StreamingHttpResponse:
    answer = StreamingHttpResponse(audit.lines(asked), content_type="application/jsonl; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="audit-{timezone.now():%Y%m%d-%H%M%S}.jsonl"'
    return answer
