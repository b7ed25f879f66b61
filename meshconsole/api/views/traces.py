"""Traces: search, one by its id, and OpenTelemetry's own door for the spans of applications."""

import re
import time
import zlib
from typing import Any, cast

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from telemetry import comparing, forward, readers, spans, spanstore, traces
from telemetry.meaning import meaning

from .. import content
from ..plain import plain
from ..view import View
from .mesh import NAMESPACE, MeshView

OBJECT = OpenApiTypes.OBJECT
MAX_TAGS = 10
_ID = re.compile(r"[0-9a-f]{32}")


def shown(trace: traces.Trace) -> dict[str, Any]:
    return {
        "id": trace.id,
        "start": trace.start / 1e6,
        "durationMs": trace.duration / 1000,
        "errors": trace.errors,
        "services": [{"namespace": namespace, "service": service} for namespace, service in trace.services],
        "spans": [_span(node, trace) for node in trace.nodes],
    }


def _span(node: traces.Node, trace: traces.Trace) -> dict[str, Any]:
    span, said = node.span, meaning(node.span)
    return {
        "id": span.id,
        "parent": span.parent,
        "depth": node.depth,
        "name": span.name,
        "kind": span.kind,
        "service": span.origin.service,
        "namespace": span.origin.namespace,
        "workload": span.origin.workload,
        "version": span.origin.version,
        "reporter": "proxy" if span.origin.proxy else "application",
        "startMs": (span.start - trace.start) / 1000,
        "durationMs": span.duration / 1000,
        "criticalMs": node.own / 1000,
        "critical": [[(a - trace.start) / 1000, (b - trace.start) / 1000] for a, b in node.critical],
        "error": span.error,
        "status": span.status,
        "code": said.code,
        "flags": said.flags,
        "words": list(said.words),
        "policies": [p._asdict() for p in said.policies],
        "line": said.line,
        "attributes": span.attributes,
        "events": [{"name": e.name, "atMs": (e.at - trace.start) / 1000, "attributes": e.attributes} for e in span.events],
        "links": [{"trace": t, "span": s} for t, s in span.links],
    }


class Traces(MeshView):
    needs = {"GET": ("get", "Trace")}

    @extend_schema(
        summary="Search traces",
        responses=OBJECT,
        tags=["traces"],
        parameters=[
            NAMESPACE,
            OpenApiParameter("window", str, description="`5m`, `1h`, `2d`; 1h by default."),
            OpenApiParameter("service", str, description="Canonical service that took part."),
            OpenApiParameter("workload", str),
            OpenApiParameter("minMs", int),
            OpenApiParameter("maxMs", int),
            OpenApiParameter("errors", bool),
            OpenApiParameter("tag", str, many=True, description="`key=value`, all in one span; may be given several times."),
            OpenApiParameter("order", str, enum=["newest", "slowest"]),
            OpenApiParameter("limit", int),
        ],
    )
    def get(self, request: Request) -> Response:
        order = self.text("order", "newest")
        if order not in ("newest", "slowest"):
            raise ParseError(f"order: {order!r} is neither newest nor slowest")
        start, end = self.period()
        found = traces.search(
            start,
            end,
            namespaces=self.within("Trace"),
            service=self.text("service"),
            workload=self.text("workload"),
            min_ms=self.number("minMs", 0),
            max_ms=self.number("maxMs", 0),
            errors=self.flag("errors"),
            tags=self.tags(),
            order=cast(traces.Order, order),
            limit=self.number("limit", 100, 1, 1000),
        )
        return Response({"items": [self.row(t) for t in found.traces], "more": found.more})

    def period(self) -> tuple[float, float]:
        from .mesh import seconds

        end = time.time() + 1
        return end - min(seconds(self.text("window", "1h")), 30 * 86400), end

    def tags(self) -> dict[str, str]:
        found = {}
        for tag in self.request.query_params.getlist("tag"):
            key, is_, said = tag.partition("=")
            if not is_ or not key:
                raise ParseError(f"tag: {tag!r} is not key=value")
            found[key] = said
        if len(found) > MAX_TAGS:
            raise ParseError(f"tag: at most {MAX_TAGS}")
        return found

    @staticmethod
    def row(t: traces.Summary) -> dict[str, Any]:
        return {
            "id": t.id,
            "start": t.at,
            "durationMs": t.ms,
            "spans": t.spans,
            "errors": t.errors,
            "root": {"namespace": t.namespace, "service": t.service, "name": t.name},
            "services": [{"namespace": namespace, "service": service, "spans": n} for namespace, service, n in t.services],
        }


class Trace(View):
    needs = {"GET": ("get", "Trace")}

    @extend_schema(summary="One trace with all its spans", responses=OBJECT, tags=["traces"])
    def get(self, request: Request, id: str) -> Response:
        return Response(plain(shown(self.found(id))))

    def found(self, id: str) -> traces.Trace:
        """Here, or read back from Jaeger or Zipkin."""
        seen = self.namespaces("Trace")
        found = traces.trace(id.lower(), seen)
        if found is None and _ID.fullmatch(id.lower()) and (read := readers.trace(id.lower(), seen)):
            found = read[1]
        if found is None:
            raise NotFound(f"There is no trace {id}; it may not have come yet, or not have been kept.")
        return found


class TraceComparison(Trace):
    needs = {"GET": ("get", "Trace")}

    @extend_schema(
        summary="Two traces beside each other, step by step",
        responses=OBJECT,
        tags=["traces"],
        parameters=[OpenApiParameter("with", str, required=True, description="The id of the trace that it is compared with.")],
    )
    def get(self, request: Request, id: str) -> Response:
        other = self.text("with")
        if not _ID.fullmatch(other.lower()):
            raise ParseError(f"with: {other!r} is no trace id: 32 hexadecimal digits")
        before, after = self.found(other), self.found(id)
        steps = [
            {
                "what": s.word, "depth": s.depth, "service": s.node.span.origin.service, "namespace": s.node.span.origin.namespace,
                "name": s.node.span.name, "kind": s.node.span.kind, "beforeMs": s.before.span.duration / 1000 if s.before else None,
                "afterMs": s.after.span.duration / 1000 if s.after else None, "deltaMs": s.delta / 1000, "ownDeltaMs": s.own_delta / 1000,
            }
            for s in comparing.compare(before, after)
        ]  # fmt: skip
        return Response({"before": before.id, "after": after.id, "deltaMs": (after.duration - before.duration) / 1000, "steps": steps})


class Otlp(View):
    """`POST /v1/traces` of OTLP/HTTP: what any OpenTelemetry SDK or collector sends, with a token in OTEL_EXPORTER_OTLP_HEADERS."""

    needs = {"POST": ("create", "Trace")}

    @extend_schema(summary="OTLP/HTTP: spans of applications, protobuf or JSON", request=OBJECT, responses=OBJECT, tags=["traces"])
    def post(self, request: Request) -> HttpResponse:
        body, is_json = _inflated(request), content.is_json(request)
        try:
            found = spans.pieces(spans.parse_json(body) if is_json else spans.parse(body))
        except spans.Malformed as e:
            raise ParseError(str(e))
        allowed = self.namespaces("Trace", "create")
        taken = [p for p in found if allowed is None or p.origin.namespace in allowed]
        spanstore.store(taken)
        forward.put(taken)
        said = ExportTraceServiceResponse()
        if refused := sum(p.spans for p in found) - sum(p.spans for p in taken):
            said.partial_success.rejected_spans = refused
            said.partial_success.error_message = "You may not write spans of these namespaces (resource attribute service.namespace)."
        if is_json:
            return HttpResponse(json_format.MessageToJson(said, indent=None), content_type="application/json")
        return HttpResponse(said.SerializeToString(), content_type="application/x-protobuf")


def _inflated(request: Request) -> bytes:
    body = content.raw(request)
    if request.headers.get("content-encoding", "identity").lower() != "gzip":
        return body
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        found = unpacker.decompress(body, settings.MAX_UPLOAD_BYTES)
    except zlib.error as e:
        raise ParseError(f"not gzip: {e}")
    if unpacker.unconsumed_tail:
        raise content.TooLarge()
    if not unpacker.eof:
        raise ParseError("not whole: the gzip stream is cut off")
    return found
