"""The API's page: made from the OpenAPI document, with nothing from anyone else's servers."""

from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views import View
from drf_spectacular.generators import SchemaGenerator


class Docs(LoginRequiredMixin, View):
    def get(self, request: HttpRequest) -> HttpResponse:
        schema = SchemaGenerator().get_schema(request=None, public=True)
        return render(request, "api/docs.html", {"sections": sections(schema)})


def sections(schema: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            if method not in ("get", "post", "put", "patch", "delete"):
                continue
            tag = (operation.get("tags") or ["other"])[0]
            found.setdefault(tag, []).append({
                "method": method.upper(),
                "path": path,
                "summary": operation.get("summary") or operation.get("description", ""),
                "parameters": operation.get("parameters", []),
                "bodies": sorted(operation.get("requestBody", {}).get("content", {})),
            })  # fmt: skip
    return sorted(found.items())
