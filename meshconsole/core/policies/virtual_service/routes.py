"""
What a VirtualService's rules mean to Envoy (Istio: pilot/pkg/networking/core/route/route.go). Pure: rules in, draft routes out.

The counterpart is schema.py. Matches of one rule become one route each, in order; whatever cannot match this client is left out.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from meshconsole.core.envoy import defaults
from meshconsole.core.envoy.draft import HostDraft, HttpFilter, Json, Route
from meshconsole.core.envoy.draft import RouteDestination as Share
from meshconsole.core.envoy.resource_set import Origin
from meshconsole.core.resources.common import Destination, Percent, proto_duration

from .._retries import retry_policy
from ..base import View
from . import filters
from .headers import joined, operations
from .matching import is_catch_all, may_hold, route_match
from .schema import DirectResponse, HttpMatch, HttpRoute, Redirect, RedirectPort

CODES = {301: "MOVED_PERMANENTLY", 302: "FOUND", 303: "SEE_OTHER", 307: "TEMPORARY_REDIRECT", 308: "PERMANENT_REDIRECT"}
ALL: Json = {"numerator": 100, "denominator": "HUNDRED"}


@dataclass(frozen=True)
class Place:
    """Where rules are read: into whose draft, and of which policy."""

    draft: HostDraft
    view: View
    namespace: str
    """The policy's: short names mean its services."""
    origin: Origin


@dataclass(frozen=True)
class Rule:
    """One http rule and where it stands; a delegate's rule stands in its own policy, and its short names are of its own namespace."""

    http: HttpRoute
    place: Place
    path: str

    @property
    def origin(self) -> Origin:
        return replace(self.place.origin, path=self.path)


def rules(http: Iterable[HttpRoute], place: Place) -> Iterator[Rule]:
    return (Rule(each, place, f"spec.http[{number}]") for number, each in enumerate(http))


def routes(found: Iterable[Rule]) -> Iterator[Route]:
    """Draft routes in order. A route that takes every request ends them: nothing after it can be reached."""
    for rule in found:
        matches: list[HttpMatch | None] = [*rule.http.match] or [None]
        for match in matches:
            if match is not None and not may_hold(match, rule.place.draft, rule.place.namespace, rule.place.view.namespace):
                continue
            made = _route(rule, match)
            yield made
            if is_catch_all(made):
                return


def _route(rule: Rule, match: HttpMatch | None) -> Route:
    http = rule.http
    name = f"{http.name}.{match.name}" if match and match.name else http.name
    said = operations(http.headers)
    route = Route(name=name, match=route_match(match), origin=rule.origin, headers=said.fields)
    route.stat_prefix = match.stat_prefix if match else ""
    if http.redirect:
        route.redirect = _redirect(http.redirect, rule.place.draft.port)
    elif http.direct_response:
        route.direct_response = _direct_response(http.direct_response)
    else:
        _forward(rule, route, said.authority)
    if http.fault:
        route.filters[HttpFilter.FAULT] = filters.fault(http.fault)
    if http.cors_policy:
        route.filters[HttpFilter.CORS] = filters.cors(http.cors_policy)
    return route


def _forward(rule: Rule, route: Route, authority: str) -> None:
    http = rule.http
    route.action = defaults.timeouts(proto_duration(http.timeout) if http.timeout else "0s")
    if retry := retry_policy(http.retries) if http.retries else defaults.mesh_retry_policy(rule.place.view.mesh.retry_policy):
        route.action["retry_policy"] = retry
    route.retry_anywhere = bool(http.retries and http.retries.retry_ignore_previous_hosts)
    if http.rewrite:
        if http.rewrite.uri_regex_rewrite:
            given = http.rewrite.uri_regex_rewrite
            route.action["regex_rewrite"] = {"pattern": {"regex": given.match}, "substitution": given.rewrite}
        elif http.rewrite.uri:
            # Of a prefix match it replaces the prefix; of an exact or regex match the whole path.
            route.action["prefix_rewrite"] = http.rewrite.uri
        authority = http.rewrite.authority or authority
    _destinations(rule, route, authority)
    _mirrors(rule, route)


def _destinations(rule: Rule, route: Route, authority: str) -> None:
    shares = rule.http.route
    if len(shares) == 1:
        # Istio: processDestination. The destination's operations come after the route's, as if the route had said them all.
        said = operations(shares[0].headers)
        route.headers = joined(route.headers, said.fields)
        authority = authority or said.authority
        route.destinations = [Share(_cluster(shares[0].destination, rule.place))]
    else:
        for share in shares:
            if share.weight == 0:
                continue  # as in Istio, a destination without weight is none where there are others
            said = operations(share.headers)
            # The route's authority beats the destination's.
            rewrite = "" if authority else said.authority
            route.destinations.append(Share(_cluster(share.destination, rule.place), share.weight, said.fields, rewrite))
    if authority:
        route.action["host_rewrite_literal"] = authority
        route.action["append_x_forwarded_host"] = True


def _cluster(destination: Destination, place: Place) -> str:
    port = destination.port.number if destination.port else None
    return place.view.cluster(destination.host, place.namespace, port=port, subset=destination.subset, default_port=place.draft.port)


def _mirrors(rule: Rule, route: Route) -> None:
    """Copies, whose answers are thrown away. Without a percentage every request is copied, with 0 none."""
    http = rule.http
    wanted: list[tuple[Destination, Json]] = []
    if http.mirror:
        old = http.mirror_percent
        share = _share(http.mirror_percentage) if http.mirror_percentage or old is None else {"numerator": old, "denominator": "HUNDRED"}
        wanted.append((http.mirror, share))
    wanted += [(mirror.destination, _share(mirror.percentage)) for mirror in http.mirrors]
    for destination, share in wanted:
        if share["numerator"]:
            cluster = _cluster(destination, rule.place)
            route.mirror_clusters.append(cluster)
            route.action.setdefault("request_mirror_policies", []).append(
                {
                    "cluster": cluster,
                    "runtime_fraction": {"default_value": share},
                    "trace_sampled": False,
                    # Envoy would append `-shadow` to the Host (Istio: DISABLE_SHADOW_HOST_SUFFIX).
                    "disable_shadow_host_suffix_append": True,
                }
            )


def _share(percentage: Percent | None) -> Json:
    return ALL if percentage is None else percentage.fraction


def _redirect(said: Redirect, port: int) -> Json:
    made: Json = {"response_code": CODES[said.redirect_code]}
    if said.uri:
        made["path_redirect"] = said.uri
    elif said.prefix_rewrite:
        made["prefix_rewrite"] = said.prefix_rewrite
    if said.authority:
        made["host_redirect"] = said.authority
    if said.scheme:
        made["scheme_redirect"] = said.scheme
    number = said.port or (port if said.derive_port is RedirectPort.FROM_REQUEST_PORT else 0)
    # A draft does not know whether its listener ends TLS; by its number it is known well enough for leaving out a default port.
    scheme = said.scheme or ("https" if port == 443 else "http")
    if number and (scheme, number) not in (("http", 80), ("https", 443)):
        made["port_redirect"] = number
    return made


def _direct_response(said: DirectResponse) -> Json:
    made: Json = {"status": said.status}
    if said.body:
        made["body"] = {"inline_string": said.body.string} if said.body.string is not None else {"inline_bytes": said.body.bytes}
    return made
