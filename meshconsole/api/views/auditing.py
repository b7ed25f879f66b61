"""The audit log over REST: read, exported, verified. Only for admins of the whole mesh: an entry's text may come from any namespace."""

from datetime import UTC, datetime
from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from meshconsole.accounts import audit
from meshconsole.accounts.permissions import EVERYWHERE, Verb
from meshconsole.configstore.refusals import Forbidden, because

from ..plain import plain
from ..view import View

OBJECT = OpenApiTypes.OBJECT
WORDS = ("who", "action", "door", "object", "namespace")
FILTERS = [*(OpenApiParameter(n, str) for n in WORDS), *(OpenApiParameter(n, OpenApiTypes.DATETIME) for n in ("since", "until"))]


class AuditView(View):
    def asked(self) -> audit.Filter:
        if not self.can(Verb.GET, "AuditEntry", EVERYWHERE):
            raise Forbidden([because("MSH0403", None, "only admins of the whole mesh read the audit log")])
        text = {n: self.text(n).replace("\0", "") for n in WORDS}
        return audit.Filter(**text, since=self.moment("since"), until=self.moment("until"))

    def moment(self, name: str) -> datetime | None:
        if not (given := self.text(name)):
            return None
        try:
            found = datetime.fromisoformat(given)
        except ValueError:
            raise ParseError(f"{name}: {given!r} is no time: write 2026-01-31 or 2026-01-31T12:00:00Z")
        return found if found.tzinfo else found.replace(tzinfo=UTC)


class Audit(AuditView):
    needs = {"GET": ("get", "AuditEntry")}

    @extend_schema(
        summary="The audit log, the newest first",
        responses=OBJECT,
        tags=["trust"],
        parameters=[
            OpenApiParameter("limit", int),
            OpenApiParameter("before", int),
            *FILTERS,
            OpenApiParameter("verify", bool, description="Say in `broken` what is wrong with the chain."),
        ],
    )
    def get(self, request: Request) -> Response:
        asked = self.asked()
        limit = self.number("limit", 100, 1, 1000)
        found = audit.entries(limit=limit, before=self.number("before", 0) or None, asked=asked)
        items = [{k: plain(getattr(e, k)) for k in audit.FIELDS} for e in found]
        said: dict[str, Any] = {"items": items, "next": found[-1].number if len(found) == limit else None}
        if self.flag("verify"):
            said["broken"] = list(audit.broken())
        return Response(said)


class AuditExport(AuditView):
    needs = {"GET": ("get", "AuditEntry")}

    @extend_schema(
        summary="The audit log as JSON lines, the oldest first",
        responses={(200, "application/jsonl"): OpenApiTypes.STR},
        tags=["trust"],
        parameters=FILTERS,
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        return StreamingHttpResponse(audit.lines(self.asked()), content_type="application/jsonl; charset=utf-8")


class AuditVerify(AuditView):
    needs = {"GET": ("get", "AuditEntry")}

    @extend_schema(
        summary="Whether anybody has tampered with the log",
        responses=OBJECT,
        tags=["trust"],
        parameters=[
            OpenApiParameter("head", str, description="`NUMBER:DIGEST` as an earlier answer said it: is it still a part of the log?")
        ],
    )
    def get(self, request: Request) -> Response:
        self.asked()
        number, _, digest = self.text("head").partition(":")
        if self.text("head") and not (number.isdecimal() and len(number) < 18 and digest):
            raise ParseError("head: NUMBER:DIGEST is needed")
        verdict = audit.verify(int(number or 0), digest)
        return Response({"entries": verdict.entries, "head": f"{verdict.entries}:{verdict.digest}", "broken": list(verdict.broken)})
