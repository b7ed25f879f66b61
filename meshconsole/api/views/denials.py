"""Who was denied by what; and what dry-run policies would deny."""

import time
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from telemetry import logs
from telemetry.refusals import Refusal, refusals

from ..plain import plain
from .logs import LONGEST
from .mesh import NAMESPACE, MeshView, seconds


def shown(r: Refusal) -> dict[str, Any]:
    return {
        "words": r.words,
        "policies": [p._asdict() for p in r.policies],
        "line": r.line,
        "caller": r.caller,
        "principal": r.principal,
        "target": r.target,
        "service": r.service,
        "method": r.method,
        "path": r.path,
        "count": r.count,
        "last": r.last,
    }


class Denials(MeshView):
    needs = {"GET": ("get", "Log")}

    @extend_schema(
        summary="Denied requests by policy, caller and path",
        responses=OpenApiTypes.OBJECT,
        tags=["logs"],
        parameters=[
            NAMESPACE,
            OpenApiParameter("window", str, description="`5m`, `1h`, `2d`; 1h by default."),
            OpenApiParameter("workload", str),
            OpenApiParameter("service", str),
            OpenApiParameter("policy", str),
            OpenApiParameter("dryRun", bool, description="What dry-run policies would have denied, instead of what was denied."),
        ],
    )
    def get(self, request: Request) -> Response:
        asked = logs.Asked(
            namespaces=self.within("Log"), workload=self.text("workload"), service=self.text("service"), policy=self.text("policy")
        )
        end = time.time() + 60
        found = refusals(asked, end - 60 - min(seconds(self.text("window", "1h")), LONGEST), end, would=self.flag("dryRun"))
        return Response(plain({"items": [shown(r) for r in found.groups], "count": found.count, "more": found.more}))
