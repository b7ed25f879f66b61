"""Why does this request go there? `GET /api/v1/explain`"""

from dataclasses import asdict
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound, ParseError, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from meshconsole.core import explaining
from meshconsole.xds import explaining as asking

from ..plain import plain
from ..view import View

HIDDEN = "hidden: in a namespace that you may not see"


class Explain(View):
    needs = {"GET": ("get", "Proxy")}

    @extend_schema(
        summary="Where a request would go, and by which policies",
        responses=OpenApiTypes.OBJECT,
        tags=["mesh"],
        parameters=[
            OpenApiParameter("from", str, required=True, description="`namespace/name` of the calling workload or gateway."),
            OpenApiParameter("to", str, required=True, description="Host as the application writes it: `reviews:9080`."),
            OpenApiParameter("path", str, description="`/` by default; with its query."),
            OpenApiParameter("method", str, description="GET by default."),
            OpenApiParameter("header", str, many=True, description="`name: value`; may be given several times."),
        ],
    )
    def get(self, request: Request) -> Response:
        caller, host = self.text("from"), self.text("to")
        if not caller or not host:
            raise ParseError("`from` (namespace/name of a workload) and `to` (a host) are needed")
        if not self.can("get", "Proxy", caller.partition("/")[0]):
            raise PermissionDenied(f"You may not see the proxies of namespace {caller.partition('/')[0]}.")
        asked = explaining.Request(host, self.text("path") or "/", (self.text("method") or "GET").upper(), self.headers_asked())
        try:
            found = asking.why(caller, asked)
        except asking.Unknown as e:
            raise NotFound(str(e))
        return Response(plain(shown(found, self.namespaces("Proxy"))))

    def headers_asked(self) -> dict[str, str]:
        found = {}
        for line in self.request.query_params.getlist("header"):
            name, colon, value = line.partition(":")
            if not colon or not name.strip():
                raise ParseError(f"header: {line!r} is not `name: value`")
            found[name.strip().lower()] = value.strip()
        return found


def shown(found: explaining.Explanation, namespaces: set[str] | None) -> dict[str, Any]:
    """`namespaces`: what lies in others keeps its verdict, and nothing else."""
    said = asdict(found)
    for destination in said["destinations"]:
        for instance in destination["instances"]:
            namespace = instance["workload"].partition("/")[0]
            if namespaces is not None and namespace and namespace not in namespaces:
                instance |= {"workload": "", "address": "", "words": HIDDEN, "line": "", "policies": ()}
    return said
