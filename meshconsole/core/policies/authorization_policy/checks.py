"""What a rule may not say (Istio: pkg/config/validation, pkg/config/security)."""

import ipaddress
import re
from collections.abc import Iterator, Sequence

from . import matchers
from .schema import Condition, Operation, Rule, Source

Problem = tuple[str, str]
"""(path below the rule, what is wrong)"""
_LITERAL = re.compile(r"[a-zA-Z0-9\-._~%!$&'()+,;:@=]+")
_KEYED = ("request.headers", "request.auth.claims", "experimental.envoy.filters.")
_ANSWERS = {
    "destination.namespace": "attribute destination.namespace is replaced by the metadata.namespace",
    "destination.name": "deprecated attribute destination.name: only supported in v1alpha1",
    "destination.user": "deprecated attribute destination.user: only supported in v1alpha1",
    "source.user": "unknown attribute: source.user; source.principal is what proves a caller",
}


def problems(rule: Rule) -> Iterator[Problem]:
    for i, source in enumerate(rule.from_):
        yield from ((f"from[{i}].source{at}", text) for at, text in _source(source.source))
    for i, operation in enumerate(rule.to):
        yield from ((f"to[{i}].operation{at}", text) for at, text in _operation(operation.operation))
    for i, condition in enumerate(rule.when):
        yield from ((f"when[{i}]{at}", text) for at, text in _condition(condition))


def _source(source: Source) -> Iterator[Problem]:
    if not source.model_fields_set:
        yield "", "from.source must have at least one field: leave `from` out for everybody"
    callers = source.principals or source.not_principals or source.namespaces or source.not_namespaces
    if callers and (source.service_accounts or source.not_service_accounts):
        yield ".serviceAccounts", "Cannot set serviceAccounts with namespaces or principals"
    for name, values in _lists(source):
        yield from _empty(f".{name}", values)
        if name in ("ipBlocks", "notIpBlocks", "remoteIpBlocks", "notRemoteIpBlocks"):
            yield from _addresses(f".{name}", values)
        elif name in ("serviceAccounts", "notServiceAccounts"):
            yield from _accounts(f".{name}", values)


def _operation(operation: Operation) -> Iterator[Problem]:
    if not operation.model_fields_set:
        yield "", "to.operation must have at least one field: leave `to` out for everything"
    for name, values in _lists(operation):
        yield from _empty(f".{name}", values)
        if name in ("ports", "notPorts"):
            yield from _ports(f".{name}", values)
        elif name in ("paths", "notPaths"):
            yield from _paths(f".{name}", values)


def _condition(condition: Condition) -> Iterator[Problem]:
    key, both = condition.key, [*condition.values, *condition.not_values]
    if not key:
        yield ".key", "`key` must not be empty"
        return
    if not both:
        yield "", "at least one of `values` or `not_values` must be set"
    for at, values in ((".values", condition.values), (".notValues", condition.not_values)):
        yield from _empty(at, values)
        if key in ("source.ip", "remote.ip", "destination.ip"):
            yield from _addresses(at, values)
        elif key == "destination.port":
            yield from _ports(at, values)
        elif key == "source.serviceAccount":
            yield from _accounts(at, values)
    if key.startswith("destination.labels"):
        yield ".key", f"attribute {key} is replaced by the workload selector"
    elif key.startswith("request.experimental.inline.headers"):
        yield ".key", f"not supported yet: {key}; request.headers[<name>] is"
    elif key in _ANSWERS:
        yield ".key", _ANSWERS[key]
    elif key.startswith(_KEYED):
        if not re.fullmatch(r"[^\[]+\[.+\]", key):
            yield ".key", f"bad key ({key}): should have format a[b]"
    elif matchers.condition(key, "") is None:
        yield ".key", f"unknown attribute: {key}"


def _lists(model: Source | Operation) -> Iterator[tuple[str, list[str]]]:
    """(outside name, values) of each field that is written."""
    for name in sorted(model.model_fields_set):
        field = type(model).model_fields[name]
        yield field.alias or name, getattr(model, name)


def _empty(at: str, values: Sequence[str]) -> Iterator[Problem]:
    for i, value in enumerate(values):
        if not value:
            yield f"{at}[{i}]", "empty value not allowed"


def _addresses(at: str, values: Sequence[str]) -> Iterator[Problem]:
    for i, value in enumerate(values):
        try:
            if "/" in value:
                ipaddress.ip_network(value, strict=False)
            else:
                ipaddress.ip_address(value)
        except ValueError:
            yield f"{at}[{i}]", f"bad CIDR range ({value})" if "/" in value else f"bad IP address ({value})"


def _ports(at: str, values: Sequence[str]) -> Iterator[Problem]:
    for i, value in enumerate(values):
        if not (value.isascii() and value.isdigit() and int(value) < 65536):
            yield f"{at}[{i}]", f"bad port ({value})"


def _accounts(at: str, values: Sequence[str]) -> Iterator[Problem]:
    for i, value in enumerate(values):
        if "*" in value:
            yield f"{at}[{i}]", "wildcard not allowed"
        elif value.count("/") > 1 or not all(value.split("/")):
            yield f"{at}[{i}]", f"expected format 'serviceAccount' or 'namespace/serviceAccount', found {value!r}"
        elif len(value) > 320:
            yield f"{at}[{i}]", "value cannot exceed 320 characters"


def _paths(at: str, values: Sequence[str]) -> Iterator[Problem]:
    """`{**}` is the last operator of a template; braces have no other use; the other segments of a template are plain."""
    for i, value in enumerate(values):
        template = "{*}" in value or "{**}" in value
        ended = False
        for segment in value.strip("/").split("/"):
            if segment in ("{*}", "{**}"):
                if ended:
                    yield f"{at}[{i}]", f"invalid or unsupported path {value}: {{**}} is not the last operator"
                    break
                ended = segment == "{**}"
            elif "{" in segment or "}" in segment:
                yield f"{at}[{i}]", f"invalid or unsupported path {value}: contains '{{' or '}}' beyond a supported path template"
                break
            elif template and not _LITERAL.fullmatch(segment):
                yield f"{at}[{i}]", f"invalid or unsupported path {value}: contains segment {segment} with invalid string literal"
                break
