"""Mutual TLS as it is demanded and as it is spoken."""

import time

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from meshconsole.topology import strictness
from telemetry.query import Unavailable

from .mesh import NAMESPACE, WINDOW, MeshView, seconds


class Mtls(MeshView):
    needs = {"GET": ("get", "Topology")}

    @extend_schema(
        summary="What each workload demands of its callers, and who sends it plaintext",
        responses=OpenApiTypes.OBJECT,
        tags=["mesh"],
        parameters=[NAMESPACE, WINDOW],
    )
    def get(self, request: Request) -> Response:
        end = time.time()
        try:
            found = strictness.demands(end - min(seconds(self.text("window", "24h")), 30 * 86400), end, self.within("Topology"))
        except Unavailable as e:
            return Response({"error": str(e), "messages": []}, status=503)
        return Response({
            "items": [
                {
                    "namespace": d.namespace, "name": d.name, "mode": d.mode, "ports": dict(d.ports), "policy": str(d.by) if d.by else None,
                    "state": d.state, "requests": d.inbound.secured, "plaintext": d.inbound.plaintext, "plaintextShare": d.inbound.share,
                    "callers": [{"name": name, "requests": n} for name, n in d.inbound.callers],
                }
                for d in found
            ]
        })  # fmt: skip
