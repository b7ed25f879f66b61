"""
Spans as they come (OTLP) and as they are read. Pure; its counterpart is assemble.py, which makes a trace of them.

Incoming spans are not taken apart: per trace and sender their bytes are kept as one piece, an OTLP ScopeSpans message, and only what the search
needs is read. So storing costs microseconds per span, and decoding is paid by who looks at a trace.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Proto

ERROR = 2
"""opentelemetry.proto.trace.v1.Status.StatusCode"""
KINDS = ("", "internal", "server", "client", "producer", "consumer")
MAX_NAME = 200
_CALLED = re.compile(rb"\x13meshconsole\.service\x12[^;]{0,260};([^;]{1,200});")
"""The name in `host;name;namespace`, an attribute of a calling proxy's span: its key, one byte that says how long that is before it, and the value."""


class Malformed(ValueError):
    """Bytes that are no OTLP trace request."""


class Origin(NamedTuple):
    """Whose spans these are."""

    service: str
    """The canonical service, as metrics name it."""
    namespace: str = ""
    workload: str = ""
    version: str = ""
    proxy: bool = False
    """An Envoy of the mesh reported them; else the application itself."""


class Piece(NamedTuple):
    """The spans of one trace that came together from one sender."""

    trace: str
    """32 hexadecimal digits."""
    origin: Origin
    start: int
    """Microseconds since 1970, of the earliest span;"""
    end: int
    """of the latest."""
    spans: int
    errors: int
    root: str
    """The name of the span without a parent, '' where it is not among these."""
    body: bytes
    calls: tuple[str, ...] = ()
    """The services that a proxy's spans are calls to: one that was never reached has no span of its own."""


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    at: int
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Span:
    trace: str
    id: str
    parent: str
    name: str
    kind: str
    start: int
    """Microseconds since 1970."""
    end: int
    error: bool
    status: str
    origin: Origin
    attributes: dict[str, Any] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    """(trace, span)"""

    @property
    def duration(self) -> int:
        return self.end - self.start


def parse(batch: bytes) -> ExportTraceServiceRequest:
    """Raises Malformed."""
    try:
        return ExportTraceServiceRequest.FromString(batch)
    except DecodeError as e:
        raise Malformed(f"not an OTLP trace request: {e}") from e


def parse_json(body: bytes) -> ExportTraceServiceRequest:
    """OTLP's JSON, in which ids are hexadecimal and not base64. Raises Malformed."""
    try:
        data = json.loads(body)
        for resource in data.get("resourceSpans", ()):
            for scope in resource.get("scopeSpans", ()):
                for span in scope.get("spans", ()):
                    for one in (span, *span.get("links", ())):
                        for name in ("traceId", "spanId", "parentSpanId"):
                            if one.get(name):
                                one[name] = base64.b64encode(bytes.fromhex(one[name])).decode()
        return json_format.ParseDict(data, ExportTraceServiceRequest(), ignore_unknown_fields=True)
    except (ValueError, AttributeError, TypeError, RecursionError, json_format.ParseError) as e:
        raise Malformed(f"not OTLP's JSON: {e}") from e


def pieces(request: ExportTraceServiceRequest, origin: Origin | None = None) -> list[Piece]:
    """By trace and sender. `origin`: whose they are, proven; None: what the resource says. Spans without valid ids are left out."""
    found: dict[tuple[bytes, Origin], list[Any]] = {}
    for resource in request.resource_spans:
        whose = origin or _origin(resource.resource.attributes)
        for scope in resource.scope_spans:
            for span in scope.spans:
                trace = span.trace_id
                if len(trace) != 16 or len(span.span_id) != 8:
                    continue
                start, end = span.start_time_unix_nano, span.end_time_unix_nano
                key = (trace, whose)
                there = found.get(key)
                if there is None:
                    there = found[key] = [start, end, 0, 0, "", []]
                if start < there[0]:
                    there[0] = start
                if end > there[1]:
                    there[1] = end
                there[2] += 1
                if span.status.code == ERROR:
                    there[3] += 1
                if not span.parent_span_id:
                    there[4] = title(span.name, attribute(span.attributes, "http.method"), attribute(span.attributes, "http.url"))
                there[5].append(span.SerializeToString())
    return [
        Piece(
            trace.hex(), whose, start // 1000, max(start, end) // 1000, count, errors, root, (body := _scope(bodies)), _calls(whose, body)
        )
        for (trace, whose), (start, end, count, errors, root, bodies) in found.items()
    ]


def _calls(whose: Origin, body: bytes) -> tuple[str, ...]:
    return tuple(sorted({name.decode(errors="replace") for name in _CALLED.findall(body)})) if whose.proxy else ()


def _scope(spans: Iterable[bytes]) -> bytes:
    """A ScopeSpans of serialised spans: field 2, length-delimited. Building the message would copy each of them into it first."""
    out = bytearray()
    for span in spans:
        size = len(span)
        out.append(0x12)
        while size > 0x7F:
            out.append(size & 0x7F | 0x80)
            size >>= 7
        out.append(size)
        out += span
    return bytes(out)


def _origin(attributes: Iterable[KeyValue]) -> Origin:
    said = {a.key: str(value(a.value))[:MAX_NAME] for a in attributes}
    return Origin(
        said.get("service.name", "") or "unknown_service",
        said.get("service.namespace", "") or said.get("k8s.namespace.name", ""),
        said.get("service.instance.id", ""),
        said.get("service.version", ""),
    )


def title(name: str, method: str = "", url: str = "") -> str:
    """What a person reads: an Envoy names its spans `ingress`, but knows method and path."""
    if method and url and (name in ("ingress", "egress") or name.startswith(("ingress ", "egress "))):
        path = url.partition("://")[2].partition("/")[2] if "://" in url else url.lstrip("/")
        name = f"{method} /{path.partition('?')[0]}"
    return name[:MAX_NAME]


def attribute(attributes: Iterable[KeyValue], key: str) -> str:
    return next((str(value(a.value)) for a in attributes if a.key == key), "")


def value(any_: AnyValue) -> Any:
    which = any_.WhichOneof("value")
    if which is None:
        return ""
    if which == "array_value":
        return [value(v) for v in any_.array_value.values]
    if which == "kvlist_value":
        return {kv.key: value(kv.value) for kv in any_.kvlist_value.values}
    found = getattr(any_, which)
    return found.hex() if isinstance(found, bytes) else found


def read(origin: Origin, body: bytes) -> Iterator[Span]:
    """The spans of a piece."""
    for span in ScopeSpans.FromString(body).spans:
        # What an operator of Envoy's has nothing to say to comes as `-`.
        said = {a.key: v for a in span.attributes if (v := value(a.value)) not in ("-", "")}
        yield Span(
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex(),
            title(span.name, str(said.get("http.method", "")), str(said.get("http.url", ""))),
            KINDS[span.kind] if span.kind < len(KINDS) else "",
            span.start_time_unix_nano // 1000,
            max(span.start_time_unix_nano, span.end_time_unix_nano) // 1000,
            span.status.code == ERROR,
            span.status.message,
            origin,
            said,
            tuple(Event(e.name, e.time_unix_nano // 1000, {a.key: value(a.value) for a in e.attributes}) for e in span.events),
            tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        )


def exported(pieces: Iterable[Piece]) -> ExportTraceServiceRequest:
    """Pieces as one OTLP request, with who sent them in OpenTelemetry's words: what is forwarded."""
    request = ExportTraceServiceRequest()
    by_origin: dict[Origin, Any] = {}
    for piece in pieces:
        resource = by_origin.get(piece.origin)
        if resource is None:
            resource = by_origin[piece.origin] = request.resource_spans.add()
            for key, said in resource_words(piece.origin).items():
                resource.resource.attributes.add(key=key).value.string_value = said
            resource.scope_spans.add()
        resource.scope_spans[0].MergeFromString(piece.body)
    return request


def resource_words(origin: Origin) -> Mapping[str, str]:
    words = {
        "service.name": origin.service,
        "service.namespace": origin.namespace,
        "service.instance.id": origin.workload,
        "service.version": origin.version,
        "meshconsole.reporter": "proxy" if origin.proxy else "",
    }
    return {key: said for key, said in words.items() if said}


__all__ = ["Malformed", "Origin", "Piece", "Proto", "Span", "exported", "parse", "parse_json", "pieces", "read"]
