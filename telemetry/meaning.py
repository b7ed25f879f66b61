"""What a proxy's span says about the mesh: the answer, Envoy's response flags in words, and the policies that acted. Pure."""

import re
from dataclasses import dataclass
from typing import NamedTuple

from .spans import Span

FLAGS: dict[str, str] = {
    "DC": "the caller hung up before the answer was complete",
    "DF": "the name of the service could not be resolved",
    "DI": "delayed by an injected fault",
    "DO": "a filter dropped the response: Envoy is overloaded",
    "DPE": "the caller spoke broken HTTP",
    "DT": "the stream lived longer than it may",
    "FI": "aborted by an injected fault",
    "IH": "the request has an invalid header",
    "LH": "the service failed its own health check",
    "LR": "Envoy reset the stream",
    "NC": "the route leads to a cluster that does not exist",
    "NFCF": "the cluster was not found in time",
    "NR": "no route matches the request",
    "OM": "refused by the overload manager",
    "RFCF": "the filter's configuration did not come in time",
    "RL": "limited by the rate limit",
    "RLSE": "the rate limit service failed",
    "SI": "the stream was idle for too long",
    "UAEX": "denied by external authorization",
    "UC": "the connection to the service broke",
    "UF": "no connection to the service could be made",
    "UH": "the service has no healthy endpoint",
    "UMSDR": "the stream to the service lived longer than it may",
    "UO": "the circuit breaker is open: too many requests at once",
    "UPE": "the service spoke broken HTTP",
    "UR": "the service reset the stream",
    "URX": "all retries (or connection attempts) are used up",
    "UT": "the service did not answer in time",
}
_RBAC = re.compile(r"rbac_access_denied_matched_policy\[(.*)\]")
_RULE = re.compile(r"ns\[([^\]]+)\]-policy\[([^\]]+)\]")
_ORIGIN = re.compile(r"^([A-Z][A-Za-z]+) ([^/ ]+)/([^/ ]+)$")


class PolicyName(NamedTuple):
    kind: str
    namespace: str
    name: str


@dataclass(frozen=True)
class Meaning:
    code: str = ""
    """HTTP status, '0' where nobody answered."""
    flags: str = ""
    """Envoy's, with commas."""
    words: tuple[str, ...] = ()
    """The flags, and a denial, in words."""
    details: str = ""
    """Envoy's response code details."""
    policies: tuple[PolicyName, ...] = ()
    service: str = ""
    """The fully qualified service that an outbound span was for."""
    denied: bool = False


def meaning(span: Span) -> Meaning:
    def said(key: str) -> str:
        return str(span.attributes.get(key, ""))

    flags = said("response_flags")
    details = said("meshconsole.details")
    words = [FLAGS[flag] for flag in flags.split(",") if flag in FLAGS]
    policies = [p for text in said("meshconsole.policy").split(", ") if (p := _policy(text))]
    denial = _RBAC.search(details)
    if denial:
        rule = _RULE.search(denial[1])
        words.append("denied by an AuthorizationPolicy" if rule else "denied: no AuthorizationPolicy allows it")
        # What did not deny it did not act: an inbound listener names every policy that shaped it.
        policies = (
            [PolicyName("AuthorizationPolicy", rule[1], rule[2])] if rule else [p for p in policies if p.kind == "AuthorizationPolicy"]
        )
    elif details.startswith("jwt_authn"):
        words.append("refused: the token is missing or not valid")
    return Meaning(
        said("http.status_code") or said("http.response.status_code"),
        flags,
        tuple(words),
        details,
        tuple(dict.fromkeys(policies)),
        said("meshconsole.service").partition(";")[0],
        bool(denial),
    )


def _policy(text: str) -> PolicyName | None:
    found = _ORIGIN.match(text.strip())
    return PolicyName(*found.groups()) if found else None
