"""Why a request or a connection was refused, out of Envoy's response code details. Pure."""

import re
from typing import NamedTuple

_RBAC = re.compile(r"rbac_access_denied_matched_policy\[(.*)\]")
_RULE = re.compile(r"ns\[([^\]]+)\]-policy\[([^\]]+)\]-rule\[(\d+)\]")
_JWT = re.compile(r"jwt_authn_access_denied\{(.*)\}")
_ORIGIN = re.compile(r"^([A-Z][A-Za-z]+) ([^/ ]+)/([^/ ]+)$")


class PolicyName(NamedTuple):
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


class Denial(NamedTuple):
    """`policies`: the one that denies; or, where nothing allowed the request, those that could have."""

    words: str
    policies: tuple[PolicyName, ...] = ()
    rule: int | None = None
    """Of the policy that denies, counted from 0."""

    @property
    def path(self) -> str:
        """The deciding rule's place in its policy."""
        return "" if self.rule is None else f"spec.rules[{self.rule}]"


def named(text: str) -> PolicyName | None:
    """`Kind namespace/name`"""
    found = _ORIGIN.match(text.strip())
    return PolicyName(*found.groups()) if found else None


_PLACE = re.compile(r"^([A-Z][A-Za-z]+ [^/ ]+/[^/ ]+) ([^ ]+)$")


def place(text: str) -> tuple[PolicyName, str] | None:
    """`Kind namespace/name path`: a policy and a place in it."""
    found = _PLACE.match(text.strip())
    policy = named(found[1]) if found else None
    return (policy, found[2]) if found and policy else None


def names(text: str) -> tuple[PolicyName, ...]:
    """Several, with commas, as the compiler writes them into metadata."""
    return tuple(dict.fromkeys(p for part in text.split(", ") if (p := named(part))))


def rule(text: str) -> tuple[PolicyName, int] | None:
    """`ns[payments]-policy[deny-all]-rule[0]`: Istio's name of an Envoy RBAC policy."""
    found = _RULE.search(text)
    return (PolicyName("AuthorizationPolicy", found[1], found[2]), int(found[3])) if found else None


def denial(details: str, in_force: tuple[PolicyName, ...] = (), allowing: tuple[PolicyName, ...] = ()) -> Denial | None:
    """`details`: of the response, or of why the connection ended. `in_force`: the policies at the port that refused; `allowing`: those of them
    that are AuthorizationPolicies with action ALLOW, where that is known."""
    if found := _RBAC.search(details):
        if which := rule(found[1]):
            policy, number = which
            return Denial(f"denied by {policy.namespace}/{policy.name}, rule {number}", (policy,), number)
        could = allowing or tuple(p for p in in_force if p.kind == "AuthorizationPolicy")
        who = ", ".join(f"{p.namespace}/{p.name}" for p in could)
        return Denial(f"denied: no ALLOW rule matches{f' (of {who})' if who else ''}", could)
    if details.startswith("jwt_authn"):
        said = _JWT.search(details)
        why = said[1].replace("_", " ") if said else "the token is missing or not valid"
        return Denial(f"refused: {why}", tuple(p for p in in_force if p.kind == "RequestAuthentication"))
    if details.startswith("ext_authz_denied"):
        return Denial("denied by the external authorizer", tuple(p for p in in_force if p.kind == "AuthorizationPolicy"))
    if details.startswith("ext_authz_error"):
        return Denial("refused: the external authorizer did not answer", tuple(p for p in in_force if p.kind == "AuthorizationPolicy"))
    return None
