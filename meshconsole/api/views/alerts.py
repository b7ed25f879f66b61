"""Alerts: what fires, what people do about it, the rules, objectives and channels behind it."""

from datetime import datetime, timedelta
from typing import Any

import yaml
from django.db import transaction
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from meshconsole.accounts import audit
from meshconsole.accounts.permissions import Verb
from meshconsole.alerts import channels, incidents, outbox, queries
from meshconsole.alerts.channels import Channel
from meshconsole.alerts.models import Incident
from meshconsole.alerts.queries import Alert
from meshconsole.configstore import store
from meshconsole.configstore.refusals import Forbidden, because
from meshconsole.slo import queries as objectives
from telemetry.query import Unavailable

from .. import content
from ..plain import plain
from ..view import View
from .mesh import seconds
from .trust import text_of

OBJECT = OpenApiTypes.OBJECT
KIND = "Alert"


class AlertView(View):
    def alert(self, alert_id: int, verb: str) -> Alert:
        found = queries.alert(alert_id)
        if found is None or not self.can(Verb.GET, KIND, found.namespace):
            raise NotFound(f"there is no alert {alert_id}")
        if verb != Verb.GET and not self.can(verb, KIND, found.namespace):
            raise Forbidden([because("MSH0403", None, f"{self.request.user} may not do this to alerts of namespace {found.namespace}")])
        return found

    def channel(self, namespace: str, name: str) -> Channel:
        found = channels.all_().get(f"{namespace}/{name}")
        if found is None:
            raise NotFound(f"there is no NotificationChannel {namespace}/{name}")
        return found


class Alerts(AlertView):
    needs = {"GET": ("get", KIND)}

    @extend_schema(
        summary="Alerts: the firing first, then the pending, then those that are over",
        responses=OBJECT,
        tags=["alerts"],
        parameters=[OpenApiParameter("namespace", str), OpenApiParameter("state", str, description="pending, firing or resolved"), OpenApiParameter("limit", int)],
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        state = self.text("state")
        if state and state not in Incident.State.values:
            raise ParseError(f"state: there are {', '.join(Incident.State.values)}")
        found = queries.alerts(self.within(KIND), [state] if state else (), self.number("limit", 200, 1, 2000))
        return Response({"items": plain(found)})


class OneAlert(AlertView):
    needs = {"GET": ("get", KIND)}

    @extend_schema(summary="One alert, and what became of its messages", responses=OBJECT, tags=["alerts"])
    def get(self, request: Request, id: int) -> Response:
        return Response({**plain(self.alert(id, Verb.GET)), "deliveries": plain(queries.history(id))})


class Acknowledge(AlertView):
    needs = {"POST": ("update", KIND)}

    @extend_schema(summary="Say that somebody is on it; its channels are told", request=None, responses=OBJECT, tags=["alerts"])
    def post(self, request: Request, id: int) -> Response:
        alert = self.alert(id, Verb.UPDATE)
        who = request.user.get_username()
        if incidents.acknowledge(id, who, timezone.now()):
            audit.record(self.author(), "acknowledge", f"Alert {alert.namespace}/{alert.rule} {alert.instance}"[:600])
        return Response(plain(self.alert(id, Verb.GET)))


class SilenceOne(AlertView):
    needs = {"POST": ("update", KIND)}

    @extend_schema(
        summary="Silence this alert for a time",
        request={"application/json": {"type": "object", "properties": {"duration": {"type": "string", "default": "1h"}, "comment": {"type": "string"}}}},
        responses=OBJECT,
        tags=["alerts"],
    )  # fmt: skip
    def post(self, request: Request, id: int) -> Response:
        alert, sent, now = self.alert(id, Verb.UPDATE), content.mapping(request), timezone.now()
        ends = now + timedelta(seconds=_span(text_of(sent, "duration", "1h")))
        made = _silence(self, alert.namespace, alert.matchers, now, ends, text_of(sent, "comment", ""))
        return Response(_silence_shown(made), status=201)


class Silences(AlertView):
    """Maintenance windows: nobody is told of what they match. `starts` may be in the future."""

    needs = {"GET": ("get", KIND), "POST": ("update", KIND)}

    @extend_schema(summary="Silences that hold or will", responses=OBJECT, tags=["alerts"])
    def get(self, request: Request) -> Response:
        return Response({"items": [_silence_shown(s) for s in queries.silences(self.within(KIND))]})

    @extend_schema(
        summary="Silence all alerts that bear these labels",
        request={"application/json": {"type": "object", "required": ["matchers"], "properties": {
            "namespace": {"type": "string", "default": "default"}, "matchers": {"type": "object", "additionalProperties": {"type": "string"}},
            "starts": {"type": "string", "format": "date-time"}, "duration": {"type": "string", "default": "1h"}, "comment": {"type": "string"},
        }}},
        responses=OBJECT,
        tags=["alerts"],
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        sent, now = content.mapping(request), timezone.now()
        namespace = text_of(sent, "namespace", "default")
        if not self.can(Verb.UPDATE, KIND, namespace):
            raise Forbidden([because("MSH0403", None, f"{request.user} may not silence alerts of namespace {namespace}")])
        starts = _time(text_of(sent, "starts", "")) or now
        matchers = sent.get("matchers")
        if not isinstance(matchers, dict):
            raise ParseError("matchers: an object of labels and their values is needed")
        made = _silence(
            self,
            namespace,
            matchers,
            starts,
            starts + timedelta(seconds=_span(text_of(sent, "duration", "1h"))),
            text_of(sent, "comment", ""),
        )
        return Response(_silence_shown(made), status=201)


class Silence(AlertView):
    needs = {"DELETE": ("update", KIND)}

    @extend_schema(summary="End a silence", responses=OBJECT, tags=["alerts"])
    def delete(self, request: Request, id: int) -> Response:
        found = next((s for s in queries.silences() if s.pk == id), None)
        if found is None or not self.can(Verb.UPDATE, KIND, found.namespace) or not incidents.end_silence(id, timezone.now()):
            raise NotFound(f"there is no living silence {id}")
        audit.record(self.author(), "delete", f"Silence {id} of {found.namespace}")
        return Response({"ended": id})


class AlertRules(View):
    needs = {"GET": ("get", "AlertRule")}

    @extend_schema(summary="Alert rules, and what each has open", responses=OBJECT, tags=["alerts"])
    def get(self, request: Request) -> Response:
        namespaces = self.within("AlertRule")
        open_ = queries.alerts(namespaces, ("pending", "firing"), 2000)
        items = []
        for rule in queries.rules(namespaces):
            row = store.get(rule.key)
            mine = [a for a in open_ if (a.kind, a.namespace, a.rule) == ("AlertRule", rule.key.namespace, rule.key.name)]
            if row is not None:
                items.append({**row.manifest(), "alerts": {s: sum(a.state == s for a in mine) for s in ("pending", "firing")}})
        return Response({"items": items})


class PrometheusRules(View):
    needs = {"GET": ("get", "AlertRule")}

    @extend_schema(
        summary="Rules and objectives as a Prometheus rule file", responses={(200, "application/yaml"): OpenApiTypes.STR}, tags=["alerts"]
    )
    def get(self, request: Request) -> HttpResponse:
        text = yaml.safe_dump(queries.prometheus_rules(self.within("AlertRule")), sort_keys=False, width=1000, allow_unicode=True)
        return HttpResponse(text, content_type="application/yaml")


class Objectives(View):
    needs = {"GET": ("get", "ServiceLevelObjective")}

    @extend_schema(summary="Service level objectives: budget left and burn rates", responses=OBJECT, tags=["alerts"])
    def get(self, request: Request) -> Response:
        try:
            found = objectives.standings(self.within("ServiceLevelObjective"))
        except Unavailable as e:
            return Response({"error": str(e), "messages": []}, status=503)
        return Response({"items": [{**plain(s), "state": s.state} for s in found]})


class Notifiers(View):
    needs = {"GET": ("get", "NotificationChannel")}

    @extend_schema(summary="Notification channels: whether they can send, and their last message", responses=OBJECT, tags=["alerts"])
    def get(self, request: Request) -> Response:
        return Response({"items": plain(queries.notifiers(self.within("NotificationChannel")))})


class NotifierSecret(AlertView):
    needs = {"PUT": ("update", "NotificationChannel")}

    @extend_schema(
        summary="Set a channel's secret; it can never be read",
        request={
            "application/json": {"type": "object", "required": ["value"], "properties": {"value": {"type": "string", "writeOnly": True}}}
        },
        responses=OBJECT,
        tags=["alerts"],
    )
    def put(self, request: Request, namespace: str, name: str) -> Response:
        channel = self.channel(namespace, name)
        try:
            with transaction.atomic():
                channels.set_secret(channel, text_of(content.mapping(request), "value", ""), request.user.get_username(), timezone.now())
                outbox.resume(channel, timezone.now())
                audit.record(self.author(), "set secret", f"NotificationChannel {namespace}/{name}")
        except ValueError as e:
            raise ParseError(f"value: {e}")
        return Response({"channel": channel.key, "set": True})


class NotifierTest(AlertView):
    needs = {"POST": ("update", "NotificationChannel")}

    @extend_schema(summary="Send a test message now, and say how it went", request=None, responses=OBJECT, tags=["alerts"])
    def post(self, request: Request, namespace: str, name: str) -> Response:
        channel = self.channel(namespace, name)
        audit.record(self.author(), "test", f"NotificationChannel {channel.key}")
        row = outbox.send_test(channel, request.user.get_username(), timezone.now())
        return Response({"sent": row.state == "sent", "error": row.error, "delivery": row.pk})


class Retry(AlertView):
    needs = {"POST": ("update", "NotificationChannel")}

    @extend_schema(summary="Try a message that was given up once more", request=None, responses=OBJECT, tags=["alerts"])
    def post(self, request: Request, id: int) -> Response:
        found = next((m for m in queries.messages(limit=2000) if m.id == id), None)
        if found is None or not self.can(Verb.UPDATE, "NotificationChannel", found.channel.partition("/")[0]):
            raise NotFound(f"there is no message {id}")
        if not outbox.retry(id, timezone.now()):
            raise ParseError(f"message {id} is {found.state}; only one that was given up can be tried again")
        return Response({"retried": id})


def _span(text: str) -> int:
    length = seconds(text)
    if not 60 <= length <= 90 * 86400:
        raise ParseError("duration: 1m to 90d")
    return length


def _time(text: str) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ParseError(f"starts: {text!r} is no time like 2026-01-31T22:00:00Z")
    return found if found.tzinfo else found.replace(tzinfo=timezone.get_default_timezone())


def _silence(view: View, namespace: str, matchers: dict[str, Any], starts: datetime, ends: datetime, comment: str) -> Any:
    author = view.author()
    try:
        with transaction.atomic():
            made = incidents.silence(namespace, matchers, starts, ends, author.user, comment, timezone.now())
            audit.record(author, "create", f"Silence {made.pk} of {namespace}", "".join(f"{k}={v}\n" for k, v in sorted(matchers.items())))
    except ValueError as e:
        raise ParseError(str(e))
    return made


def _silence_shown(s: Any) -> dict[str, Any]:
    return {"id": s.pk, **{k: plain(getattr(s, k)) for k in ("namespace", "matchers", "starts", "ends", "author", "comment", "created")}}
