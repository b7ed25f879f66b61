"""
Where a VirtualService contradicts itself. Rules are Istio's (pkg/config/validation); each fault has the path of its field.

schema.py knows what a single field may be; fields.py what it may say.
"""

from collections.abc import Iterator

from meshconsole.core.mesh import hosts as host_names
from meshconsole.core.mesh.hosts import is_address
from meshconsole.core.resources import retries
from meshconsole.core.resources.common import seconds
from meshconsole.core.resources.names import export_faults, host_fault, label_faults, namespace_fault

from .connection_checks import connection_faults, connection_warnings
from .fields import (
    GRPC,
    MAX_PARAMETER,
    METHODS,
    Fault,
    body_faults,
    condition_faults,
    destination_faults,
    gateway_fault,
    grpc_status,
    header_faults,
    is_header,
    printable,
    redirect_faults,
)
from .matching import CLAIMS, MESH, claim_path
from .schema import Abort, Cors, HttpMatch, HttpRoute, Rewrite, VirtualServiceSpec

LARGE_BODY = 100 * 1024


def faults(spec: VirtualServiceSpec, namespace: str) -> Iterator[Fault]:
    delegate = not spec.hosts
    if delegate and spec.gateways:
        yield "spec.gateways", "a VirtualService without hosts is a delegate and has no gateways; add hosts or remove gateways"
    yield from _hosts(spec)
    for n, gateway in enumerate(spec.gateways):
        if fault := gateway_fault(gateway):
            yield f"spec.gateways[{n}]", fault
    yield from export_faults(spec.export_to, namespace)
    if not (spec.http or spec.tls or spec.tcp):
        yield "spec.http", "at least one rule is needed: http, tls or tcp"
    yield from connection_faults(spec, delegate=delegate)
    for n, http in enumerate(spec.http):
        yield from _rule(http, f"spec.http[{n}]", delegate=delegate)
    if not delegate and all(gateway == MESH for gateway in spec.gateways):
        yield from _claims(spec)


def warnings(spec: VirtualServiceSpec) -> Iterator[Fault]:
    yield from connection_warnings(spec)
    for n, http in enumerate(spec.http):
        path = f"spec.http[{n}]"
        body = http.direct_response and http.direct_response.body
        if body and len((body.string or body.bytes or "").encode()) > LARGE_BODY:
            yield f"{path}.directResponse.body", "more than 100 kB of body are held by every proxy"
        for name, fault in (("abort", http.fault and http.fault.abort), ("delay", http.fault and http.fault.delay)):
            if fault and fault.percentage is None and not getattr(fault, "percent", 0):
                yield (
                    f"{path}.fault.{name}",
                    f"without a percentage no request is hit by this {name}; write percentage: {{value: 100}} for all",
                )
        if http.fault and http.fault.delay and http.fault.delay.fixed_delay is None:
            yield f"{path}.fault.delay", "without a fixedDelay no request is delayed"
        if (http.mirror_percentage is not None or http.mirror_percent is not None) and http.mirror is None and http.delegate is None:
            yield f"{path}.mirrorPercentage", "has no effect without mirror"
        if http.redirect or http.direct_response:
            for name, outside in (("timeout", "timeout"), ("retries", "retries"), ("mirror", "mirror"), ("mirrors", "mirrors")):
                if getattr(http, name):
                    yield f"{path}.{outside}", "has no effect: no request is forwarded here"


def deprecations(spec: VirtualServiceSpec) -> Iterator[Fault]:
    for n, http in enumerate(spec.http):
        path = f"spec.http[{n}]"
        if http.fault and http.fault.delay and http.fault.delay.percent:
            yield f"{path}.fault.delay.percent", "deprecated; use percentage"
        if http.mirror_percent is not None:
            yield f"{path}.mirrorPercent", "deprecated; use mirrorPercentage"
        if http.cors_policy and http.cors_policy.allow_origin:
            yield f"{path}.corsPolicy.allowOrigin", "deprecated; use allowOrigins"


def _claims(spec: VirtualServiceSpec) -> Iterator[Fault]:
    for n, http in enumerate(spec.http):
        for m, match in enumerate(http.match):
            for field, names in (("headers", match.headers), ("withoutHeaders", match.without_headers)):
                for name in filter(claim_path, names):
                    yield (
                        f"spec.http[{n}].match[{m}].{field}.{name}",
                        "JWT claims can be matched at gateways only; add the gateway to gateways",
                    )


def _hosts(spec: VirtualServiceSpec) -> Iterator[Fault]:
    sound = True
    in_mesh = not spec.gateways or MESH in spec.gateways
    for n, host in enumerate(spec.hosts):
        if fault := "" if is_address(host) else host_fault(host):
            sound = False
            yield f"spec.hosts[{n}]", fault
        elif host == "*" and in_mesh:
            sound = False
            yield f"spec.hosts[{n}]", "the wildcard '*' is not allowed for sidecars; name hosts, or bind to gateways only"
    if sound:
        yield from _overlaps([host.lower() for host in spec.hosts])


def _overlaps(hosts: list[str]) -> Iterator[Fault]:
    """A host that another one, or a wildcard among them, takes in already."""
    first: dict[str, int] = {}
    for n, host in enumerate(hosts):
        if host in first:
            yield f"spec.hosts[{n}]", f"the host {host!r} stands twice; keep one"
        first.setdefault(host, n)
    for host, n in first.items():
        wider = next((pattern for pattern in host_names.suffixes(host) if pattern != host and pattern in first), None)
        if wider is not None:
            yield f"spec.hosts[{n}]", f"the host {host!r} is among those of {wider!r} already; keep one"


def _rule(http: HttpRoute, path: str, *, delegate: bool) -> Iterator[Fault]:
    yield from _action(http, path, delegate=delegate)
    for n, match in enumerate(http.match):
        yield from _match(match, f"{path}.match[{n}]", comparable=delegate or http.delegate is not None)
    yield from _shares(http, path)
    if http.mirror and http.mirrors:
        yield f"{path}.mirrors", "mirror and mirrors exclude one another; keep mirrors"
    if http.mirror:
        yield from destination_faults(http.mirror, f"{path}.mirror")
    for n, mirror in enumerate(http.mirrors):
        yield from destination_faults(mirror.destination, f"{path}.mirrors[{n}].destination")
    yield from header_faults(http.headers, f"{path}.headers")
    if http.redirect:
        yield from redirect_faults(http.redirect, f"{path}.redirect")
    if http.direct_response and http.direct_response.body:
        yield from body_faults(http.direct_response.body, f"{path}.directResponse.body")
    if http.rewrite:
        yield from _rewrite(http.rewrite, f"{path}.rewrite")
    if http.retries:
        yield from retries.faults(http.retries, f"{path}.retries")
    if http.fault:
        if not http.fault.delay and not http.fault.abort:
            yield f"{path}.fault", "says nothing; add delay or abort"
        if http.fault.abort:
            yield from _abort(http.fault.abort, f"{path}.fault.abort")
    if http.cors_policy:
        yield from _cors(http.cors_policy, f"{path}.corsPolicy")


_ACTIONS = {"route": "route", "redirect": "redirect", "direct_response": "directResponse", "delegate": "delegate"}


def _action(http: HttpRoute, path: str, *, delegate: bool) -> Iterator[Fault]:
    given = [outside for name, outside in _ACTIONS.items() if getattr(http, name)]
    if not given:
        yield path, "says where no request goes: add route, redirect, directResponse or delegate"
    elif len(given) > 1:
        yield path, f"{' and '.join(given)} exclude one another; keep one"
    if http.delegate and delegate:
        yield f"{path}.delegate", "a delegate cannot delegate further (one level)"
    if http.delegate:
        if fault := host_fault(http.delegate.name, wildcard=False):
            yield f"{path}.delegate.name", fault
        if http.delegate.namespace and (fault := namespace_fault(http.delegate.namespace)):
            yield f"{path}.delegate.namespace", fault
    action = "redirect" if http.redirect else "directResponse" if http.direct_response else ""
    for name in ("fault", "rewrite") if action else ():
        if getattr(http, name):
            yield f"{path}.{name}", f"{name} and {action} exclude one another; keep one"


def _match(match: HttpMatch, path: str, *, comparable: bool) -> Iterator[Fault]:
    """`comparable`: in a delegation, where the conditions of the two must be told to lie within one another."""
    for name in ("uri", "scheme", "method", "authority"):
        if (condition := getattr(match, name)) is not None:
            yield from condition_faults(condition, f"{path}.{name}", comparable=comparable)
            if condition.is_empty:
                yield f"{path}.{name}", "says nothing; add exact, prefix or regex"
            elif condition.regex == "*":
                yield f"{path}.{name}.regex", "'*' is no RE2 expression; write .* for anything"
    for field in ("headers", "without_headers", "query_params"):
        outside = {"without_headers": "withoutHeaders", "query_params": "queryParams"}.get(field, field)
        for name, condition in getattr(match, field).items():
            where = f"{path}.{outside}.{name}"
            if field == "query_params" and not 0 < len(name) <= MAX_PARAMETER:
                yield f"{path}.{outside}", f"a parameter's name has 1 to {MAX_PARAMETER} characters"
            elif field != "query_params" and name.startswith(CLAIMS):
                if not claim_path(name):
                    yield where, f"{name!r} names no claim; write {CLAIMS}.sub or {CLAIMS}[group][id]"
            elif field != "query_params":
                yield from _header_name(name, where)
            yield from condition_faults(condition, where, comparable=comparable)
    if match.ignore_uri_case and match.uri and match.uri.regex is not None:
        yield f"{path}.ignoreUriCase", "has no effect on a regex; write (?i) in it"
    for key, fault in label_faults(match.source_labels, selecting=True):
        yield f"{path}.sourceLabels.{key}", fault
    for n, gateway in enumerate(match.gateways):
        if fault := gateway_fault(gateway):
            yield f"{path}.gateways[{n}]", fault
    if match.source_namespace and (fault := namespace_fault(match.source_namespace)):
        yield f"{path}.sourceNamespace", fault


def _header_name(name: str, path: str) -> Iterator[Fault]:
    if name.startswith(":"):
        yield path, f"{name!r} is no header here; match :authority, :method, :path and :scheme by authority, method, uri and scheme"
    elif not is_header(name):
        yield path, f"{name!r} is no header name"


def _shares(http: HttpRoute, path: str) -> Iterator[Fault]:
    for n, share in enumerate(http.route):
        yield from destination_faults(share.destination, f"{path}.route[{n}].destination")
        yield from header_faults(share.headers, f"{path}.route[{n}].headers")
    total = sum(share.weight for share in http.route)
    if len(http.route) > 1 and total == 0:
        yield f"{path}.route", "the weights add up to 0; give at least one destination a weight"
    if total > 2**32 - 1:
        yield f"{path}.route", f"the weights add up to {total}, more than 4294967295"


def _rewrite(rewrite: Rewrite, path: str) -> Iterator[Fault]:
    given = rewrite.uri_regex_rewrite
    if not (rewrite.uri or rewrite.authority or given):
        yield path, "says nothing; add uri, authority or uriRegexRewrite"
    if rewrite.uri and given:
        yield path, "uri and uriRegexRewrite exclude one another; keep one"
    if given and not (given.match and given.rewrite):
        yield f"{path}.uriRegexRewrite", "needs match and rewrite, neither of them empty"
    elif given and not printable(given.rewrite):
        yield f"{path}.uriRegexRewrite.rewrite", "is one line of printable characters"
    for name in ("uri", "authority"):
        if not printable(getattr(rewrite, name)):
            yield f"{path}.{name}", "is one line of printable characters"


def _abort(abort: Abort, path: str) -> Iterator[Fault]:
    if (abort.http_status is None) == (not abort.grpc_status):
        yield path, "needs one of httpStatus and grpcStatus"
    if abort.grpc_status and grpc_status(abort.grpc_status) is None:
        yield f"{path}.grpcStatus", f"{abort.grpc_status!r} is not one of {', '.join(GRPC)}"


def _cors(cors: Cors, path: str) -> Iterator[Fault]:
    for n, origin in enumerate(cors.allow_origins):
        yield from condition_faults(origin, f"{path}.allowOrigins[{n}]", comparable=False)
        if origin.is_empty:
            yield f"{path}.allowOrigins[{n}]", "says nothing; add exact, prefix or regex"
    for n, method in enumerate(cors.allow_methods):
        if method not in METHODS:
            yield f"{path}.allowMethods[{n}]", f"{method!r} is not one of {', '.join(sorted(METHODS))}"
    for name, outside in (("allow_headers", "allowHeaders"), ("expose_headers", "exposeHeaders")):
        for n, header in enumerate(getattr(cors, name)):
            if header != "*":
                yield from _header_name(header, f"{path}.{outside}[{n}]")
    if cors.max_age and seconds(cors.max_age) % 1:
        yield f"{path}.maxAge", "must be whole seconds"
