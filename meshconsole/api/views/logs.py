"""Access logs: search, and what came since."""

import time
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from telemetry import flags, logs

from ..plain import plain
from ..view import View
from .mesh import NAMESPACE, MeshView, seconds

OBJECT = OpenApiTypes.OBJECT
LONGEST = 30 * 86400


def shown(entry: logs.Entry) -> dict[str, Any]:
    r = entry.record
    return {
        "id": entry.id,
        "at": r.at / 1e6,
        "reporter": r.reporter,
        "namespace": r.namespace,
        "workload": r.workload,
        "service": r.service,
        "peerNamespace": r.peer_namespace,
        "peer": r.peer,
        "protocol": r.protocol,
        "code": r.code,
        "flags": list(flags.split(r.flags)),
        "words": [*([r.denied] if r.denied else []), *flags.in_words(r.flags)],
        "durationMs": r.ms,
        "trace": r.trace,
        "denied": r.denied,
        "wouldBeDeniedBy": r.would.split(",") if r.would else [],
        "policies": [p._asdict() for p in r.policies],
        **r.said,
    }


class Logs(MeshView):
    needs = {"GET": ("get", "Log")}

    @extend_schema(
        summary="Search access logs",
        responses=OBJECT,
        tags=["logs"],
        parameters=[
            NAMESPACE,
            OpenApiParameter("window", str, description="`5m`, `1h`, `2d`; 1h by default."),
            OpenApiParameter("workload", str, description="`name` or `namespace/name`, at either end."),
            OpenApiParameter("service", str),
            OpenApiParameter("code", str, description="`503`, `5xx`, `>=400`."),
            OpenApiParameter("flag", str, description="One of Envoy's response flags, `UF`."),
            OpenApiParameter(
                "policy", str, description="`namespace/name`, or `Kind namespace/name`: what acted, denied, or would have denied."
            ),
            OpenApiParameter("trace", str),
            OpenApiParameter("path", str, description="A part of the path."),
            OpenApiParameter("reporter", str, enum=["source", "destination"]),
            OpenApiParameter("denied", bool),
            OpenApiParameter("would", bool, description="Only what dry-run policies would have denied."),
            OpenApiParameter("minMs", int),
            OpenApiParameter("after", int, description="An entry's id: only what came later."),
            OpenApiParameter("limit", int),
        ],
    )
    def get(self, request: Request) -> Response:
        asked = logs.Asked(
            namespaces=self.within("Log"),
            workload=self.text("workload"),
            service=self.text("service"),
            code=self.text("code"),
            flag=self.text("flag"),
            policy=self.text("policy"),
            trace=self.text("trace"),
            path=self.text("path"),
            reporter=self.text("reporter"),
            denied=self.flag("denied"),
            would=self.flag("would"),
            min_ms=self.number("minMs", 0),
        )
        if wrong := list(asked.problems()):
            raise ParseError("; ".join(wrong))
        end = time.time() + 60
        window = min(seconds(self.text("window", "1h")), LONGEST)
        found = logs.search(asked, end - 60 - window, end, limit=self.number("limit", 100, 1, logs.MOST), after=self.number("after", 0))
        return Response(plain({"items": [shown(e) for e in found.entries], "more": found.more}))


class Log(View):
    needs = {"GET": ("get", "Log")}

    @extend_schema(summary="One record of the access log", responses=OBJECT, tags=["logs"])
    def get(self, request: Request, id: int) -> Response:
        found = logs.one(id, self.namespaces("Log"))
        if found is None:
            raise NotFound(f"There is no record {id}; it may not have been kept.")
        return Response(plain(shown(found)))
