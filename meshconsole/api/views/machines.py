"""What machines ask: whether the console lives, its own figures, where the proxies are."""

from django.db import connection
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from prometheus_client import CollectorRegistry, generate_latest
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from meshconsole import measures
from meshconsole.configstore import store
from meshconsole.discovery import scraping

from ..present import Present
from ..view import Anyone, View


class Healthz(View):
    """This process answers. Says nothing of the database, so that a restart is not the answer to its trouble."""

    needs = {"GET": Anyone}
    authentication_classes = ()

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        return Response({"status": "ok"})


class Readyz(View):
    """This process can work: the database answers and has our tables."""

    needs = {"GET": Anyone}
    authentication_classes = ()

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        try:
            connection.ensure_connection()
            store.latest()
        except Exception as e:
            return Response({"status": "unavailable", "database": type(e).__name__}, status=503)
        return Response({"status": "ok", "database": "ok"})


class Metrics(View):
    """Counts only, no names: as Prometheus expects, without a login."""

    needs = {"GET": Anyone}
    authentication_classes = ()

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        present = CollectorRegistry()
        present.register(Present())
        text = generate_latest(present) + generate_latest(measures.registry())
        return HttpResponse(text, content_type="text/plain; version=0.0.4; charset=utf-8")


class PrometheusTargets(View):
    needs = {"GET": ("get", "Proxy")}

    @extend_schema(summary="Prometheus' HTTP service discovery: one target per proxy", responses=OpenApiTypes.OBJECT, tags=["machines"])
    def get(self, request: Request) -> Response:
        return Response(scraping.targets(self.namespaces("Proxy")))


class Nothing(View):
    """Below the API's roots an unknown path is answered in JSON too."""

    needs = dict.fromkeys(("GET", "POST", "PUT", "PATCH", "DELETE"), Anyone)

    @extend_schema(exclude=True)
    def get(self, request: Request, path: str = "") -> Response:
        raise NotFound(f"there is nothing at {request.path}")

    post = put = patch = delete = get
