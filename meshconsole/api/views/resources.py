"""Resources at Kubernetes' paths, by Kubernetes' conventions, so that kubectl and every client made for it works."""

import secrets
from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import APIException, NotFound, ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from meshconsole.configstore import sealing, selector, store
from meshconsole.configstore.models import Resource
from meshconsole.core import policies
from meshconsole.core.policies.base import Policy
from meshconsole.core.resources.catalogue import ELSEWHERE, UNPATCHABLE
from meshconsole.core.resources.messages import Invalid, Key, Level, Message
from meshconsole.topology import strictness

from .. import content, kinds, patches, shown, watching
from ..tables import table
from ..view import View

OBJECT = OpenApiTypes.OBJECT
DRY_RUN = OpenApiParameter("dryRun", str, enum=["All"])
LONGEST_WATCH = 600
"""Seconds. Clients watch again when theirs ends; a token that was revoked meanwhile cannot."""


class UnsupportedPatch(APIException):
    status_code = 415


class Kind(View):
    """What the views of one kind's resources share: the kind in the URL, and how bodies and answers look."""

    def kind_asked(self, kind: str) -> str:
        return kinds.name(self.policy)

    @property
    def policy(self) -> type[Policy]:
        return kinds.by_plural(self.kwargs["group"], self.kwargs["version"], self.kwargs["plural"])

    @property
    def api_version(self) -> str:
        return "/".join(filter(None, (self.kwargs["group"], self.kwargs["version"])))

    @property
    def dry(self) -> bool:
        return self.flag("dryRun")

    def key(self, name: str, namespace: str) -> Key:
        return Key(self.policy.group, kinds.name(self.policy), namespace, name)

    def parse(self, sent: Any, *, namespace: str, name: str = "") -> tuple[Policy, list[Message]]:
        """One resource that belongs at this URL."""
        if isinstance(sent, dict) and isinstance(sent.get("metadata"), dict):
            metadata = dict(sent["metadata"])
            metadata.setdefault("namespace", namespace)
            if "name" not in metadata and isinstance(metadata.get("generateName"), str):
                metadata["name"] = metadata["generateName"] + secrets.token_hex(3)[:5]
            sent = {"apiVersion": self.api_version, "kind": kinds.name(self.policy), **sent, "metadata": metadata}
        if self.policy.confidential and isinstance(sent, dict):
            row = store.get(self.key(name or str((sent.get("metadata") or {}).get("name")), namespace))
            sent = sealing.restored(sent, row.body if row else None)
        policy, messages = content.one(sent)
        wrong = []
        for path, is_, must in (
            ("apiVersion", policy.api_version, self.api_version),
            ("kind", policy.kind, kinds.name(self.policy)),
            ("metadata.namespace", policy.metadata.namespace, namespace),
            ("metadata.name", policy.metadata.name, name or policy.metadata.name),
        ):
            if is_ != must:
                wrong.append(Message(Level.ERROR, ELSEWHERE, f"is {is_!r}, but the URL says {must!r}", key=policy.key, path=path))
        if wrong:
            raise Invalid(wrong)
        return policy, messages

    def store(self, policy: Policy, messages: list[Message], must_exist: bool | None) -> Response:
        existed = store.get(policy.key) is not None
        messages = [*messages, *strictness.warnings([policy])]
        result = store.apply([policy], author=self.author(), dry_run=self.dry, messages=messages, must_exist=must_exist)
        if self.dry and result.changes:
            shown_ = self._as_if(policy, shown.outward(result.changes[0].after or {}))
        else:
            row = store.get(policy.key)
            if row is None:
                raise NotFound("it was deleted at the same moment")
            shown_ = shown.manifests([row], self.api_version)[0]
        answer = Response(shown_, status=200 if existed else 201)
        warn(answer, result.messages)
        return answer

    def _as_if(self, policy: Policy, body: dict[str, Any]) -> dict[str, Any]:
        """The answer of a dry run: what would be stored, with what is known of the stored one."""
        row = store.get(policy.key)
        known = row.manifest()["metadata"] if row else {}
        kept = {k: known[k] for k in ("uid", "resourceVersion", "generation", "creationTimestamp") if k in known}
        return {**body, "apiVersion": self.api_version, "metadata": {**body.get("metadata", {}), **kept}}


def warn(answer: Response, messages: list[Message]) -> None:
    """As kubectl shows them: RFC 7234's Warning header. Several go into one, separated by commas."""
    said = []
    for m in messages:
        text = f"{m.code}: {m.path + ': ' if m.path else ''}{m.text}".encode("ascii", "replace").decode()
        said.append('299 - "' + "".join(c if c.isprintable() else " " for c in text).replace("\\", "\\\\").replace('"', '\\"')[:500] + '"')
    if said:
        answer["Warning"] = ", ".join(said[:20])


class Many(Kind):
    """The resources of one kind, in one namespace or in all."""

    needs = {"GET": ("get", ""), "POST": ("create", ""), "DELETE": ("delete", "")}

    @extend_schema(
        summary="List or watch",
        responses=OBJECT,
        tags=["kubernetes"],
        parameters=[OpenApiParameter(n, str) for n in ("labelSelector", "fieldSelector", "watch", "resourceVersion", "timeoutSeconds")],
    )
    def get(self, request: Request, group: str, version: str, plural: str, namespace: str = "") -> Response | StreamingHttpResponse:
        selected = self.selected()
        if self.flag("watch"):
            since = self.number("resourceVersion", 0)
            seconds = min(self.number("timeoutSeconds", 300), LONGEST_WATCH)
            events = watching.events(lambda: shown.manifests(selected(), self.api_version), since, seconds)
            return StreamingHttpResponse(events, content_type="application/json")
        revision = store.latest()  # before the list: a watch from there on misses nothing
        items = shown.manifests(selected(), self.api_version)
        if "as=Table" in request.headers.get("Accept", ""):
            return Response(table(self.policy, items, revision, with_objects=self.text("includeObject", "Metadata")))
        metadata = {"resourceVersion": str(revision)}
        return Response({"apiVersion": self.api_version, "kind": kinds.name(self.policy) + "List", "metadata": metadata, "items": items})

    def selected(self) -> Any:
        """A function that reads what the query selects, now."""
        kind, group, namespace = kinds.name(self.policy), self.policy.group, self.kwargs.get("namespace")
        labels, fields = self.text("labelSelector"), self.fields()
        try:
            selector.parse(labels)
        except ValueError as e:
            raise ParseError(str(e))
        visible = self.namespaces(kind)

        def read() -> list[Resource]:
            rows = store.list_(kind, namespace, labels or None, group=group)
            return [
                r
                for r in rows
                if (visible is None or r.namespace in visible)
                and fields.get("metadata.name", r.name) == r.name
                and fields.get("metadata.namespace", r.namespace) == r.namespace
            ]

        return read

    def fields(self) -> dict[str, str]:
        found = {}
        for part in filter(None, self.text("fieldSelector").split(",")):
            name, separator, value = part.partition("=")
            if name not in ("metadata.name", "metadata.namespace") or not separator:
                raise ParseError(f"fieldSelector: {part!r}: only metadata.name=… and metadata.namespace=… are supported")
            found[name] = value.removeprefix("=")
        return found

    @extend_schema(summary="Create", request=OBJECT, responses=OBJECT, parameters=[DRY_RUN], tags=["kubernetes"])
    def post(self, request: Request, group: str, version: str, plural: str, namespace: str = "") -> Response:
        sent = content.mapping(request)
        policy, messages = self.parse(sent, namespace=namespace or (sent.get("metadata") or {}).get("namespace") or "default")
        return self.store(policy, messages, must_exist=False)

    @extend_schema(summary="Delete those that the selectors name", responses=OBJECT, parameters=[DRY_RUN], tags=["kubernetes"])
    def delete(self, request: Request, group: str, version: str, plural: str, namespace: str = "") -> Response:
        rows = self.selected()()
        store.delete([r.key for r in rows], author=self.author(), dry_run=self.dry)
        return Response(
            {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": {"kind": plural, "group": group}}
        )


class One(Kind):
    needs = {"GET": ("get", ""), "PUT": ("update", ""), "PATCH": ("update", ""), "DELETE": ("delete", "")}

    def row(self) -> Resource:
        name, namespace = self.kwargs["name"], self.kwargs["namespace"]
        if (row := store.get(self.key(name, namespace))) is None:
            raise NotFound(f'{self.policy.plural}.{self.policy.group} "{name}" not found')
        return row

    @extend_schema(summary="Read", responses=OBJECT, tags=["kubernetes"])
    def get(self, request: Request, **where: str) -> Response:
        found = shown.manifests([self.row()], self.api_version)
        if "as=Table" in request.headers.get("Accept", ""):
            return Response(table(self.policy, found, store.latest(), with_objects=self.text("includeObject", "Metadata")))
        return Response(found[0])

    @extend_schema(summary="Replace", request=OBJECT, responses=OBJECT, parameters=[DRY_RUN], tags=["kubernetes"])
    def put(self, request: Request, **where: str) -> Response:
        policy, messages = self.parse(content.mapping(request), namespace=where["namespace"], name=where["name"])
        self.row()
        return self.store(policy, messages, must_exist=True)

    @extend_schema(
        summary="Change in part",
        request={
            "application/merge-patch+json": OBJECT,
            "application/json-patch+json": OBJECT,
            "application/apply-patch+yaml": OpenApiTypes.STR,
        },
        responses=OBJECT,
        parameters=[DRY_RUN],
        tags=["kubernetes"],
    )
    def patch(self, request: Request, **where: str) -> Response:
        how = request.content_type.split(";")[0].strip()
        if how == "application/apply-patch+yaml":
            return self._server_side_apply(request)
        if how not in ("application/merge-patch+json", "application/json-patch+json", "application/strategic-merge-patch+json"):
            raise UnsupportedPatch(f"{how or 'nothing'} is not a kind of patch that is supported")
        patch = content.data(request)
        row = self.row()
        before = shown.manifests([row], self.api_version)[0]
        try:
            # Kubernetes itself has no strategic merge for custom kinds; what the two have in common is right.
            after = patches.apply(before, patch) if how == "application/json-patch+json" else patches.merge(before, patch)
        except ValueError as e:
            raise Invalid([Message(Level.ERROR, UNPATCHABLE, str(e), key=row.key)])
        policy, messages = self.parse(after, namespace=where["namespace"], name=where["name"])
        return self.store(policy, messages, must_exist=True)

    def _server_side_apply(self, request: Request) -> Response:
        """`kubectl apply --server-side`. All fields have one owner here, so what is applied is the whole resource."""
        found, messages = policies.parse(content.raw(request))
        if len(found) != 1:
            raise ParseError("Send one resource")
        policy, _ = self.parse(policies.dump(found[0]), namespace=self.kwargs["namespace"], name=self.kwargs["name"])
        return self.store(policy, messages, must_exist=None)

    @extend_schema(summary="Delete", responses=OBJECT, parameters=[DRY_RUN], tags=["kubernetes"])
    def delete(self, request: Request, **where: str) -> Response:
        options = content.mapping(request)
        row = self.row()
        conditions = options.get("preconditions") or {}
        if not isinstance(conditions, dict):
            raise ParseError("preconditions: an object is needed")
        store.delete(
            [row.key],
            author=self.author(),
            dry_run=self.dry or bool(options.get("dryRun")),
            resource_version=conditions.get("resourceVersion"),
            uid=conditions.get("uid"),
        )
        details = {"name": row.name, "group": row.group, "kind": self.policy.plural, "uid": row.uid}
        return Response({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
