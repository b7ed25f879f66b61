"""What the authorization filters of a listener say to a request: Envoy's RBAC, evaluated on its configuration."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from . import matchers
from .logic import Known, all_of, any_of, not_
from .request import Request

Json = dict[str, Any]


@dataclass(frozen=True)
class Verdict:
    allowed: Known
    rule: str = ""
    """Istio's name of the deciding rule: `ns[..]-policy[..]-rule[..]`; '' where none matched."""
    hangs_on: tuple[str, ...] = ()
    """Rules of which it cannot be known whether they match."""
    asked: bool = False
    """An ALLOW filter stands there: what none of its rules matches is refused."""


def verdict(filters: Iterable[Json], request: Request, port: int, *, address: str = "") -> Verdict:
    """`filters`: typed_config of each envoy.filters.http.rbac in the chain, in order. `address`: the destination's."""
    asked, allowed_by, unsure = False, "", list[str]()
    for config in filters:
        rules = config.get("rules")
        if rules is None:
            continue
        action = rules.get("action", "ALLOW")
        found = {name: _policy(policy, request, port, address) for name, policy in sorted(rules.get("policies", {}).items())}
        sure = next((name for name, value in found.items() if value), "")
        maybe = [name for name, value in found.items() if value is None]
        if action == "DENY":
            if sure:
                return Verdict(False, sure)
            unsure += maybe
        elif action == "ALLOW":
            asked = True
            if sure:
                allowed_by = sure
            elif maybe:
                unsure += maybe
            else:
                return Verdict(False, asked=True)
    if unsure:
        return Verdict(None, allowed_by, tuple(unsure), asked)
    return Verdict(True, allowed_by, (), asked)


def concerned(rules: Iterable[Json], request: Request, port: int, *, address: str = "") -> Known:
    """Does any policy of the rules match?"""
    return any_of(_policy(policy, request, port, address) for each in rules for policy in each.get("policies", {}).values())


def _policy(policy: Json, request: Request, port: int, address: str) -> Known:
    return all_of(
        (
            any_of(_permission(each, request, port, address) for each in policy.get("permissions", ())),
            any_of(_principal(each, request) for each in policy.get("principals", ())),
        )
    )


def _permission(said: Json, request: Request, port: int, address: str) -> Known:
    def inner(each: Json) -> Known:
        return _permission(each, request, port, address)

    match said:
        case {"any": found}:
            return bool(found)
        case {"and_rules": found}:
            return all_of(map(inner, found.get("rules", ())))
        case {"or_rules": found}:
            return any_of(map(inner, found.get("rules", ())))
        case {"not_rule": found}:
            return not_(inner(found))
        case {"header": found}:
            return matchers.header(found, request)
        case {"url_path": found}:
            return matchers.string(found.get("path", {}), request.plain_path)
        case {"uri_template": found}:
            return matchers.template(found.get("typed_config", {}).get("path_template", ""), request.plain_path)
        case {"destination_port": found}:
            return int(found) == port
        case {"destination_ip": found}:
            return matchers.cidr(found, address)
        case {"metadata": found}:
            return matchers.metadata(found, request)
    return None


def _principal(said: Json, request: Request) -> Known:
    def inner(each: Json) -> Known:
        return _principal(each, request)

    match said:
        case {"any": found}:
            return bool(found)
        case {"and_ids": found}:
            return all_of(map(inner, found.get("ids", ())))
        case {"or_ids": found}:
            return any_of(map(inner, found.get("ids", ())))
        case {"not_id": found}:
            return not_(inner(found))
        case {"authenticated": found}:
            # Without a certificate there is no principal to match.
            return (
                matchers.string(found["principal_name"], request.principal)
                if request.principal and "principal_name" in found
                else bool(request.principal)
            )
        case {"header": found}:
            return matchers.header(found, request)
        case {"direct_remote_ip": found} | {"remote_ip": found}:
            return matchers.cidr(found, request.address)
        case {"metadata": found}:
            return matchers.metadata(found, request)
    return None
