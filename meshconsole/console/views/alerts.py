"""Alerts: what fires and what was done about it, silences, the rules, and the channels that are told."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages as flash
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST

from meshconsole.accounts import audit
from meshconsole.accounts.author import Author
from meshconsole.accounts.permissions import Verb, may, visible
from meshconsole.alerts import channels, incidents, notice, outbox, queries
from meshconsole.alerts.queries import Alert
from meshconsole.grafana.links import Period

from ..scope import RANGES, Scope

KIND = "Alert"
CHANNEL = "NotificationChannel"
SPANS = (("3600", "For an hour"), ("14400", "For 4 hours"), ("86400", "For a day"), ("604800", "For a week"))
OVER = 50


def seen(request: HttpRequest, kind: str) -> list[str] | None:
    """The namespaces asked for in the masthead, of those that one may see."""
    allowed, wanted = visible(request.user, Verb.GET, kind), Scope.of(request).namespace
    if wanted:
        return [wanted] if allowed is None or wanted in allowed else []
    return None if allowed is None else sorted(allowed)


@login_required
@require_GET
def alerts(request: HttpRequest) -> HttpResponse:
    namespaces = seen(request, KIND)
    now = queries.alerts(namespaces, ("firing", "pending"))
    groups = [
        ("Firing", "failure", [a for a in now if a.state == "firing" and not a.silenced]),
        ("Silenced", "none", [a for a in now if a.state == "firing" and a.silenced]),
        ("Pending", "pending", [a for a in now if a.state == "pending"]),
    ]
    rules = [{"rule": r, "title": queries.title_of(r)} for r in queries.rules(seen(request, "AlertRule"))]
    return render(
        request,
        "alerts/list.html",
        {
            "groups": [g for g in groups if g[2]],
            "firing": len(groups[0][2]),
            "over": queries.alerts(namespaces, ("resolved",), OVER),
            "silences": queries.silences(namespaces),
            "rules": rules,
            "now": timezone.now(),
        },
    )


@login_required
@require_GET
def alert(request: HttpRequest, id: int) -> HttpResponse:
    found = _alert(request, id, Verb.GET)
    plural = "alertrules" if found.kind == "AlertRule" else "servicelevelobjectives"
    return render(
        request,
        "alerts/detail.html",
        {
            "alert": found,
            "rule_plural": plural,
            "messages_sent": queries.history(id),
            "times": queries.times(found),
            "dashboard_then": _dashboard(found),
            "look": _look(found, timezone.now()),
            "may_act": may(request.user, Verb.UPDATE, KIND, found.namespace),
            "spans": SPANS,
        },
    )


def _look(found: Alert, now: datetime) -> list[tuple[str, str]]:
    """(words, address) of what there is to see of it: as it is, and for what is over as it was when it fired."""
    where = {"namespace": found.namespace}
    about = found.labels.get("service") or found.labels.get("workload", "")
    graph = {**where, **({"find": f"name = {about}"} if about else {})}
    if found.resolved and found.fired:
        links = [("Topology when it fired", "topology", {**graph, "at": f"{found.fired + timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}"})]
    else:
        links = [("Topology", "topology", graph)]
    covering = next((name for name, (_, seconds) in RANGES.items() if (now - found.since).total_seconds() + 300 < seconds), "30d")
    for kind in ("service", "workload"):
        if named := found.labels.get(kind):
            asked = {**where, kind: named, "range": covering}
            links += [("failed traces", "traces", {**asked, "errors": "1"}), ("logs", "logs", asked)]
            break
    links.append(("last changes", "changes", where))
    return [(words, f"{reverse(page)}?{urlencode(query)}") for words, page, query in links]


def _dashboard(found: Alert) -> str:
    """Grafana's, from an hour before it began until it was over."""
    end = (found.resolved or timezone.now()).timestamp()
    return notice.dashboard(settings.GRAFANA_URL, found.labels, Period(found.since.timestamp() - 3600, end + 600))


@login_required
@require_POST
def acknowledge(request: HttpRequest, id: int) -> HttpResponse:
    found = _alert(request, id, Verb.UPDATE)
    if incidents.acknowledge(id, request.user.get_username(), timezone.now()):
        audit.record(Author.of(request), "acknowledge", f"Alert {found.namespace}/{found.rule} {found.instance}"[:600])
        flash.success(request, "Acknowledged: its channels are told that you are on it." if found.channels else "Acknowledged.")
    else:
        flash.info(request, "It was acknowledged already, or is over.")
    return redirect("alert", id)


@login_required
@require_POST
def silence(request: HttpRequest, id: int) -> HttpResponse:
    found, now = _alert(request, id, Verb.UPDATE), timezone.now()
    length = request.POST.get("span", "3600")
    if length not in dict(SPANS):
        raise Http404
    author, ends = Author.of(request), now + timedelta(seconds=int(length))
    with transaction.atomic():
        made = incidents.silence(found.namespace, found.matchers, now, ends, author.user, request.POST.get("comment", ""), now)
        audit.record(author, "create", f"Silence {made.pk} of {found.namespace}", "".join(f"{k}={v}\n" for k, v in found.matchers.items()))
    flash.success(request, "Silenced. If it still fires when the silence ends, its channels are told then.")
    return redirect("alert", id)


@login_required
@require_POST
def end_silence(request: HttpRequest, id: int) -> HttpResponse:
    found = next((s for s in queries.silences() if s.pk == id), None)
    if found is None or not may(request.user, Verb.UPDATE, KIND, found.namespace):
        raise Http404
    if incidents.end_silence(id, timezone.now()):
        audit.record(Author.of(request), "delete", f"Silence {id} of {found.namespace}")
        flash.success(request, "The silence is ended.")
    return redirect("alerts")


@login_required
@require_GET
def channels_(request: HttpRequest) -> HttpResponse:
    namespaces = seen(request, CHANNEL)
    found = queries.notifiers(namespaces)
    names = None if namespaces is None else [f"{c.namespace}/{c.name}" for c in found]
    rows: list[dict[str, Any]] = [{"channel": c, "may": may(request.user, Verb.UPDATE, CHANNEL, c.namespace)} for c in found]
    return render(request, "alerts/channels.html", {"rows": rows, "sent": queries.messages(names, 40)})


@login_required
@require_POST
def test(request: HttpRequest, namespace: str, name: str) -> HttpResponse:
    channel = _channel(request, namespace, name)
    audit.record(Author.of(request), "test", f"NotificationChannel {channel.key}")
    row = outbox.send_test(channel, request.user.get_username(), timezone.now())
    if row.state == "sent":
        flash.success(request, f"{channel.notifier.title} took the test message.")
    else:
        flash.error(request, f"The test message was not taken: {row.error}")
    return redirect("channels")


@login_required
@require_POST
@sensitive_post_parameters("value")
def secret(request: HttpRequest, namespace: str, name: str) -> HttpResponse:
    channel = _channel(request, namespace, name)
    try:
        with transaction.atomic():
            channels.set_secret(channel, request.POST.get("value", "").strip(), request.user.get_username(), timezone.now())
            outbox.resume(channel, timezone.now())
            audit.record(Author.of(request), "set secret", f"NotificationChannel {channel.key}")
    except ValueError as e:
        flash.error(request, f"The secret is not set: {e}.")
    else:
        flash.success(request, "The secret is set. Nobody can read it; send a test message to see that it works.")
    return redirect("channels")


@login_required
@require_POST
def retry(request: HttpRequest, id: int) -> HttpResponse:
    found = next((m for m in queries.messages(limit=2000) if m.id == id), None)
    if found is None or not may(request.user, Verb.UPDATE, CHANNEL, found.channel.partition("/")[0]):
        raise Http404
    if outbox.retry(id, timezone.now()):
        flash.success(request, "The message is tried again within seconds.")
    return redirect("channels")


def _alert(request: HttpRequest, id: int, verb: str) -> Alert:
    found = queries.alert(id)
    if found is None or not may(request.user, Verb.GET, KIND, found.namespace):
        raise Http404(f"There is no alert {id}.")
    if not may(request.user, verb, KIND, found.namespace):
        raise PermissionDenied(f"You may not do this to alerts of namespace {found.namespace}.")
    return found


def _channel(request: HttpRequest, namespace: str, name: str) -> channels.Channel:
    found = channels.all_().get(f"{namespace}/{name}")
    if found is None or not may(request.user, Verb.GET, CHANNEL, namespace):
        raise Http404(f"There is no channel {namespace}/{name}.")
    if not may(request.user, Verb.UPDATE, CHANNEL, namespace):
        raise PermissionDenied(f"You may not change channels of namespace {namespace}.")
    return found
