"""Envoy's matchers of strings, headers and addresses, on v3 messages as dicts with proto field names."""

import ipaddress
import re
from typing import Any

from .logic import Known, any_of, not_
from .request import Request

JWT = "envoy.filters.http.jwt_authn"


def string(matcher: dict[str, Any], value: str) -> Known:
    """envoy.type.matcher.v3.StringMatcher"""
    if "safe_regex" in matcher:
        return regex(matcher["safe_regex"], value)
    ignore = matcher.get("ignore_case", False)
    said = value.lower() if ignore else value

    def of(key: str) -> str:
        return matcher[key].lower() if ignore else matcher[key]

    if "exact" in matcher:
        return said == of("exact")
    if "prefix" in matcher:
        return said.startswith(of("prefix"))
    if "suffix" in matcher:
        return said.endswith(of("suffix"))
    if "contains" in matcher:
        return of("contains") in said
    return None


def regex(matcher: dict[str, Any], value: str) -> Known:
    """RE2's syntax is near enough to Python's for what it accepts; what Python does not read is not known."""
    try:
        return re.fullmatch(matcher.get("regex", ""), value) is not None
    except re.error:
        return None


def header(matcher: dict[str, Any], request: Request) -> Known:
    """envoy.config.route.v3.HeaderMatcher"""
    value = request.header(matcher["name"])
    if value is None and matcher.get("treat_missing_header_as_empty"):
        value = ""
    if "present_match" in matcher or not any(key in matcher for key in ("string_match", "range_match")):
        found: Known = (value is not None) == matcher.get("present_match", True)
    elif value is None:
        return False  # a missing header matches nothing, inverted or not
    elif "string_match" in matcher:
        found = string(matcher["string_match"], value)
    else:
        within = matcher["range_match"]
        found = value.lstrip("-").isdigit() and int(within.get("start", 0)) <= int(value) < int(within.get("end", 0))
    return not_(found) if matcher.get("invert_match") else found


def query(matcher: dict[str, Any], request: Request) -> Known:
    """envoy.config.route.v3.QueryParameterMatcher"""
    value = request.query.get(matcher["name"])
    if value is None:
        return False
    return string(matcher["string_match"], value) if "string_match" in matcher else True


def metadata(matcher: dict[str, Any], request: Request) -> Known:
    """Claims of a token: none without one, not known with one."""
    found: Known = None if matcher.get("filter") != JWT or request.has_token else False
    return not_(found) if matcher.get("invert") else found


def cidr(block: dict[str, Any], address: str) -> Known:
    if not address:
        return None
    try:
        network = ipaddress.ip_network(f"{block['address_prefix']}/{block.get('prefix_len', 0)}", strict=False)
        return ipaddress.ip_address(address) in network
    except ValueError:
        return None


def template(pattern: str, path: str) -> bool:
    """envoy.path.match.uri_template: `*` one segment, `**` any number of them."""
    parts = re.split(r"(\*\*|\*)", pattern)
    text = "".join(".*" if part == "**" else "[^/]+" if part == "*" else re.escape(part) for part in parts)
    return re.fullmatch(text, path) is not None


def path(match: dict[str, Any], request: Request) -> Known:
    """The path part of envoy.config.route.v3.RouteMatch."""
    said, ignore = request.plain_path, not match.get("case_sensitive", True)
    lower = said.lower() if ignore else said

    def of(key: str) -> str:
        return match[key].lower() if ignore else match[key]

    if "prefix" in match:
        return lower.startswith(of("prefix"))
    if "path" in match:
        return lower == of("path")
    if "path_separated_prefix" in match:
        return lower == of("path_separated_prefix") or lower.startswith(of("path_separated_prefix") + "/")
    if "safe_regex" in match:
        return regex(match["safe_regex"], said)
    if "path_match_policy" in match:
        return template(match["path_match_policy"].get("typed_config", {}).get("path_template", ""), said)
    return any_of([])
