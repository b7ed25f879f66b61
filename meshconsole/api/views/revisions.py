"""History: revisions, what each changed, whether the proxies have it, and the ways back."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from meshconsole.configstore import store
from meshconsole.xds import status

from .. import content, kinds, shown
from ..plain import plain
from ..view import PerResource, View

OBJECT = OpenApiTypes.OBJECT


class Revisions(View):
    needs = {"GET": ("get", "*")}

    @extend_schema(
        summary="Revisions, the newest first",
        responses=OBJECT,
        tags=["history"],
        parameters=[OpenApiParameter("limit", int), OpenApiParameter("before", int, description="Page on from this number.")],
    )
    def get(self, request: Request) -> Response:
        limit, before = self.number("limit", 50, 1, 500), self.number("before", 0) or None
        found = store.revisions(limit, before)
        items = [one for r in found if (one := shown.revision(r, self.can))]
        return Response({"items": items, "next": found[-1].number if len(found) == limit else None})


class Revision(View):
    needs = {"GET": ("get", "*")}

    @extend_schema(summary="A revision with its diffs", responses=OBJECT, tags=["history"])
    def get(self, request: Request, number: int) -> Response:
        found = store.revision(number)
        if found is None or (one := shown.revision(found, self.can, whole=True)) is None:
            raise NotFound(f"there is no revision {number}")
        return Response(one)


class RevisionStatus(View):
    """What `apply --wait` asks until it is told `programmed` or `failed`."""

    needs = {"GET": ("get", "Proxy")}

    @extend_schema(summary="Whether the proxies have taken a revision", responses=OBJECT, tags=["history"])
    def get(self, request: Request, number: int) -> Response:
        if number > store.latest() or number < 1:
            raise NotFound(f"there is no revision {number}")
        return Response({"revision": number, **plain(status.revision_status(number))})


class RollbackRevision(View):
    needs = {"POST": PerResource}

    @extend_schema(summary="Undo a revision", request=None, responses=OBJECT, tags=["history"])
    def post(self, request: Request, number: int) -> Response:
        dry = self.flag("dryRun")
        result = store.rollback_revision(number, author=self.author(), message=self.text("message")[:1000], dry_run=dry)
        return Response(shown.applied(result, dry))


class RestoreRevision(View):
    needs = {"POST": PerResource}

    @extend_schema(summary="Everything as it was after a revision", request=None, responses=OBJECT, tags=["history"])
    def post(self, request: Request, number: int) -> Response:
        dry = self.flag("dryRun")
        result = store.restore(number, author=self.author(), message=self.text("message")[:1000], dry_run=dry)
        return Response(shown.applied(result, dry))


class Rollback(View):
    needs = {"POST": PerResource}

    @extend_schema(
        summary="One resource as it was after a revision",
        request={"application/json": {"type": "object", "required": ["kind", "name", "revision"], "properties": {
            "group": {"type": "string"}, "kind": {"type": "string"}, "namespace": {"type": "string", "default": "default"},
            "name": {"type": "string"}, "revision": {"type": "integer"}, "message": {"type": "string"},
        }}},
        responses=OBJECT,
        tags=["history"],
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        sent = content.mapping(request)
        number = sent.get("revision")
        if not isinstance(number, int) or isinstance(number, bool):
            raise ParseError("revision: a whole number is needed")
        key = kinds.key({k: v for k, v in sent.items() if isinstance(v, str)})
        dry = self.flag("dryRun")
        result = store.rollback(key, number, author=self.author(), message=str(sent.get("message") or "")[:1000], dry_run=dry)
        return Response(shown.applied(result, dry))


class History(View):
    needs = {"GET": ("get", "*")}

    @extend_schema(
        summary="A resource's changes, the newest first",
        responses=OBJECT,
        tags=["history"],
        parameters=[OpenApiParameter(n, str, required=n in ("kind", "name")) for n in ("kind", "name", "namespace", "group")],
    )
    def get(self, request: Request) -> Response:
        key = kinds.key({k: str(v) for k, v in request.query_params.items()})
        found = store.history(key, self.number("limit", 100, 1, 1000)) if self.can("get", key.kind, key.namespace) else []
        if not found:
            raise NotFound(f"{key} never existed")
        return Response({"items": [shown.entry(c) for c in found]})
