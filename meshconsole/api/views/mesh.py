"""What there is and what happens: proxies, services, workloads, the topology, figures."""

import re
import time
from datetime import UTC, datetime
from typing import Any, cast

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from meshconsole.discovery import registry
from meshconsole.topology import queries
from meshconsole.topology.graph import GraphKind
from meshconsole.xds import configdump, held, status
from telemetry import query

from ..plain import plain
from ..view import View

OBJECT = OpenApiTypes.OBJECT
NAMESPACE = OpenApiParameter("namespace", str)
WINDOW = OpenApiParameter("window", str, description="`60s`, `5m`, `1h`, `7d`; 60s by default.")
KIND = OpenApiParameter("kind", str, enum=["workload", "versionedApp", "app", "service"])
AT = OpenApiParameter("at", str, description="The end of the window, in the past: `2026-01-31T22:00:00Z`. Now by default.")
TYPES = {"clusters": "cds", "endpoints": "eds", "listeners": "lds", "routes": "rds", "secrets": "sds"}
_SPAN = re.compile(r"^(\d{1,9})(s|m|h|d)?$")


def seconds(text: str) -> int:
    """`60s`, `5m`, `1h`, `7d`, or plain seconds."""
    if not (found := _SPAN.match(text)):
        raise ParseError(f"{text!r} is not a span of time: write 60s, 5m, 1h or 7d")
    return int(found[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[found[2] or "s"]


class MeshView(View):
    def seen(self, things: list[Any], kind: str) -> list[Any]:
        """Those in the namespace asked for that the asker may see."""
        namespaces = self.within(kind)
        return [t for t in things if namespaces is None or t.namespace in namespaces]

    def window(self) -> tuple[float, float]:
        end = time.time()
        return end - min(seconds(self.text("window", "60s")), 30 * 86400), end


class Proxies(MeshView):
    needs = {"GET": ("get", "Proxy")}

    @extend_schema(summary="Proxies and whether they are in sync", responses=OBJECT, tags=["mesh"], parameters=[NAMESPACE])
    def get(self, request: Request) -> Response:
        return Response({"items": plain(self.seen(status.proxies(), "Proxy"))})


class Proxy(MeshView):
    needs = {"GET": ("get", "Proxy")}

    @extend_schema(summary="One proxy", responses=OBJECT, tags=["mesh"])
    def get(self, request: Request, namespace: str, name: str) -> Response:
        if (found := status.proxy(f"{namespace}/{name}")) is None:
            raise NotFound(f"there is no proxy {namespace}/{name}")
        return Response(plain(found))


class ProxyConfig(MeshView):
    needs = {"GET": ("get", "Proxy")}

    @extend_schema(
        summary="What a proxy's Envoy is to run",
        responses=OBJECT,
        tags=["mesh"],
        parameters=[OpenApiParameter("type", str, enum=list(TYPES), description="Without it: all.")],
    )
    def get(self, request: Request, namespace: str, name: str) -> Response:
        wanted = self.text("type")
        if wanted and wanted not in TYPES:
            raise ParseError(f"type: {wanted!r} is none of {', '.join(TYPES)}")
        if (found := configdump.configdump(f"{namespace}/{name}")) is None:
            raise NotFound(f"there is no proxy {namespace}/{name}")
        return Response(by_name(plain(found), wanted))


class ProxyDiff(MeshView):
    needs = {"GET": ("get", "Proxy")}

    @extend_schema(summary="What a proxy should have beside what its Envoy has acknowledged", responses=OBJECT, tags=["mesh"])
    def get(self, request: Request, namespace: str, name: str) -> Response:
        if status.proxy(f"{namespace}/{name}") is None:
            raise NotFound(f"there is no proxy {namespace}/{name}")
        found = held.ask(f"{namespace}/{name}")
        return Response({"connected": found is not None, "items": plain(found or [])})


def by_name(dump: dict[str, Any], wanted: str) -> dict[str, Any]:
    """The dump's types by the names that people use; routes hold route configurations and virtual hosts."""
    found = {name: dump.get(type_, dump.get(name, [])) for name, type_ in TYPES.items()}
    found["virtualHosts"] = dump.get("vhds", [])
    if not wanted:
        return found
    return {name: found[name] for name in ((wanted, "virtualHosts") if wanted == "routes" else (wanted,))}


class Services(MeshView):
    needs = {"GET": ("get", "Service")}

    @extend_schema(summary="Services and their endpoints", responses=OBJECT, tags=["mesh"], parameters=[NAMESPACE])
    def get(self, request: Request) -> Response:
        return Response({"items": plain(self.seen(registry.services(), "Service"))})


class Workloads(MeshView):
    needs = {"GET": ("get", "Workload")}

    @extend_schema(summary="Workloads", responses=OBJECT, tags=["mesh"], parameters=[NAMESPACE])
    def get(self, request: Request) -> Response:
        return Response({"items": [{"id": w.id, **plain(w)} for w in self.seen(registry.workloads(), "Workload")]})


class TopologyView(MeshView):
    def moment(self) -> float | None:
        """`at`, unix seconds; None: now."""
        text = self.text("at", "")
        if not text:
            return None
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            raise ParseError(f"at: {text!r} is no time like 2026-01-31T22:00:00Z")
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()

    def question(self) -> queries.Question:
        namespaces = self.within("Topology")
        try:
            return queries.Question(
                seconds(self.text("window", "60s")),
                cast(GraphKind, self.text("kind", "versionedApp")),
                None if namespaces is None else frozenset(namespaces),
                self.moment(),
            )
        except ValueError as e:
            raise ParseError(str(e))


class Topology(TopologyView):
    needs = {"GET": ("get", "Topology")}

    @extend_schema(
        summary="Who calls whom",
        responses=OBJECT,
        tags=["mesh"],
        parameters=[WINDOW, NAMESPACE, KIND, AT],
    )
    def get(self, request: Request) -> HttpResponse:
        # Bytes that are encoded once for all who ask: a large graph is megabytes.
        return HttpResponse(queries.current_json(self.question()), content_type="application/json")


class Comparison(TopologyView):
    needs = {"GET": ("get", "Topology")}

    @extend_schema(
        summary="What is new, gone, slower or failing since some time ago",
        responses=OBJECT,
        tags=["mesh"],
        parameters=[WINDOW, NAMESPACE, KIND, AT, OpenApiParameter("ago", str, description="`1h` by default: how long before `at`.")],
    )
    def get(self, request: Request) -> HttpResponse:
        ago = seconds(self.text("ago", "1h"))
        if not 10 <= ago <= 90 * 86400:
            raise ParseError("ago: 10s to 90d")
        return HttpResponse(queries.compare_json(self.question(), ago), content_type="application/json")


class Strip(TopologyView):
    needs = {"GET": ("get", "Topology")}

    @extend_schema(
        summary="Requests per second and error share over a span, for finding the moment",
        responses=OBJECT,
        tags=["mesh"],
        parameters=[NAMESPACE, OpenApiParameter("span", str, description="`1h` by default; up to 30d."), AT],
    )
    def get(self, request: Request) -> Response:
        span = seconds(self.text("span", "1h"))
        if not 60 <= span <= 30 * 86400:
            raise ParseError("span: 1m to 30d")
        end = self.moment() or time.time()
        return Response(queries.strip(self.within("Topology"), end - span, end))


class Metrics(MeshView):
    """The golden signals of each edge: who called whom how often, how fast, how well."""

    needs = {"GET": ("get", "Topology")}

    @extend_schema(summary="Figures of each edge", responses=OBJECT, tags=["mesh"], parameters=[WINDOW, NAMESPACE])
    def get(self, request: Request) -> Response:
        start, end = self.window()
        return Response({"start": start, "end": end, "items": plain(query.summaries(start, end, self.within("Topology")))})
