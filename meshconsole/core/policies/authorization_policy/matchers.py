"""
Attributes of a request as Envoy's RBAC permissions and principals (Istio: pilot/pkg/security/authz/model/generator.go).

An attribute is about the operation (a permission) or about the caller (a principal). `HttpOnly` says that it means nothing on a plain TCP
connection; the rule that asks for it then decides (rbac.py).
"""

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from meshconsole.core.envoy.draft import Json

JWT = "envoy.filters.http.jwt_authn"
_SPIFFE = "spiffe://"


def quote(text: str) -> str:
    """RE2's quoting, as Go's regexp.QuoteMeta does it (Python's re.escape quotes more, and so gives other bytes)."""
    return "".join(f"\\{c}" if c in r"\.+*?()|[]{}^$" else c for c in text)


def regex(pattern: str) -> Json:
    return {"safe_regex": {"regex": pattern}}


def string(value: str, prefix: str = "") -> Json:
    """StringMatcher of exact, `prefix*`, `*suffix`, `*` (there at all: `.+`)."""
    if value == "*":
        return regex(".+")
    if value.startswith("*"):
        return regex(f"{prefix}.*{value[1:]}") if prefix else {"suffix": value[1:]}
    if value.endswith("*"):
        return {"prefix": prefix + value[:-1]}
    return {"exact": prefix + value}


def _cidr(value: str) -> Json:
    address, slash, length = value.partition("/")
    bits = int(length) if slash else ipaddress.ip_address(address).max_prefixlen
    return {"address_prefix": address, "prefix_len": bits}


def _header(name: str, value: str, *, ignore_case: bool = False) -> Json:
    if value == "*":
        return {"header": {"name": name, "present_match": True}}
    matcher = string(value)
    return {"header": {"name": name, "string_match": {**matcher, "ignore_case": True} if ignore_case else matcher}}


def _path(value: str) -> Json:
    if "{*}" not in value and "{**}" not in value:
        return {"url_path": {"path": string(value)}}
    template = value.replace("{*}", "*").replace("{**}", "**")
    return {
        "uri_template": {
            "name": "uri-template",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig",
                "path_template": template,
            },
        }
    }


def _authenticated(matcher: Json) -> Json:
    return {"authenticated": {"principal_name": matcher}}


def _wildcards(value: str, any_: str) -> str:
    return quote(value).replace(r"\*", any_)


def _namespace(value: str) -> Json:
    return _authenticated(regex(f".*/ns/{_wildcards(value, '.*')}/.*"))


def _trust_domain(value: str) -> Json:
    # A trust domain has no `/`: what follows it must not be taken for a part of it.
    return _authenticated(regex(f"{_SPIFFE}{_wildcards(value, '[^/]*')}/.*"))


def service_account(value: str, default_namespace: str) -> Json:
    namespace, slash, account = value.partition("/")
    if not slash:
        namespace, account = default_namespace, value
    return _authenticated(regex(f"{_SPIFFE}.+/ns/{quote(namespace)}/(.+/|)sa/{quote(account)}(/.+)?"))


def _metadata(filter_: str, keys: Sequence[str], value: Json) -> Json:
    return {"metadata": {"filter": filter_, "path": [{"key": key} for key in keys], "value": value}}


def _any_of(values: Sequence[Json]) -> Json:
    return values[0] if len(values) == 1 else {"or_match": {"value_matchers": list(values)}}


def _claims(keys: Sequence[str], values: Sequence[str]) -> Json:
    """A claim may be a list: one of its items must match."""
    one_of = _any_of([{"string_match": string(value)} for value in values])
    return _metadata(JWT, ["payload", *keys], {"list_match": {"one_of": one_of}})


def _request_principal(value: str) -> Json:
    """`<issuer>/<subject>`; the issuer may be a URL, so the last slash parts them."""
    issuer, slash, subject = value.rpartition("/")
    if not slash:
        issuer, subject = value, ""
    anything = regex(".+")
    iss: Json = {"exact": issuer}
    sub: Json = {"exact": subject}
    if value == "*":
        iss, sub = anything, anything
    elif value.startswith("*"):
        if slash:
            iss = anything if issuer == "*" else {"suffix": issuer[1:]}
        else:
            iss, sub = anything, {"suffix": value[1:]}
    elif value.endswith("*"):
        if slash:
            sub = anything if subject == "*" else {"prefix": subject[:-1]}
        else:
            iss, sub = {"prefix": value[:-1]}, anything
    pair = [_metadata(JWT, ["payload", claim], {"string_match": m}) for claim, m in (("iss", iss), ("sub", sub))]
    return {"and_ids": {"ids": pair}}


def _request_principals(values: Sequence[str]) -> Json:
    found = [_request_principal(value) for value in values]
    return found[0] if len(found) == 1 else {"or_ids": {"ids": found}}


def _envoy_filter(key: str, values: Sequence[str]) -> Json:
    """`experimental.envoy.filters.a.b[c]`: key `c` of filter `envoy.filters.a.b`'s metadata; a value `[v]` is an item of a list."""
    filter_, _, name = key.removeprefix("experimental.").removesuffix("]").partition("[")
    found: list[Json] = []
    for value in values:
        if value.startswith("[") and value.endswith("]"):
            found.append({"list_match": {"one_of": {"string_match": string(value.strip("[]"))}}})
        else:
            found.append({"string_match": string(value)})
    return _metadata(filter_, [name], _any_of(found))


def brackets(key: str) -> list[str]:
    """`…[a][b]` -> a, b; `…[a]b]` -> `a]b`."""
    inner = key.partition("[")[2].removesuffix("]")
    parts = inner.split("][")
    return parts if not any("[" in part or "]" in part for part in parts) else [inner]


@dataclass(frozen=True, slots=True)
class Attribute:
    """How one attribute is matched: value by value (`each`), or all values at once (`all_`)."""

    permission: bool
    """About the operation; else about the caller."""
    each: Callable[[str], Json] | None = None
    all_: Callable[[Sequence[str]], Json] | None = None
    http_only: bool = False


HOST = Attribute(True, each=lambda value: _header(":authority", value, ignore_case=True), http_only=True)
METHOD = Attribute(True, each=lambda value: _header(":method", value), http_only=True)
PATH = Attribute(True, each=_path, http_only=True)
PORT = Attribute(True, each=lambda value: {"destination_port": int(value)})
DESTINATION_IP = Attribute(True, each=lambda value: {"destination_ip": _cidr(value)})
SNI = Attribute(True, each=lambda value: {"requested_server_name": string(value)})
SOURCE_IP = Attribute(False, each=lambda value: {"direct_remote_ip": _cidr(value)})
REMOTE_IP = Attribute(False, each=lambda value: {"remote_ip": _cidr(value)})
NAMESPACE = Attribute(False, each=_namespace)
PRINCIPAL = Attribute(False, each=lambda value: _authenticated(string(value, _SPIFFE)))
TRUST_DOMAIN = Attribute(False, each=_trust_domain)
REQUEST_PRINCIPAL = Attribute(False, all_=_request_principals, http_only=True)
AUDIENCES = Attribute(False, all_=lambda values: _claims(["aud"], values), http_only=True)
PRESENTER = Attribute(False, all_=lambda values: _claims(["azp"], values), http_only=True)

CONDITIONS: dict[str, Attribute] = {
    "destination.ip": DESTINATION_IP,
    "destination.port": PORT,
    "connection.sni": SNI,
    "source.ip": SOURCE_IP,
    "remote.ip": REMOTE_IP,
    "source.namespace": NAMESPACE,
    "source.principal": PRINCIPAL,
    "source.trustDomain": TRUST_DOMAIN,
    "request.auth.principal": REQUEST_PRINCIPAL,
    "request.auth.audiences": AUDIENCES,
    "request.auth.presenter": PRESENTER,
}


def account(default_namespace: str) -> Attribute:
    return Attribute(False, each=lambda value: service_account(value, default_namespace))


def condition(key: str, namespace: str) -> Attribute | None:
    """What a `when` asks for; None for an attribute that there is not."""
    if key == "source.serviceAccount":
        return account(namespace)
    if key.startswith("request.headers["):
        name = key.removeprefix("request.headers[").removesuffix("]")
        return Attribute(False, each=lambda value: _header(name, value), http_only=True)
    if key.startswith("request.auth.claims["):
        claims = brackets(key)
        return Attribute(False, all_=lambda values: _claims(claims, values), http_only=True)
    if key.startswith("experimental.envoy.filters."):
        return Attribute(True, all_=lambda values: _envoy_filter(key, values))
    return CONDITIONS.get(key)
