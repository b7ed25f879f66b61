"""
What a VirtualService's rules mean to Envoy (Istio: pilot/pkg/networking/core/route/route.go). Pure: rules in, draft routes out.

The counterpart is schema.py. Matches of one rule become one route each, in order; whatever cannot match this client is left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from meshconsole.core.envoy import defaults
from meshconsole.core.envoy.draft import HostDraft, HttpFilter, Json, Route
from meshconsole.core.envoy.draft import RouteDestination as Share
from meshconsole.core.envoy.resource_set import Origin
from meshconsole.core.resources.common import Destination, StringMatch, proto_duration, seconds

from ..base import View
from .checks import grpc_status
from .schema import Cors, Fault, Headers, HttpMatch, HttpRoute, Preflights, Redirect, RedirectPort, Retries

ENVOY = "type.googleapis.com/envoy."
MESH = "mesh"


@dataclass(frozen=True)
class Place:
    """Where rules are read: whose draft, by which policy."""

    draft: HostDraft
    view: View
    namespace: str
    """The policy's: short names mean its services."""
    gateways: tuple[str, ...]
    """The policy's own list, qualified."""
    origin: Origin


def routes(rules: list[HttpRoute], place: Place) -> Iterator[Route]:
    """Draft routes in order. A match-all route ends them: nothing after it can be reached."""
    for number, rule in enumerate(rules):
        for match in rule.match or [None]:
            if match is not None and not _concerns(match, place):
                continue
            made = _route(rule, match, place, f"spec.http[{number}]")
            yield made
            if is_catch_all(made):
                return


def is_catch_all(route: Route) -> bool:
    """Istio: IsCatchAllRoute. A prefix `/` or the regex `.*`, with no other condition."""
    match = route.match
    path = match.get("prefix") == "/" or match.get("safe_regex", {}).get("regex") in (".*", "*")
    return path and not any(key in match for key in ("headers", "query_parameters", "dynamic_metadata"))


def _concerns(match: HttpMatch, place: Place) -> bool:
    """Can it hold for this client at all? Port, gateway, source labels and namespace are decided here and not in Envoy."""
    draft = place.draft
    own = qualified(match.gateways, place.namespace) or place.gateways
    if (draft.gateway or MESH) not in own:
        return False
    if match.port is not None and match.port != draft.port:
        return False
    if draft.gateway:
        return True  # a gateway's callers have no labels
    labels = draft.client_labels or {}
    if any(labels.get(key) != value for key, value in match.source_labels.items()):
        return False
    return not match.source_namespace or match.source_namespace == place.view.namespace


def qualified(gateways: list[str], namespace: str) -> tuple[str, ...]:
    """`<namespace>/<name>` of each, and `mesh` as it is."""
    return tuple(g if g == MESH or "/" in g else f"{namespace}/{g}" for g in gateways)


def _route(rule: HttpRoute, match: HttpMatch | None, place: Place, path: str) -> Route:
    name = ".".join(filter(None, (rule.name, match.name if match else "")))
    origin = Origin(place.origin.kind, place.origin.namespace, place.origin.name, path)
    route = Route(name=name, match=_match(match), origin=origin, headers=_operations(rule.headers))
    if rule.redirect:
        route.redirect = _redirect(rule.redirect, place.draft.port)
    elif rule.direct_response:
        route.direct_response = {"status": rule.direct_response.status}
        body = rule.direct_response.body
        if body:
            route.direct_response["body"] = {"inline_string": body.string} if body.string is not None else {"inline_bytes": body.bytes}
    else:
        _forward(rule, route, place)
    if rule.fault:
        route.filters[HttpFilter.FAULT] = _fault(rule.fault)
    if rule.cors_policy:
        route.filters[HttpFilter.CORS] = _cors(rule.cors_policy)
    return route


def _forward(rule: HttpRoute, route: Route, place: Place) -> None:
    timeout = proto_duration(rule.timeout) if rule.timeout else "0s"
    route.action = {**defaults.timeouts(timeout)}
    if retry := retry_policy(rule.retries):
        route.action["retry_policy"] = retry
    several = len(rule.route) > 1
    for share in rule.route:
        if several and not share.weight:
            continue
        operations = _operations(share.headers)
        host = _authority(share.headers)
        route.destinations.append(Share(_cluster(share.destination, place), share.weight if several else 100, operations, host))
    host = (rule.rewrite.authority if rule.rewrite else "") or _authority(rule.headers)
    if host:
        route.action["host_rewrite_literal"] = host
        route.action["append_x_forwarded_host"] = True
        for share_ in route.destinations:  # the route's authority beats the destination's
            share_.host_rewrite = ""
    if rule.rewrite and rule.rewrite.uri:
        # An exact or regex path is replaced whole by prefix_rewrite; only for a regex does Envoy want it said so.
        if "safe_regex" in route.match:
            route.action["regex_rewrite"] = {"pattern": {"regex": route.match["safe_regex"]["regex"]}, "substitution": rule.rewrite.uri}
        else:
            route.action["prefix_rewrite"] = rule.rewrite.uri
    elif rule.rewrite and rule.rewrite.uri_regex_rewrite:
        given = rule.rewrite.uri_regex_rewrite
        route.action["regex_rewrite"] = {"pattern": {"regex": given.match}, "substitution": given.rewrite}
    _mirror(rule, route, place)


def _mirror(rule: HttpRoute, route: Route, place: Place) -> None:
    mirrors = [(m.destination, m.percentage) for m in rule.mirrors]
    if rule.mirror:
        mirrors.append((rule.mirror, rule.mirror_percentage))
    for destination, percentage in mirrors:
        if percentage is not None and percentage.value == 0:
            continue
        cluster = _cluster(destination, place)
        route.mirror_clusters.append(cluster)
        fraction = percentage.fraction if percentage else {"numerator": 100}
        policy = {"cluster": cluster, "runtime_fraction": {"default_value": fraction}, "disable_shadow_host_suffix_append": True}
        route.action.setdefault("request_mirror_policies", []).append(policy)


def _cluster(destination: Destination, place: Place) -> str:
    port = destination.port.number if destination.port else None
    return place.view.cluster(destination.host, place.namespace, port=port, subset=destination.subset, default_port=place.draft.port)


def retry_policy(retries: Retries | None) -> Json | None:
    """Istio: retry.ConvertPolicy. None given: the defaults; attempts 0: off."""
    policy = defaults.retry_policy()
    if retries is None:
        return policy
    if retries.attempts == 0:
        return None
    policy["num_retries"] = retries.attempts
    if retries.retry_on:
        words = [w.strip() for w in retries.retry_on.split(",") if w.strip()]
        codes = [int(w) for w in words if w.isdigit()]
        names = [w for w in words if not w.isdigit()]
        if codes:
            policy["retriable_status_codes"] = codes
            if "retriable-status-codes" not in names:
                names.append("retriable-status-codes")
        policy["retry_on"] = ",".join(names)
    if retries.per_try_timeout and seconds(retries.per_try_timeout):
        policy["per_try_timeout"] = proto_duration(retries.per_try_timeout)
    if retries.retry_ignore_previous_hosts is False:
        del policy["retry_host_predicate"]
        del policy["host_selection_retry_max_attempts"]
    if retries.retry_remote_localities:
        policy["retry_priority"] = {
            "name": "envoy.retry_priorities.previous_priorities",
            "typed_config": {
                "@type": f"{ENVOY}extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
                "update_frequency": 2,
            },
        }
    if retries.backoff:
        policy["retry_back_off"] = {"base_interval": proto_duration(retries.backoff)}
    return policy


def _match(match: HttpMatch | None) -> Json:
    if match is None:
        return {"prefix": "/"}
    made: Json = {}
    uri = match.uri
    if uri is None or uri.prefix is not None or uri.is_empty:
        made["prefix"] = uri.prefix if uri and uri.prefix else "/"
    elif uri.exact is not None:
        made["path"] = uri.exact
    else:
        made["safe_regex"] = {"regex": uri.regex}
    if match.ignore_uri_case and "safe_regex" not in made:
        made["case_sensitive"] = False
    headers = [_header(name.lower(), condition) for name, condition in sorted(match.headers.items())]
    for name, condition in sorted(match.without_headers.items()):
        unwanted = {**_header(name.lower(), condition), "invert_match": True}
        if "string_match" in unwanted:
            unwanted["treat_missing_header_as_empty"] = True
        headers.append(unwanted)
    for name, condition in ((":method", match.method), (":authority", match.authority), (":scheme", match.scheme)):
        if condition is not None:
            headers.append(_header(name, condition))
    if headers:
        made["headers"] = headers
    if match.query_params:
        made["query_parameters"] = [_parameter(name, condition) for name, condition in sorted(match.query_params.items())]
    return made


def _header(name: str, condition: StringMatch) -> Json:
    if condition.is_empty or condition.regex == "*":
        return {"name": name, "present_match": True}
    return {"name": name, "string_match": string_match(condition)}


def _parameter(name: str, condition: StringMatch) -> Json:
    if condition.is_empty:
        return {"name": name, "present_match": True}
    return {"name": name, "string_match": string_match(condition)}


def string_match(condition: StringMatch) -> Json:
    if condition.exact is not None:
        return {"exact": condition.exact}
    if condition.prefix is not None:
        return {"prefix": condition.prefix} if condition.prefix else {"safe_regex": {"regex": ".*"}}
    return {"safe_regex": {"regex": condition.regex}}


def _operations(headers: Headers | None) -> Json:
    """request_headers_to_add … ; headers that begin with `:` and Host are dropped here (Istio: dropInternal), the authority is a rewrite."""
    if headers is None:
        return {}
    made: Json = {}
    for way in ("request", "response"):
        operations = getattr(headers, way)
        added: list[Any] = []
        for source, action in ((operations.set, "OVERWRITE_IF_EXISTS_OR_ADD"), (operations.add, "APPEND_IF_EXISTS_OR_ADD")):
            for name, value in sorted(source.items()):
                if not _internal(name):
                    added.append({"header": {"key": name, "value": value}, "append_action": action, "keep_empty_value": True})
        removed = [name for name in operations.remove if not _internal(name)]
        if added:
            made[f"{way}_headers_to_add"] = added
        if removed:
            made[f"{way}_headers_to_remove"] = removed
    return made


def _internal(name: str) -> bool:
    return name.startswith(":") or name.lower() == "host"


def _authority(headers: Headers | None) -> str:
    """`set` of Host or :authority rewrites it."""
    written = headers.request.set if headers else {}
    return next((value for name, value in written.items() if name.lower() in ("host", ":authority")), "")


def _redirect(redirect: Redirect, port: int) -> Json:
    made: Json = {}
    if redirect.uri.startswith("%PREFIX()%"):
        made["prefix_rewrite"] = redirect.uri.removeprefix("%PREFIX()%")
    elif redirect.uri:
        made["path_redirect"] = redirect.uri
    if redirect.authority:
        made["host_redirect"] = redirect.authority
    if redirect.scheme:
        made["scheme_redirect"] = redirect.scheme
    if redirect.port or redirect.derive_port is RedirectPort.FROM_REQUEST_PORT:
        number = redirect.port or port
        if (redirect.scheme, number) not in (("http", 80), ("https", 443)):
            made["port_redirect"] = number
    codes = {301: "MOVED_PERMANENTLY", 302: "FOUND", 303: "SEE_OTHER", 307: "TEMPORARY_REDIRECT", 308: "PERMANENT_REDIRECT"}
    made["response_code"] = codes[redirect.redirect_code]
    return made


def _fault(fault: Fault) -> Json:
    made: Json = {"@type": f"{ENVOY}extensions.filters.http.fault.v3.HTTPFault"}
    if fault.delay:
        if fault.delay.percentage is not None:
            fraction: Json = fault.delay.percentage.fraction
        else:
            fraction = {"numerator": fault.delay.percent}
        made["delay"] = {"fixed_delay": proto_duration(fault.delay.fixed_delay), "percentage": fraction}
    if fault.abort:
        made["abort"] = {"percentage": fault.abort.percentage.fraction if fault.abort.percentage else {"numerator": 0}}
        if fault.abort.http_status is not None:
            made["abort"]["http_status"] = fault.abort.http_status
        else:
            made["abort"]["grpc_status"] = grpc_status(fault.abort.grpc_status)
    return made


def _cors(cors: Cors) -> Json:
    made: Json = {"@type": f"{ENVOY}extensions.filters.http.cors.v3.CorsPolicy"}
    made["allow_origin_string_match"] = [string_match(origin) for origin in cors.allow_origins]
    if cors.allow_methods:
        made["allow_methods"] = ",".join(cors.allow_methods)
    if cors.allow_headers:
        made["allow_headers"] = ",".join(cors.allow_headers)
    if cors.expose_headers:
        made["expose_headers"] = ",".join(cors.expose_headers)
    if cors.max_age:
        made["max_age"] = str(int(seconds(cors.max_age)))
    if cors.allow_credentials is not None:
        made["allow_credentials"] = cors.allow_credentials
    made["forward_not_matching_preflights"] = cors.unmatched_preflights is not Preflights.IGNORE
    made["filter_enabled"] = {"default_value": {"numerator": 100}}
    return made
