"""Where a VirtualService contradicts itself. Rules are Istio's (pkg/config/validation); each fault has the path of its field."""

import base64
import binascii
import re
from collections.abc import Iterator

from meshconsole.core.resources.common import Destination, StringMatch, _regex, seconds
from meshconsole.core.resources.names import host_fault, namespace_fault

from .schema import Abort, HeaderMatch, Headers, HttpMatch, HttpRoute, Redirect, Retries, VirtualServiceSpec

Fault = tuple[str, str]
"""(path, what was wrong and what would be right)"""

GRPC = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
]
RETRY_ON = frozenset(
    [
        "5xx",
        "gateway-error",
        "reset",
        "reset-before-request",
        "connect-failure",
        "envoy-ratelimited",
        "retriable-4xx",
        "refused-stream",
        "retriable-status-codes",
        "retriable-headers",
        "http3-post-connect-failure",
        "cancelled",
        "deadline-exceeded",
        "internal",
        "resource-exhausted",
        "unavailable",
    ]
)
MAX_BODY, LARGE_BODY = 1024 * 1024, 100 * 1024
_HEADER = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")


def grpc_status(text: str) -> int | None:
    if text.isdigit() and int(text) < len(GRPC):
        return int(text)
    return GRPC.index(text.upper()) if text.upper() in GRPC else None


def faults(spec: VirtualServiceSpec) -> Iterator[Fault]:
    delegate = not spec.hosts
    if delegate and spec.gateways:
        yield "spec.gateways", "a VirtualService without hosts is a delegate and has no gateways; add hosts or remove gateways"
    for n, host in enumerate(spec.hosts):
        if fault := host_fault(host):
            yield f"spec.hosts[{n}]", fault
    in_mesh = not spec.gateways or "mesh" in spec.gateways
    if in_mesh and "*" in spec.hosts:
        yield "spec.hosts", "the wildcard '*' is not allowed for sidecars; name hosts, or bind to gateways only"
    if len({h.lower() for h in spec.hosts}) != len(spec.hosts):
        yield "spec.hosts", "a host stands twice; keep one"
    for n, gateway in enumerate(spec.gateways):
        namespace, slash, name = gateway.rpartition("/")
        if not name or (slash and namespace_fault(namespace)):
            yield f"spec.gateways[{n}]", f"{gateway!r} is no gateway; write <name>, <namespace>/<name>, or mesh"
    if not spec.http:
        yield "spec.http", "at least one rule is needed"
    for n, target in enumerate(spec.export_to):
        if target not in (".", "*", "~") and namespace_fault(target):
            yield f"spec.exportTo[{n}]", f"{target!r} must be '.', '*', '~' or a namespace"
    for n, http in enumerate(spec.http):
        yield from _rule(http, f"spec.http[{n}]", delegate=delegate)


def warnings(spec: VirtualServiceSpec) -> Iterator[Fault]:
    for n, http in enumerate(spec.http):
        body = http.direct_response and http.direct_response.body
        if body and body.string and LARGE_BODY < len(body.string.encode()) <= MAX_BODY:
            yield f"spec.http[{n}].directResponse.body", "more than 100 kB of body are held by every proxy"
        if http.fault and http.fault.abort and http.fault.abort.percentage is None:
            yield f"spec.http[{n}].fault.abort", "without a percentage no request is aborted; write percentage: {value: 100} for all"
        if http.fault and http.fault.delay and http.fault.delay.percentage is None and not http.fault.delay.percent:
            yield f"spec.http[{n}].fault.delay", "without a percentage no request is delayed; write percentage: {value: 100} for all"


def _rule(http: HttpRoute, path: str, *, delegate: bool) -> Iterator[Fault]:
    actions = [n for n in ("route", "redirect", "direct_response", "delegate") if getattr(http, n)]
    if not actions:
        yield path, "says where no request goes: add route, redirect, directResponse or delegate"
    elif len(actions) > 1:
        names = [n.replace("_r", "R") for n in actions]
        yield path, f"{' and '.join(names)} exclude one another; keep one"
    if http.delegate:
        if delegate:
            yield f"{path}.delegate", "a delegate cannot delegate further (one level)"
        if not http.delegate.name:
            yield f"{path}.delegate.name", "is required"
        for name in ("fault", "rewrite", "mirror"):
            if getattr(http, name):
                yield f"{path}.{name}", f"{name} cannot stand beside delegate; say it in the delegate"
    if "route" not in actions and not http.delegate:
        for name in ("fault", "mirror", "retries", "rewrite"):
            if getattr(http, name) and not (name == "fault" and http.direct_response):
                yield f"{path}.{name}", f"{name} means something only beside route"
    for n, match in enumerate(http.match):
        yield from _match(match, f"{path}.match[{n}]")
    yield from _destinations(http, path)
    if http.mirror and http.mirrors:
        yield f"{path}.mirrors", "mirror and mirrors exclude one another; keep mirrors"
    if http.mirror:
        yield from _destination(http.mirror, f"{path}.mirror")
    for n, mirror in enumerate(http.mirrors):
        yield from _destination(mirror.destination, f"{path}.mirrors[{n}].destination")
    yield from _headers(http.headers, f"{path}.headers")
    if http.redirect:
        yield from _redirect(http.redirect, f"{path}.redirect")
    if http.direct_response:
        yield from _body(http, f"{path}.directResponse")
    if http.rewrite:
        given = http.rewrite
        if not (given.uri or given.authority or given.uri_regex_rewrite):
            yield f"{path}.rewrite", "says nothing; add uri, authority or uriRegexRewrite"
        if given.uri and given.uri_regex_rewrite:
            yield f"{path}.rewrite", "uri and uriRegexRewrite exclude one another; keep one"
    if http.retries:
        yield from _retries(http.retries, f"{path}.retries")
    if http.fault:
        if not http.fault.delay and not http.fault.abort:
            yield f"{path}.fault", "says nothing; add delay or abort"
        if http.fault.delay and seconds(http.fault.delay.fixed_delay) < seconds("1ms"):
            yield f"{path}.fault.delay.fixedDelay", "must be 1ms or more"
        if http.fault.abort:
            yield from _abort(http.fault.abort, f"{path}.fault.abort")
    if http.cors_policy:
        for n, origin in enumerate(http.cors_policy.allow_origins):
            for fault in origin.faults():
                yield f"{path}.corsPolicy.allowOrigins[{n}]", fault
            if origin.is_empty:
                yield f"{path}.corsPolicy.allowOrigins[{n}]", "says nothing; add exact, prefix or regex"
        if http.cors_policy.max_age and seconds(http.cors_policy.max_age) % 1:
            yield f"{path}.corsPolicy.maxAge", "must be whole seconds"


def _match(match: HttpMatch, path: str) -> Iterator[Fault]:
    singles: list[tuple[str, StringMatch | None]] = [
        ("uri", match.uri), ("scheme", match.scheme), ("method", match.method), ("authority", match.authority),
    ]  # fmt: skip
    for name, condition in singles:
        if condition is not None:
            for fault in condition.faults():
                yield f"{path}.{name}", fault
            if condition.is_empty or condition.prefix == "" or condition.regex == "":
                yield f"{path}.{name}", "says nothing; add exact, prefix or regex with a value"
    if match.ignore_uri_case and match.uri and match.uri.regex is not None:
        yield f"{path}.ignoreUriCase", "has no effect on a regex; write (?i) in it"
    for field, headers in (("headers", match.headers), ("withoutHeaders", match.without_headers)):
        for name, header in headers.items():
            yield from _header_match(name, header, f"{path}.{field}.{name}")
    for name, parameter in match.query_params.items():
        if not name:
            yield f"{path}.queryParams", "a parameter's name must not be empty"
        for fault in parameter.faults():
            yield f"{path}.queryParams.{name}", fault
    if match.source_namespace and (fault := namespace_fault(match.source_namespace)):
        yield f"{path}.sourceNamespace", fault


def _header_match(name: str, header: HeaderMatch, path: str) -> Iterator[Fault]:
    if name.startswith("@request.auth.claims"):
        yield path, "not supported yet: matching on JWT claims comes with RequestAuthentication on gateways"
    elif not _HEADER.fullmatch(name):
        yield (
            path,
            f"{name!r} is no header name" + ("; match :authority, :method and :path by their own fields" if name.startswith(":") else ""),
        )
    for fault in header.faults():
        yield path, fault
    if header.regex not in (None, "*"):
        try:
            _regex(str(header.regex))
        except ValueError as e:
            yield f"{path}.regex", str(e)


def _destinations(http: HttpRoute, path: str) -> Iterator[Fault]:
    total = 0
    for n, share in enumerate(http.route):
        yield from _destination(share.destination, f"{path}.route[{n}].destination")
        yield from _headers(share.headers, f"{path}.route[{n}].headers")
        if share.weight < 0:
            yield f"{path}.route[{n}].weight", f"{share.weight} is negative; a weight is 0 or more"
        total += max(share.weight, 0)
    if len(http.route) > 1 and total == 0:
        yield f"{path}.route", "the weights add up to 0; give at least one destination a weight"
    if total > 2**32 - 1:
        yield f"{path}.route", f"the weights add up to {total}, more than 4294967295"


def _destination(destination: Destination, path: str) -> Iterator[Fault]:
    if destination.host == "*":
        yield f"{path}.host", "'*' is no destination; name a service"
    elif fault := host_fault(destination.host):
        yield f"{path}.host", fault
    if destination.subset and not re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?", destination.subset):
        yield f"{path}.subset", f"{destination.subset!r} must be letters, digits, '-', '_' or '.'"


def _headers(headers: Headers | None, path: str) -> Iterator[Fault]:
    for way in ("request", "response") if headers else ():
        operations = getattr(headers, way)
        for operation in ("set", "add", "remove"):
            for name in getattr(operations, operation):
                if not _HEADER.fullmatch(name.removeprefix(":")):
                    yield f"{path}.{way}.{operation}", f"{name!r} is no header name"
        for name, value in {**operations.set, **operations.add}.items():
            if "\n" in value or "\r" in value or "\0" in value:
                yield f"{path}.{way}.set.{name}", "a header's value is one line"


def _redirect(redirect: Redirect, path: str) -> Iterator[Fault]:
    if redirect.redirect_code not in (301, 302, 303, 307, 308):
        yield f"{path}.redirectCode", f"{redirect.redirect_code} is not one of 301, 302, 303, 307, 308"
    if redirect.scheme not in ("", "http", "https"):
        yield f"{path}.scheme", f"{redirect.scheme!r} must be http or https"
    if redirect.port and redirect.derive_port:
        yield f"{path}.derivePort", "port and derivePort exclude one another; keep one"
    if not (redirect.uri or redirect.authority or redirect.scheme or redirect.port or redirect.derive_port):
        yield path, "says nothing; add uri, authority, scheme or port"


def _body(http: HttpRoute, path: str) -> Iterator[Fault]:
    body = http.direct_response.body if http.direct_response else None
    if body is None:
        return
    if (body.string is None) == (body.bytes is None):
        yield f"{path}.body", "needs one of string and bytes"
    size = len((body.string or "").encode())
    if body.bytes is not None:
        try:
            size = len(base64.b64decode(body.bytes, validate=True))
        except binascii.Error:
            yield f"{path}.body.bytes", "is no base64"
    if size > MAX_BODY:
        yield f"{path}.body", f"{size:,} bytes are more than {MAX_BODY:,}"


def _retries(retries: Retries, path: str) -> Iterator[Fault]:
    if retries.attempts == 0 and (retries.per_try_timeout or retries.retry_on or retries.retry_remote_localities is not None):
        yield path, "attempts: 0 turns retries off; remove the other fields, or say how many attempts"
    if retries.per_try_timeout and 0 < seconds(retries.per_try_timeout) < seconds("1ms"):
        yield f"{path}.perTryTimeout", "must be 1ms or more"
    for condition in filter(None, (c.strip() for c in retries.retry_on.split(","))):
        if condition.isdigit():
            if not 100 <= int(condition) <= 599:
                yield f"{path}.retryOn", f"{condition} is no HTTP status"
        elif condition not in RETRY_ON:
            yield f"{path}.retryOn", f"{condition!r} is not one of {', '.join(sorted(RETRY_ON))}, or a status code"


def _abort(abort: Abort, path: str) -> Iterator[Fault]:
    if (abort.http_status is None) == (not abort.grpc_status):
        yield path, "needs one of httpStatus and grpcStatus"
    if abort.grpc_status and grpc_status(abort.grpc_status) is None:
        yield f"{path}.grpcStatus", f"{abort.grpc_status!r} is not one of {', '.join(GRPC)}"
