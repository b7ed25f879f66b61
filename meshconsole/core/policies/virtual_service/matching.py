"""Which requests a rule is for: what can be decided now (who calls, by which gateway and port), and what Envoy must look at."""

from collections.abc import Mapping

from meshconsole.core.envoy.draft import HostDraft, Json, Route
from meshconsole.core.resources.common import StringMatch

from .schema import HttpMatch

MESH = "mesh"
"""The gateway that all sidecars are."""
CLAIMS = "@request.auth.claims"
"""Instead of a header's name: a claim of the JSON Web Token that a RequestAuthentication verified."""
JWT_FILTER, JWT_PAYLOAD = "envoy.filters.http.jwt_authn", "payload"
"""Where the verified claims stand: RequestAuthentication's filter and key."""


def qualified(gateway: str, namespace: str) -> str:
    """`<namespace>/<name>` as a VirtualService of `namespace` means it; `mesh` as it is (Istio: resolveGatewayName)."""
    if gateway == MESH:
        return gateway
    before, slash, after = gateway.partition("/")
    if slash:
        return f"{namespace if before == '.' else before}/{after}"
    parts = gateway.split(".")
    return f"{namespace}/{gateway}" if len(parts) == 1 else f"{parts[1]}/{parts[0]}"  # Istio's former `<name>.<namespace>.svc…`


def claim_path(name: str) -> tuple[str, ...]:
    """`@request.auth.claims.group.id` and `@request.auth.claims[group][id]` as ("group", "id"); () for a header (Istio: ToRoutingClaim)."""
    if not name.startswith(CLAIMS) or not (rest := name.removeprefix(CLAIMS)):
        return ()
    if rest.startswith("."):
        parts = rest[1:].split(".")
    elif rest.startswith("[") and rest.endswith("]"):
        parts = rest[1:-1].split("][")
    else:
        return ()
    return tuple(parts) if all(parts) else ()


def may_hold(match: HttpMatch, draft: HostDraft, namespace: str, client_namespace: str) -> bool:
    """Port, gateway, source labels and namespace are decided here, not in Envoy. A match that names gateways looks at no source (Istio:
    sourceMatchHTTP); `gateways` of the VirtualService itself were looked at when it was chosen."""
    if match.port is not None and match.port != draft.port:
        return False
    if match.gateways:
        return (draft.gateway or MESH) in (qualified(g, namespace) for g in match.gateways)
    labels: Mapping[str, str] = draft.client_labels or {}
    if any(labels.get(key) != value for key, value in match.source_labels.items()):
        return False
    return match.source_namespace in ("", client_namespace)


def is_catch_all(route: Route) -> bool:
    """Istio: IsCatchAllRoute. The prefix `/` or the regex `.*`, with no other condition."""
    match = route.match
    path = match.get("prefix") == "/" or match.get("safe_regex", {}).get("regex") == ".*"
    return path and not any(key in match for key in ("headers", "query_parameters", "dynamic_metadata"))


def route_match(match: HttpMatch | None) -> Json:
    """envoy.config.route.v3.RouteMatch; None matches every request."""
    made: Json = _path(match.uri if match else None)
    if match is None:
        return made
    if match.ignore_uri_case and "safe_regex" not in made:
        made["case_sensitive"] = False
    headers, claims = [], []
    for conditions, wanted in ((match.headers, True), (match.without_headers, False)):
        for name, condition in conditions.items():
            if path := claim_path(name):
                claims.append(_claim(path, condition, wanted=wanted))
            else:
                headers.append(_header(name, condition) if wanted else _absent(name, condition))
    headers.sort(key=lambda header: header["name"])
    if claims:
        made["dynamic_metadata"] = sorted(claims, key=lambda claim: [part["key"] for part in claim["path"]])
    for name, single in ((":method", match.method), (":authority", match.authority), (":scheme", match.scheme)):
        if single is not None:
            headers.append(_header(name, single))
    if headers:
        made["headers"] = headers
    if match.query_params:
        made["query_parameters"] = [{"name": name, **_condition(condition)} for name, condition in sorted(match.query_params.items())]
    return made


def string_match(condition: StringMatch) -> Json:
    """envoy.type.matcher.v3.StringMatcher."""
    if condition.exact is not None:
        return {"exact": condition.exact}
    if condition.prefix is not None:
        return {"prefix": condition.prefix}
    return {"safe_regex": {"regex": condition.regex}}


def _path(uri: StringMatch | None) -> Json:
    if uri is None or uri.is_empty:
        return {"prefix": "/"}
    if uri.exact is not None:
        return {"path": uri.exact}
    # A plain prefix: `/foo` takes `/foobar` too. Only Istio's Gateway API rules cut at a slash.
    return {"prefix": uri.prefix} if uri.prefix is not None else {"safe_regex": {"regex": uri.regex}}


def _condition(condition: StringMatch) -> Json:
    return {"present_match": True} if condition.asks_for_presence else {"string_match": string_match(condition)}


def _header(name: str, condition: StringMatch) -> Json:
    return {"name": name.lower() if not name.startswith(":") else name, **_condition(condition)}


def _absent(name: str, condition: StringMatch) -> Json:
    """The condition must not hold; where the header is missing, it does not."""
    made = {**_header(name, condition), "invert_match": True}
    if "string_match" in made:
        made["treat_missing_header_as_empty"] = True
    return made


def _claim(path: tuple[str, ...], condition: StringMatch, *, wanted: bool) -> Json:
    """envoy.type.matcher.v3.MetadataMatcher: the claim is such a string, or a list that holds one."""
    value: Json = {"safe_regex": {"regex": ".+"}} if condition.asks_for_presence else string_match(condition)
    either = [{"string_match": value}, {"list_match": {"one_of": {"string_match": value}}}]
    made: Json = {
        "filter": JWT_FILTER,
        "path": [{"key": part} for part in (JWT_PAYLOAD, *path)],
        "value": {"or_match": {"value_matchers": either}},
    }
    return made if wanted else {**made, "invert": True}
