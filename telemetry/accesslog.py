"""
Access-log records as they come (OTLP, from one proxy) and as they are kept. Pure; counterpart of meshconsole/core/envoy/access_logs.py.

What the search reads is a column of its own; the rest are words, empty ones left out.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from .denials import Denial, PolicyName, denial, names, rule
from .spans import Origin

LONGEST = 2048
"""Characters of one word."""
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_TRACE = re.compile(r"[0-9a-f]{32}")
_COLUMNS = frozenset(
    [
        "reporter",
        "service",
        "flags",
        "code",
        "ms",
        "trace",
        "traceparent",
        "peer",
        "subject",
        "rbac",
        "policy",
        "cluster_policy",
        "allowing",
        "would_allow",
        "gate",
        "line",
    ]
)
"""Words that become fields of a record."""


class Malformed(ValueError):
    """Bytes that are no OTLP logs request."""


@dataclass(frozen=True, slots=True)
class Record:
    """One request, or one TCP connection, as one proxy on its way saw it."""

    at: int
    """Microseconds since 1970: when it began."""
    reporter: str
    """`source` or `destination`."""
    namespace: str
    """Of the workload whose proxy tells,"""
    workload: str
    """and its name."""
    service: str
    """The fully qualified service that was called."""
    peer_namespace: str
    """Of the workload at the other end, '' where it is not of the mesh or not known,"""
    peer: str
    """and its name."""
    protocol: str
    """`http`, `grpc` or `tcp`."""
    code: int
    """HTTP's status; 0 where there was no answer, and for TCP."""
    flags: str
    ms: int
    trace: str
    denied: str
    """In words; '' where it was not denied."""
    would: str
    """By which dry-run policies it would have been denied: `ns/name`, comma-separated."""
    policies: tuple[PolicyName, ...]
    """Those that acted: the route's and cluster's at the source; who denied or allowed at the destination."""
    said: Mapping[str, str] = field(default_factory=dict)


def parse(batch: bytes, whose: Origin) -> list[Record]:
    """`whose`: proven, of the proxy that sent it. Raises Malformed."""
    try:
        request = ExportLogsServiceRequest.FromString(batch)
    except DecodeError as e:
        raise Malformed(f"not an OTLP logs request: {e}") from e
    found = []
    for resource in request.resource_logs:
        for scope in resource.scope_logs:
            for each in scope.log_records:
                words = {a.key: a.value.string_value[:LONGEST] for a in each.attributes if a.value.string_value not in ("", "-")}
                found.append(_record(each.time_unix_nano // 1000, words, whose))
    return found


def _record(at: int, words: dict[str, str], whose: Origin) -> Record:
    outbound = words.get("reporter") == "source"
    peer = words.get("peer", "").split(";")
    if not outbound:
        peer = [_common_name(words.get("subject", "")), _namespace(words.get("principal", ""))]
    in_force = names(words.get("policy", ""))
    details = words.get("details", "") if "method" in words else words.get("ended", "")
    refused = denial(details, in_force, names(words.get("allowing", "")))
    rbac = _json(words.get("rbac", ""))
    said = {key: text for key, text in words.items() if key not in _COLUMNS}
    policies, line = _acted(words, in_force, refused, rbac)
    return Record(
        at=at,
        reporter="source" if outbound else "destination",
        namespace=whose.namespace,
        workload=whose.workload,
        service=words.get("service", "").partition(";")[0],
        peer_namespace=peer[1] if len(peer) > 1 else "",
        peer=peer[0],
        protocol="tcp" if "method" not in words else "grpc" if "grpc" in words else "http",
        code=_whole(words.get("code", "")),
        flags=words.get("flags", ""),
        ms=_whole(words.get("ms", "")),
        trace=_trace(words),
        denied=refused.words if refused else "",
        would=", ".join(dict.fromkeys(f"{p.namespace}/{p.name}" for p in _would(words, rbac))),
        policies=policies,
        said={**said, "line": line} if line else said,
    )


def _acted(
    words: Mapping[str, str], in_force: tuple[PolicyName, ...], refused: Denial | None, rbac: Mapping[str, Any]
) -> tuple[tuple[PolicyName, ...], str]:
    """Who, and which line decided: `Kind namespace/name path`. A policy that could have refused and did not has not acted."""
    if refused:
        return refused.policies, f"{refused.policies[0]} {refused.path}" if refused.path else ""
    allowed = rule(str(rbac.get("enforced_effective_policy_id", "")))
    others = tuple(p for p in in_force if p.kind != "AuthorizationPolicy")
    if allowed and "gate" not in words:
        return tuple(dict.fromkeys((allowed[0], *others))), f"{allowed[0]} spec.rules[{allowed[1]}]"
    return tuple(dict.fromkeys((*others, *names(words.get("cluster_policy", ""))))), words.get("line", "")


def _would(words: Mapping[str, str], rbac: Mapping[str, Any]) -> Iterator[PolicyName]:
    """The dry-run policies that would have refused it: the rule's, or, where none would have allowed it, all that could."""
    for prefix in ("istio_dry_run_deny_", "istio_dry_run_allow_"):
        if rbac.get(f"{prefix}shadow_engine_result") == "denied":
            found = rule(str(rbac.get(f"{prefix}shadow_effective_policy_id", "")))
            yield from (found[0],) if found else names(words.get("would_allow", ""))


def _json(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _trace(words: Mapping[str, str]) -> str:
    if _TRACE.fullmatch(words.get("trace", "")):
        return words["trace"]
    found = _TRACEPARENT.fullmatch(words.get("traceparent", ""))
    return found[1] if found else ""


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


def _common_name(subject: str) -> str:
    """Of a peer's certificate (RFC 2253, as Envoy writes it): the workload. Ours hold no character that would be escaped."""
    return next((part[3:] for part in subject.split(",") if part.startswith("CN=")), "")


def _namespace(principal: str) -> str:
    parts = principal.split("/")
    return parts[parts.index("ns") + 1] if "ns" in parts[:-1] else ""
