"""What single fields of a rule may say, wherever they stand: conditions, header names and values, destinations, retries, bodies."""

import base64
import binascii
import re
from collections.abc import Iterator

from meshconsole.core.resources.common import Destination, StringMatch, regex_fault
from meshconsole.core.resources.names import host_fault, namespace_fault

from .headers import is_authority
from .schema import Body, Headers, Redirect

Fault = tuple[str, str]
"""(path, what was wrong and what would be right)"""

HEADER = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*"))
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
"""By number: https://grpc.io/docs/guides/status-codes."""
MAX_BODY = 1024 * 1024
MAX_HEADER, MAX_PARAMETER = 4096, 256
"""Envoy takes 16,384 and 1,024 bytes; a character has four at most."""
_SUBSET = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
# Envoy's own syntax in header values: `%COMMAND%`, `%COMMAND(argument)%`, `%COMMAND(argument):length%`; `%%` is a percent sign.
_COMMANDS = re.compile(r"([^%]|%%|%[A-Z][A-Z0-9_]*(\([^)]*\))?(:\d+)?%)*")


def grpc_status(text: str) -> int | None:
    if text.isascii() and text.isdigit():
        return int(text) if int(text) < len(GRPC) else None
    return GRPC.index(text.upper()) if text.upper() in GRPC else None


def condition_faults(condition: StringMatch, path: str, *, comparable: bool) -> Iterator[Fault]:
    for fault in condition.faults():
        yield path, fault
    if condition.prefix == "":
        yield f"{path}.prefix", "must not be empty; leave the condition out to match anything"
    if condition.regex == "":
        yield f"{path}.regex", "must not be empty; leave the condition out to match anything"
    elif condition.regex is not None and condition.regex != "*" and (fault := regex_fault(condition.regex)):
        yield f"{path}.regex", fault
    if condition.regex is not None and comparable:
        yield f"{path}.regex", "a delegation has no regular expressions: they cannot be compared; use exact or prefix"


def header_faults(headers: Headers | None, path: str) -> Iterator[Fault]:
    if headers is None:
        return
    for way, said in (("request", headers.request), ("response", headers.response)):
        for operation in ("set", "add"):
            for name, value in getattr(said, operation).items():
                where = f"{path}.{way}.{operation}.{name}"
                if not (way == "request" and is_authority(name)):
                    yield from _header_name(name, where)
                if len(value) > MAX_HEADER:
                    yield where, f"{len(value):,} characters are more than {MAX_HEADER:,}"
                elif not printable(value):
                    yield where, "a header's value is one line of printable characters"
                elif not _COMMANDS.fullmatch(value):
                    yield where, "a percent sign begins one of Envoy's %COMMANDS%; write %% for the sign itself"
        for n, name in enumerate(said.remove):
            yield from _header_name(name, f"{path}.{way}.remove[{n}]")
    named = [name for values in (headers.request.set, headers.request.add) for name in values if is_authority(name)]
    if len(named) > 1:
        yield f"{path}.request", f"the authority is set {len(named)} times ({', '.join(named)}); keep one"


def _header_name(name: str, path: str) -> Iterator[Fault]:
    if name.startswith(":") or name.lower() == "host":
        yield path, f"{name!r} cannot be changed here"
    elif not is_header(name):
        yield path, f"{name!r} is no header name"


def is_header(name: str) -> bool:
    return bool(len(name) <= MAX_HEADER and HEADER.fullmatch(name))


def printable(value: str) -> bool:
    return all(c == "\t" or (c >= " " and c != "\x7f") for c in value)


def destination_faults(destination: Destination, path: str) -> Iterator[Fault]:
    if destination.host == "*":
        yield f"{path}.host", "'*' is no destination; name a service"
    elif fault := host_fault(destination.host):
        yield f"{path}.host", fault
    if destination.subset and not _SUBSET.fullmatch(destination.subset):
        yield f"{path}.subset", f"{destination.subset!r} must be letters, digits, '-', '_' or '.'"


def gateway_fault(gateway: str) -> str:
    namespace, slash, name = gateway.rpartition("/")
    # Names with `~` are Istio's own, made from the Gateway API: nothing here bears one, and analysis says so.
    if not name or host_fault(name.replace("~", "-"), wildcard=False) or (slash and namespace != "." and namespace_fault(namespace)):
        return f"{gateway!r} is no gateway; write <name>, <namespace>/<name>, or mesh"
    return ""


def redirect_faults(redirect: Redirect, path: str) -> Iterator[Fault]:
    if redirect.redirect_code not in (301, 302, 303, 307, 308):
        yield f"{path}.redirectCode", f"{redirect.redirect_code} is not one of 301, 302, 303, 307, 308"
    if redirect.scheme not in ("", "http", "https"):
        yield f"{path}.scheme", f"{redirect.scheme!r} must be http or https"
    if redirect.port and redirect.derive_port:
        yield f"{path}.derivePort", "port and derivePort exclude one another; keep one"
    if redirect.uri and redirect.prefix_rewrite:
        yield f"{path}.prefixRewrite", "uri and prefixRewrite exclude one another; keep one"
    said = (redirect.uri, redirect.prefix_rewrite, redirect.authority, redirect.scheme, redirect.port, redirect.derive_port)
    if not any(said):
        yield path, "says nothing; add uri, prefixRewrite, authority, scheme or port"
    for name, value in (("uri", redirect.uri), ("prefixRewrite", redirect.prefix_rewrite), ("authority", redirect.authority)):
        if not printable(value):
            yield f"{path}.{name}", "is one line of printable characters"


def body_faults(body: Body, path: str) -> Iterator[Fault]:
    if (body.string is None) == (body.bytes is None):
        yield path, "needs one of string and bytes"
    size = len((body.string or "").encode(errors="surrogatepass"))
    if body.bytes is not None:
        try:
            size = len(base64.b64decode(body.bytes, validate=True))
        except (binascii.Error, ValueError):
            yield f"{path}.bytes", "is not base64"
    if size > MAX_BODY:
        yield path, f"{size:,} bytes are more than {MAX_BODY:,}"
