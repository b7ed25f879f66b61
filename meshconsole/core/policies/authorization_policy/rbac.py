"""
From policies to RBAC filters: one filter per action, one Envoy policy per rule, named as Istio names them, so that a denial can be traced
back (`rbac_access_denied_matched_policy[ns[foo]-policy[bar]-rule[0]]`).

On a TCP connection HTTP attributes mean nothing. An ALLOW rule that asks for one is dropped (less is allowed); a DENY or AUDIT rule is
left with what remains (more is refused or marked).
"""

from collections.abc import Iterable, Sequence

from meshconsole.core.envoy import access_logs
from meshconsole.core.envoy.draft import HttpFilter, Json, NetworkFilter

from . import matchers, trust_domains
from .matchers import Attribute
from .schema import Action, Condition, Operation, Rule, Source

HTTP = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC"
TCP = "type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC"
ENVOY_ACTIONS = {Action.ALLOW: "ALLOW", Action.DENY: "DENY", Action.AUDIT: "LOG", Action.CUSTOM: "DENY"}
PLACES = {
    Action.AUDIT: (HttpFilter.RBAC_AUDIT, NetworkFilter.RBAC_AUDIT),
    Action.DENY: (HttpFilter.RBAC_DENY, NetworkFilter.RBAC_DENY),
    Action.ALLOW: (HttpFilter.RBAC_ALLOW, NetworkFilter.RBAC_ALLOW),
}
_SHADOW_PREFIX = {
    Action.ALLOW: "istio_dry_run_allow_",
    Action.DENY: "istio_dry_run_deny_",
    Action.AUDIT: "",
    Action.CUSTOM: "istio_ext_authz_",
}
_ANY: Json = {"any": True}
_NEVER: Json = {"permissions": [{"not_rule": _ANY}], "principals": [{"not_id": _ANY}]}


class _OnlyHttp(Exception):
    """The rule cannot hold on TCP."""


Asked = tuple[Attribute, Sequence[str], Sequence[str]]
"""An attribute, the values of which one must match, and those of which none may."""


def told(action: Action, *, dry_run: bool, tcp: bool) -> list[Json]:
    """Access-log filters that select what AUDIT rules mark, and what dry-run policies would refuse."""
    if action is Action.AUDIT:
        return [access_logs.decided("envoy.common", "access_log_hint", True)]
    writer = f"envoy.filters.{'network' if tcp else 'http'}.rbac"
    return [access_logs.decided(writer, f"{_SHADOW_PREFIX[action]}shadow_engine_result", "denied")] if dry_run else []


def policy_name(namespace: str, name: str, rule: int) -> str:
    return f"ns[{namespace}]-policy[{name}]-rule[{rule}]"


class Rules:
    """The rules of all policies of one action, as they hold and as they would (dry-run)."""

    def __init__(self, action: Action, domains: Sequence[str], *, tcp: bool):
        self._action = action
        self._domains = domains
        self._tcp = tcp
        self._enforced: dict[str, Json] | None = None
        self._shadow: dict[str, Json] | None = None

    def add(self, namespace: str, name: str, rules: Sequence[Rule], *, dry_run: bool) -> None:
        found: dict[str, Json] = {}
        for i, rule in enumerate(rules):
            try:
                found[policy_name(namespace, name, i)] = self._policy(rule, namespace)
            except _OnlyHttp:
                continue
        if not rules:
            found[policy_name(namespace, name, 0)] = _NEVER
        if dry_run:
            self._shadow = {**(self._shadow or {}), **found}
        else:
            self._enforced = {**(self._enforced or {}), **found}

    @property
    def enforced(self) -> dict[str, Json]:
        return self._enforced or {}

    def filter(self) -> Json:
        config: Json = {"@type": TCP if self._tcp else HTTP}
        if self._enforced is not None:
            config["rules"] = {"action": ENVOY_ACTIONS[self._action], "policies": self._enforced}
        if self._shadow is not None:
            config["shadow_rules"] = {"action": ENVOY_ACTIONS[self._action], "policies": self._shadow}
        # Istio asks an absent rule set for its action, which then is ALLOW.
        config["shadow_rules_stat_prefix"] = _SHADOW_PREFIX[self._action if self._shadow is not None else Action.ALLOW]
        if self._tcp:
            config["stat_prefix"] = "tcp."
        return {"name": f"envoy.filters.{'network' if self._tcp else 'http'}.rbac", "typed_config": config}

    def _policy(self, rule: Rule, namespace: str) -> Json:
        asked = [(matchers.condition(each.key, namespace), each) for each in rule.when]
        permissions = [_asked(attribute, each) for attribute, each in asked if attribute is not None and attribute.permission]
        principals = [_asked(attribute, each) for attribute, each in asked if attribute is not None and not attribute.permission]
        sources = [_of_source(each.source, namespace) for each in rule.from_] or [[]]
        operations = [_of_operation(each.operation) for each in rule.to] or [[]]
        return {
            "permissions": [
                {"and_rules": {"rules": self._all([*each, *permissions], "or_rules", "rules", "not_rule")}} for each in operations
            ],
            "principals": [{"and_ids": {"ids": self._all([*each, *principals], "or_ids", "ids", "not_id")}} for each in sources],
        }

    def _all(self, asked: Iterable[Asked], or_: str, items: str, not_: str) -> list[Json]:
        found: list[Json] = []
        for attribute, values, not_values in asked:
            if self._tcp and attribute.http_only and (values or not_values):
                if self._action in (Action.ALLOW, Action.CUSTOM):
                    raise _OnlyHttp
                continue
            if values:
                found.append(_any(attribute, self._named(attribute, values), or_, items))
            if not_values:
                found.append({not_: _any(attribute, self._named(attribute, not_values), or_, items)})
        return found or [_ANY]

    def _named(self, attribute: Attribute, values: Sequence[str]) -> Sequence[str]:
        if attribute is matchers.PRINCIPAL:
            return trust_domains.expanded(values, self._domains)
        if attribute is matchers.TRUST_DOMAIN:
            return trust_domains.expanded_names(values, self._domains)
        return values


def _any(attribute: Attribute, values: Sequence[str], or_: str, items: str) -> Json:
    if attribute.all_ is not None:
        return attribute.all_(values)
    assert attribute.each is not None
    return {or_: {items: [attribute.each(value) for value in values]}}


def _asked(attribute: Attribute, condition: Condition) -> Asked:
    return attribute, condition.values, condition.not_values


def _of_source(source: Source, namespace: str) -> list[Asked]:
    asked: list[Asked] = [
        (matchers.PRINCIPAL, source.principals, source.not_principals),
        (matchers.REQUEST_PRINCIPAL, source.request_principals, source.not_request_principals),
        (matchers.account(namespace), source.service_accounts, source.not_service_accounts),
        (matchers.TRUST_DOMAIN, source.trust_domains, source.not_trust_domains),
        (matchers.NAMESPACE, source.namespaces, source.not_namespaces),
        (matchers.REMOTE_IP, source.remote_ip_blocks, source.not_remote_ip_blocks),
        (matchers.SOURCE_IP, source.ip_blocks, source.not_ip_blocks),
    ]
    return asked


def _of_operation(operation: Operation) -> list[Asked]:
    return [
        (matchers.HOST, operation.hosts, operation.not_hosts),
        (matchers.METHOD, operation.methods, operation.not_methods),
        (matchers.PATH, operation.paths, operation.not_paths),
        (matchers.PORT, operation.ports, operation.not_ports),
    ]
