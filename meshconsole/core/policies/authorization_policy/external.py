"""
Action CUSTOM: an external authorizer decides (Istio: pilot/pkg/security/authz/builder, extauthz.go).

Two filters: RBAC in the shadow finds out which requests the policies speak of and notes it, and ext_authz asks the authorizer about these.
What cannot be asked (no such provider, its service unknown, several providers for one workload) is denied, never let through.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from meshconsole.core.envoy.draft import HttpFilter, Json, NetworkFilter
from meshconsole.core.mesh.model import Authorizer

from . import rbac
from .schema import Action

if TYPE_CHECKING:
    from meshconsole.core.policies.base import View

    from . import AuthorizationPolicy

PREFIX = "istio-ext-authz"
BAD = "-deny-due-to-bad-CUSTOM-action"
_EXT_AUTHZ = "type.googleapis.com/envoy.extensions.filters.{}.ext_authz.v3.ExtAuthz"
_DEFAULT_TIMEOUT = "600s"
_PLACES = {
    False: (HttpFilter.EXT_AUTHZ_SHADOW, HttpFilter.EXT_AUTHZ),
    True: (NetworkFilter.EXT_AUTHZ_SHADOW, NetworkFilter.EXT_AUTHZ),
}
Placed = tuple[Any, Json]


def filters(policies: Sequence["AuthorizationPolicy"], view: "View", *, tcp: bool) -> tuple[list[Placed], list[str]]:
    """(filters at their places, clusters that they ask)"""
    by_provider: dict[str, list[AuthorizationPolicy]] = {}
    for policy in policies:
        by_provider.setdefault(policy.spec.provider.name if policy.spec.provider else "", []).append(policy)
    shadow, ask = _PLACES[tcp]
    domains = (view.mesh.trust_domain, *view.mesh.trust_domain_aliases)
    known = {provider.name: provider for provider in view.mesh.authorizers}
    placed: list[Placed] = []
    clusters: list[str] = []
    for name in sorted(by_provider):
        provider = known.get(name) if len(by_provider) == 1 else None
        host = _host(provider, view) if provider is not None and (provider.grpc or not tcp) else ""
        found = _rules(by_provider[name], domains, f"{PREFIX}-{name}-", "" if host else BAD, tcp=tcp)
        if not found:
            continue
        if provider is None or not host:
            placed.append((shadow, _rbac({"rules": {"action": "DENY", "policies": found}}, tcp=tcp)))
            continue
        rules = {"action": "DENY", "policies": found}
        placed.append((shadow, _rbac({"shadow_rules": rules, "shadow_rules_stat_prefix": "istio_ext_authz_"}, tcp=tcp)))
        cluster = f"outbound|{provider.port}||{host}"
        placed.append((ask, _ext_authz(provider, host, cluster, tcp=tcp)))
        clusters.append(cluster)
    return placed, clusters


def _host(provider: Authorizer, view: "View") -> str:
    """Its service's full name; '' where there is none."""
    service = view.service(provider.host, provider.namespace or view.mesh.root_namespace)
    return service.host if service is not None and service.port(provider.port) is not None else ""


def _rules(policies: Iterable["AuthorizationPolicy"], domains: Sequence[str], before: str, after: str, *, tcp: bool) -> dict[str, Json]:
    rules = rbac.Rules(Action.CUSTOM, domains, tcp=tcp)
    for policy in policies:
        rules.add(policy.metadata.namespace, policy.metadata.name, policy.spec.rules, dry_run=False)
    return {f"{before}{name}{after}": body for name, body in rules.enforced.items()}


def _rbac(config: Json, *, tcp: bool) -> Json:
    kind = "network" if tcp else "http"
    more = {"stat_prefix": "tcp."} if tcp else {}
    return {"name": f"envoy.filters.{kind}.rbac", "typed_config": {"@type": rbac.TCP if tcp else rbac.HTTP, **config, **more}}


def _ext_authz(provider: Authorizer, host: str, cluster: str, *, tcp: bool) -> Json:
    kind = "network" if tcp else "http"
    config: Json = {
        "@type": _EXT_AUTHZ.format(kind),
        "transport_api_version": "V3",
        "failure_mode_allow": provider.fail_open,
        "filter_enabled_metadata": {
            "filter": f"envoy.filters.{kind}.rbac",
            "path": [{"key": "istio_ext_authz_shadow_effective_policy_id"}],
            "value": {"string_match": {"prefix": f"{PREFIX}-{provider.name}"}},
        },
    }
    if provider.grpc:
        config["grpc_service"] = {
            "envoy_grpc": {"cluster_name": cluster, "authority": host},
            "timeout": provider.timeout or _DEFAULT_TIMEOUT,
        }
    else:
        config["http_service"] = _http_service(provider, host, cluster)
    if tcp:
        config["stat_prefix"] = "tcp."
        return {"name": "envoy.filters.network.ext_authz", "typed_config": config}
    if provider.status_on_error:
        config["status_on_error"] = {"code": provider.status_on_error}
    if provider.check_headers:
        config["allowed_headers"] = {"patterns": [_matcher(name) for name in provider.check_headers]}
    if provider.max_body_bytes:
        config["with_request_body"] = {
            "max_request_bytes": provider.max_body_bytes,
            "allow_partial_message": provider.partial_body,
            "pack_as_bytes": provider.body_as_bytes,
        }
    if provider.clear_route_cache:
        config["clear_route_cache"] = True
    return {"name": "envoy.filters.http.ext_authz", "typed_config": config}


def _http_service(provider: Authorizer, host: str, cluster: str) -> Json:
    service: Json = {"server_uri": {"uri": f"http://{host}", "cluster": cluster, "timeout": provider.timeout or _DEFAULT_TIMEOUT}}
    if provider.path_prefix:
        service["path_prefix"] = provider.path_prefix
    if provider.added_headers:
        service["authorization_request"] = {"headers_to_add": [{"key": key, "value": value} for key, value in provider.added_headers]}
    answer = {
        "allowed_upstream_headers": provider.upstream_headers,
        "allowed_client_headers": provider.denied_headers,
        "allowed_client_headers_on_success": provider.allowed_headers,
    }
    patterns = {field: {"patterns": [_matcher(name) for name in names]} for field, names in answer.items() if names}
    if patterns:
        service["authorization_response"] = patterns
    return service


def _matcher(name: str) -> Json:
    """`x-*`, `*-x`, or exactly; headers have no case."""
    if name == "*":
        return {"safe_regex": {"regex": ".*"}}
    if name.startswith("*"):
        return {"suffix": name[1:], "ignore_case": True}
    if name.endswith("*"):
        return {"prefix": name[:-1], "ignore_case": True}
    return {"exact": name, "ignore_case": True}
