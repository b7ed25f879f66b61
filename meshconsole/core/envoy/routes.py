"""Routes and virtual hosts: from what the drafts say to RouteConfiguration's parts. Counterpart: listeners.py, which refers to them."""

from collections.abc import Callable, Iterable, Sequence
from typing import cast

from .draft import HttpFilter, Json, Route, RouteDestination
from .resource_set import Origin
from .vocabulary import ads, merged_metadata, metadata

FILTER_NAMES: dict[HttpFilter, str] = {
    HttpFilter.ON_DEMAND: "envoy.filters.http.on_demand",
    HttpFilter.EXT_AUTHZ: "envoy.filters.http.ext_authz",
    HttpFilter.JWT_AUTHN: "envoy.filters.http.jwt_authn",
    HttpFilter.RBAC_ALLOW: "envoy.filters.http.rbac",
    HttpFilter.LOCAL_RATE_LIMIT: "envoy.filters.http.local_ratelimit",
    HttpFilter.GRPC_WEB: "envoy.filters.http.grpc_web",
    HttpFilter.SPOKEN: "meshconsole.spoken",
    HttpFilter.FAULT: "envoy.filters.http.fault",
    HttpFilter.CORS: "envoy.filters.http.cors",
    HttpFilter.DYNAMIC_PORT: "envoy.filters.http.set_filter_state",
    HttpFilter.ROUTER: "envoy.filters.http.router",
}
"""The name under which a route's `typed_per_filter_config` reaches the filter."""

HashPolicy = Callable[[str], Sequence[Json]]
"""Of a cluster's name: what its DestinationRule hashes by."""


def route(draft: Route, hash_policy: HashPolicy = lambda _: ()) -> Json:
    body: Json = {"match": draft.match or {"prefix": "/"}}
    if draft.name:
        body["name"] = draft.name
    if draft.stat_prefix:
        body["stat_prefix"] = draft.stat_prefix
    if draft.redirect is not None:
        body["redirect"] = draft.redirect
    elif draft.direct_response is not None:
        body["direct_response"] = draft.direct_response
    else:
        body["route"] = _action(draft, hash_policy)
    body.update(_parts(draft.headers))
    if draft.filters:
        body["typed_per_filter_config"] = {FILTER_NAMES[place]: config for place, config in sorted(draft.filters.items())}
    return merged_metadata(body, metadata(origins=(draft.origin,) if draft.origin else ()))


def _action(draft: Route, hash_policy: HashPolicy) -> Json:
    action = dict(draft.action)
    if "cluster" in action or "weighted_clusters" in action or "cluster_header" in action:
        return action
    policies = [policy for destination in draft.destinations for policy in hash_policy(destination.cluster)]
    if policies:
        action["hash_policy"] = [*action.get("hash_policy", ()), *_unique(policies)]
        if "retry_policy" in action and len(draft.destinations) == 1 and not draft.retry_anywhere:
            # Istio: with a consistent hash a retry goes where the hash leads, and not to any other instance.
            action["retry_policy"] = {key: value for key, value in action["retry_policy"].items() if key != "retry_host_predicate"}
    if len(draft.destinations) == 1:
        only = draft.destinations[0]
        if only.request_headers or (only.host_rewrite and "host_rewrite_literal" not in action):
            # A single weighted cluster carries the destination's own header operations beside the route's.
            action["weighted_clusters"] = {"clusters": [_share(only, weight=100)]}
        else:
            action["cluster"] = only.cluster
    else:
        action["weighted_clusters"] = {"clusters": [_share(d, weight=d.weight) for d in draft.destinations]}
    return action


def _share(destination: RouteDestination, weight: int) -> Json:
    share: Json = {"name": destination.cluster, "weight": weight, **_parts(destination.request_headers)}
    if destination.host_rewrite:
        share["host_rewrite_literal"] = destination.host_rewrite
    return share


def _parts(headers: Json) -> Json:
    return {key: value for key, value in headers.items() if value}


def _unique(policies: Iterable[Json]) -> list[Json]:
    seen: list[Json] = []
    for policy in policies:
        if policy not in seen:
            seen.append(policy)
    return seen


def virtual_host(
    name: str,
    domains: Sequence[str],
    routes: Sequence[Json],
    *,
    service: str = "",
    origins: Iterable[Origin] = (),
    require_tls: bool = False,
) -> Json:
    body: Json = {"name": name, "domains": list(domains), "routes": list(routes), **metadata(service=service, origins=origins)}
    # Istio: the application sees no x-envoy-attempt-count unless asked for; Envoy's own default adds none either.
    if require_tls:
        body["require_tls"] = "ALL"
    return body


def on_demand_config(name: str, max_direct_response_bytes: int) -> Json:
    """A route configuration whose virtual hosts all come by VHDS."""
    return {
        "name": name,
        "vhds": {"config_source": ads()},
        "validate_clusters": False,
        "max_direct_response_body_size_bytes": max_direct_response_bytes,
    }


def route_config(name: str, virtual_hosts: Sequence[Json], max_direct_response_bytes: int) -> Json:
    return {
        "name": name,
        "virtual_hosts": list(virtual_hosts),
        "validate_clusters": False,
        "max_direct_response_body_size_bytes": max_direct_response_bytes,
    }


def clusters_of(routes: Iterable[Route]) -> list[str]:
    """Every cluster that `routes` can send to, mirrors included, in order of first use."""
    names: dict[str, None] = {}
    for one in routes:
        if one.redirect is not None or one.direct_response is not None:
            continue
        for destination in one.destinations:
            names[destination.cluster] = None
        if "cluster" in one.action:
            names[cast(str, one.action["cluster"])] = None
        for mirror in one.mirror_clusters:
            names[mirror] = None
    return list(names)
