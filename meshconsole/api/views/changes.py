"""Changing what is said, many resources at once: apply, diff, analyze; and looking at what there is."""

from collections.abc import Iterable
from dataclasses import replace

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from meshconsole.accounts.author import Author
from meshconsole.configstore import mesh, store
from meshconsole.core import analysis
from meshconsole.core.policies.base import Policy
from meshconsole.core.resources.messages import Key, Level, Message
from meshconsole.discovery import registry
from meshconsole.topology import strictness
from meshconsole.xds import unbound

from .. import content, kinds, shown
from ..plain import message as as_json
from ..view import LoggedIn, PerResource, View

YAML = {"application/yaml": OpenApiTypes.STR, "application/json": OpenApiTypes.OBJECT}
DRY_RUN = OpenApiParameter("dryRun", bool, description="Say what would happen; store nothing.")
MESSAGE = OpenApiParameter("message", str, description="Why: kept with the revision.")


def reader(author: Author) -> Author:
    """The same person where nothing will be written: who may see a resource may ask what a change of it would do."""
    return replace(author, may=lambda verb, kind, namespace: author.may("get", kind, namespace))


class Apply(View):
    needs = {"POST": PerResource}

    @extend_schema(
        summary="Store resources, all or none", request=YAML, responses=OpenApiTypes.OBJECT, parameters=[DRY_RUN, MESSAGE], tags=["changes"]
    )
    def post(self, request: Request) -> Response:
        dry = self.flag("dryRun")
        with content.placing(request) as lines:
            found, messages = content.resources(request)
            messages = [*messages, *strictness.warnings(found)]
            result = store.apply(found, author=self.author(), message=self.text("message")[:1000], dry_run=dry, messages=messages)
            result = replace(result, messages=lines(result.messages))
        return Response(shown.applied(result, dry))


class Delete(View):
    needs = {"POST": PerResource}

    @extend_schema(
        summary="Delete resources, all or none",
        request={"application/json": {"type": "object", "properties": {"resources": {"type": "array", "items": {"type": "object"}}}}},
        responses=OpenApiTypes.OBJECT,
        parameters=[DRY_RUN, MESSAGE],
        tags=["changes"],
    )
    def post(self, request: Request) -> Response:
        named = content.mapping(request).get("resources")
        if not isinstance(named, list) or not named or not all(isinstance(n, dict) for n in named):
            raise ParseError("resources: a list of {kind, namespace, name} is needed")
        keys = [kinds.key({k: v for k, v in n.items() if isinstance(v, str)}) for n in named]
        dry = self.flag("dryRun")
        result = store.delete(keys, author=self.author(), message=self.text("message")[:1000], dry_run=dry)
        return Response(shown.applied(result, dry))


class Diff(View):
    needs = {"POST": ("get", "*")}

    @extend_schema(summary="What applying would change", request=YAML, responses=OpenApiTypes.OBJECT, tags=["changes"])
    def post(self, request: Request) -> Response:
        with content.placing(request) as lines:
            found, messages = content.resources(request)
            messages = [*messages, *strictness.warnings(found)]
            result = store.apply(found, author=reader(self.author()), dry_run=True, messages=messages)
            result = replace(result, messages=lines(result.messages))
        return Response(shown.applied(result, True))


class Analyze(View):
    """GET looks at what is stored; POST at what is stored with what was sent put over it."""

    needs = {"GET": ("get", "*"), "POST": ("get", "*")}

    @extend_schema(summary="Findings among the stored resources", responses=OpenApiTypes.OBJECT, tags=["changes"])
    def get(self, request: Request) -> Response:
        return self._answer(self._findings({p.key: p for p in store.resources()}))

    @extend_schema(
        summary="Findings among the stored resources with these put over them",
        request=YAML,
        responses=OpenApiTypes.OBJECT,
        tags=["changes"],
    )
    def post(self, request: Request) -> Response:
        with content.placing(request) as lines:
            found, messages = content.readable(request)
            said = self._findings({p.key: p for p in store.resources()} | {p.key: p for p in found})
            return self._answer(lines(analysis.beside(messages, said)), lines(messages))

    def _findings(self, policies: dict[Key, Policy]) -> list[Message]:
        found = analysis.analyze(list(policies.values()), registry.workloads() or None, mesh.config())
        return [*found, *unbound.findings(policies.values())]

    def _answer(self, found: list[Message], own: Iterable[Message] = ()) -> Response:
        """`own`: of what was sent."""
        seen = [*own, *(m for m in found if m.key is None or self.can("get", m.key.kind, m.key.namespace))]
        return Response({"messages": [as_json(m) for m in seen], "errors": sum(m.level == Level.ERROR for m in seen)})


class Resources(View):
    needs = {"GET": ("get", "*")}

    @extend_schema(
        summary="Stored resources of every kind",
        responses=OpenApiTypes.OBJECT,
        tags=["resources"],
        parameters=[OpenApiParameter(n, str) for n in ("kind", "namespace", "name", "labelSelector")],
    )
    def get(self, request: Request) -> Response:
        rows = []
        wanted = [kinds.name(k) for k in kinds.named(self.text("kind"))] if self.text("kind") else [None]
        if not wanted:
            raise kinds.unknown(self.text("kind"))
        try:
            for kind in wanted:
                rows += store.list_(kind, self.text("namespace") or None, self.text("labelSelector") or None)
        except ValueError as e:
            raise ParseError(str(e))
        rows = [r for r in rows if self.can("get", r.kind, r.namespace) and self.text("name") in ("", r.name)]
        return Response({"items": shown.manifests(rows), "revision": store.latest()})


class Schemas(View):
    needs = {"GET": LoggedIn}

    @extend_schema(summary="The kinds of resources", responses=OpenApiTypes.OBJECT, tags=["resources"])
    def get(self, request: Request) -> Response:
        return Response({
            "items": [
                {
                    "kind": kinds.name(k),
                    "group": k.group,
                    "versions": list(k.versions),
                    "apiVersion": f"{k.group}/{k.versions[0]}",
                    "plural": k.plural,
                    "shortNames": list(k.short_names),
                    "description": (k.__doc__ or "").strip(),
                }
                for k in kinds.all_()
            ]
        })  # fmt: skip


class Schema(View):
    needs = {"GET": LoggedIn}

    @extend_schema(summary="The JSON schema of a kind", responses=OpenApiTypes.OBJECT, tags=["resources"])
    def get(self, request: Request, kind: str) -> Response:
        found = next(kinds.named(kind), None)
        if found is None:
            raise kinds.unknown(kind)
        return Response(kinds.schema(found))
