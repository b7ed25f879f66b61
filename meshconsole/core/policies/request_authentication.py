"""RequestAuthentication: which tokens (JWT) are believed. A request without one passes; AuthorizationPolicy says whether it may."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import Field

from meshconsole.core.envoy.draft import Draft, GatewayDraft, HttpFilter, InboundDraft, Json
from meshconsole.core.mesh.model import Workload
from meshconsole.core.mesh.selection import selects
from meshconsole.core.resources.common import Boolean, PositiveDuration, WorkloadSelector, seconds
from meshconsole.core.resources.envelope import Model
from meshconsole.core.resources.messages import Message
from meshconsole.core.resources.selectors import problems
from meshconsole.core.resources.targets import TargetReference, targets
from meshconsole.core.resources.targets import faults as target_faults

from .base import Phase, Policy, View

FILTER = "envoy.filters.http.jwt_authn"
CONFIG = "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication"
PAYLOAD = "payload"
"""Where AuthorizationPolicy finds the claims, in the filter's metadata."""
LONGEST_TIMEOUT = 60
"""Seconds: a thread of the console waits."""
_SPACED = ("scope", "permission")
_HEADER = re.compile(r"[-_A-Za-z0-9]+")
_URI = re.compile(r"https?://[^\s/?#@]+([/?][^\s#]*)?")
_PARTS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
NO_KEYS = (
    '{"keys":[{"kty":"EC","crv":"P-256","kid":"nobody",'
    '"x":"WqKw7iZUE2dYhkOjFUE_OUp52VbHBubUi59hdOMzzRY",'
    '"y":"eCrlZ8GlEQz_sOqetJ2oa_vXGxdWO0kAZl1and_TBLM"}]}'
)
"""A key whose private half was thrown away: while an issuer's keys are not known, its tokens are refused and not believed (as istiod does)."""
Word = Annotated[str, Field(min_length=1)]


class JwtHeader(Model):
    name: Word
    """The header that bears the token."""
    prefix: str = ""
    """What stands before the token, with its space: `"Bearer "`."""


class ClaimToHeader(Model):
    header: Word
    """The header that the application gets; what a client sent under that name is dropped."""
    claim: Word
    """The claim whose value it is: text, number or boolean; `a.b` is a claim in a claim."""


class Presence(StrEnum):
    OPTIONAL = "OPTIONAL"
    REQUIRED = "REQUIRED"


class JwtRule(Model):
    unsupported: ClassVar[dict[str, str]] = {"jwks_uri": "write jwksUri"}

    issuer: Word
    """The token's `iss`, exactly."""
    audiences: list[Word] = Field(default_factory=list)
    """The token's `aud` must name one of these. Empty: any."""
    jwks: str = ""
    """The issuer's public keys: a JSON Web Key Set."""
    jwks_uri: str = ""
    """Where the console fetches the keys, again every 20 minutes; the last ones stay while the server is down. Until there are any, tokens of
    this issuer are refused. Private addresses only with the console's setting JWKS_ALLOW_PRIVATE."""
    timeout: PositiveDuration | None = None
    """How long the console waits for the server of jwksUri. Default `5s`, a minute at most."""
    from_headers: list[JwtHeader] = Field(default_factory=list)
    """Where the token is looked for. Default, when no place is named: `Authorization: Bearer …` and the query parameter `access_token`."""
    from_params: list[Word] = Field(default_factory=list)
    """Query parameters that bear the token."""
    from_cookies: list[Word] = Field(default_factory=list)
    """Cookies that bear the token."""
    output_payload_to_header: str = ""
    """A header in which the application gets the token's payload, in base64url."""
    output_claim_to_headers: list[ClaimToHeader] = Field(default_factory=list)
    """Claims that the application gets as headers."""
    forward_original_token: Boolean = False
    """Leave the token in the request for the application. Default: false, it is removed."""
    presence: Presence = Presence.OPTIONAL
    """`REQUIRED`: a request without a valid token of this issuer is refused with 401. `OPTIONAL` (default): a request without any token passes,
    and an AuthorizationPolicy with `requestPrincipals` says whether it may."""
    space_delimited_claims: list[Word] = Field(default_factory=list, max_length=64)
    """Claims whose text is a list parted by spaces, besides `scope` and `permission`."""


class RequestAuthenticationSpec(Model):
    selector: WorkloadSelector | None = None
    """The workloads that this is for. Without it: the whole namespace, or the whole mesh when in the root namespace."""
    target_ref: TargetReference | None = None
    """Retired by Istio: one of `targetRefs`."""
    target_refs: list[TargetReference] = Field(default_factory=list)
    """Instead of a selector: services of the policy's namespace, whose workloads this is for. (Istio's sidecars leave these to waypoints.)"""
    jwt_rules: list[JwtRule] = Field(default_factory=list, max_length=4096)
    """Issuers that are believed, together with those of every other RequestAuthentication for the workload. A token that none of them
    vouches for is refused with 401."""


class RequestAuthentication(Policy):
    group: ClassVar[str] = "security.istio.io"
    versions: ClassVar[tuple[str, ...]] = ("v1", "v1beta1")
    plural: ClassVar[str] = "requestauthentications"
    short_names: ClassVar[tuple[str, ...]] = ("ra",)
    phase: ClassVar[Phase | None] = Phase.AUTHN

    spec: RequestAuthenticationSpec = Field(default_factory=RequestAuthenticationSpec)
    """Which tokens are believed."""

    def check(self) -> Iterator[Message]:
        labels = self.spec.selector.match_labels if self.spec.selector else {}
        yield from (self.error(path, text) for path, text in problems(labels, "spec.selector.matchLabels"))
        attached = targets(self.spec.target_ref, self.spec.target_refs)
        yield from (self.error(path, text) for path, text in target_faults(attached, selector=self.spec.selector is not None))
        for i, rule in enumerate(self.spec.jwt_rules):
            path = f"spec.jwtRules[{i}]"
            if not rule.jwks and not rule.jwks_uri:
                yield self.error(
                    f"{path}.jwks",
                    "no keys: put them into jwks, or their address into jwksUri",
                )
            elif rule.jwks and rule.jwks_uri:
                yield self.error(f"{path}.jwksUri", "only one of jwks and jwksUri can be set")
            elif rule.jwks_uri:
                if not _URI.fullmatch(rule.jwks_uri):
                    yield self.error(f"{path}.jwksUri", f"{rule.jwks_uri!r} must be an http or https address")
            elif fault := key_fault(rule.jwks):
                yield self.error(f"{path}.jwks", fault)
            if rule.timeout is not None and seconds(rule.timeout) > LONGEST_TIMEOUT:
                yield self.error(f"{path}.timeout", f"must be {LONGEST_TIMEOUT} s at most")
            for j, claim in enumerate(rule.output_claim_to_headers):
                if not _HEADER.fullmatch(claim.header):
                    yield self.error(f"{path}.outputClaimToHeaders[{j}].header", f"{claim.header!r} must be letters, digits, `-` and `_`")
            if rule.output_payload_to_header and not _HEADER.fullmatch(rule.output_payload_to_header):
                yield self.error(f"{path}.outputPayloadToHeader", f"{rule.output_payload_to_header!r} must be letters, digits, `-` and `_`")

    @classmethod
    def apply(cls, policies: Iterable[Self], draft: Draft, view: View) -> None:
        if not isinstance(draft, InboundDraft | GatewayDraft):
            return
        workload = draft.workload
        assert isinstance(workload, Workload)
        chosen = [policy for policy in policies if policy._is_for(workload, view.mesh.root_namespace) and policy.spec.jwt_rules]
        if chosen:
            rules = sorted((rule for policy in chosen for rule in policy.spec.jwt_rules), key=lambda rule: rule.issuer)
            draft.http_filters.setdefault(HttpFilter.JWT_AUTHN, []).append(
                {"name": FILTER, "typed_config": config(rules, route_again=isinstance(draft, GatewayDraft))}
            )
            draft.origins += [policy.origin("spec.jwtRules") for policy in chosen]

    def fetches(self) -> Iterator[tuple[str, str]]:
        for i, rule in enumerate(self.spec.jwt_rules):
            if rule.jwks_uri:
                yield f"spec.jwtRules[{i}].jwksUri", rule.jwks_uri

    def fetched(self, documents: Mapping[str, str]) -> Self:
        rules = [
            rule.model_copy(update={"jwks": documents.get(rule.jwks_uri, "")}) if rule.jwks_uri else rule for rule in self.spec.jwt_rules
        ]
        return self.model_copy(update={"spec": self.spec.model_copy(update={"jwt_rules": rules})})

    def _is_for(self, workload: Workload, root_namespace: str) -> bool:
        if attached := targets(self.spec.target_ref, self.spec.target_refs):
            return self.metadata.namespace == workload.namespace and any(each.name in workload.services for _, each in attached)
        if self.metadata.namespace not in (root_namespace, workload.namespace):
            return False
        return self.spec.selector is None or selects(self.spec.selector.match_labels, workload.labels)


def key_fault(text: str) -> str:
    """What is wrong with a key set; '' where nothing is."""
    try:
        keys = json.loads(text)["keys"]
    except (ValueError, TypeError, KeyError):
        return 'must be a JSON Web Key Set: {"keys": [...]}'
    if not isinstance(keys, list) or not keys:
        return "has no keys"
    for i, key in enumerate(keys):
        if not isinstance(key, dict) or key.get("kty") not in ("RSA", "EC", "OKP"):
            return f"key {i} must be a public key of type (kty) RSA, EC or OKP"
        if "d" in key:
            return f"key {i} is a private key: leave out `d`, and consider it known"
        missing = [name for name in _PARTS[key["kty"]] if not isinstance(key.get(name), str) or not key[name]]
        if missing:
            return f"key {i} lacks {', '.join(missing)}"
    return ""


def config(rules: list[JwtRule], *, route_again: bool = False) -> Json:
    """JwtAuthentication (Istio: convertToEnvoyJwtConfig): a token that is there must be valid; that there is one is asked where a rule says so.
    `route_again`: routes may ask for claims (VirtualService, `@request.auth.claims`), which are known only now."""
    names = [f"origins-{i}" for i in range(len(rules))]
    valid_or_missing: list[Json] = [{"requires_any": {"requirements": [{"provider_name": name}, {"allow_missing": {}}]}} for name in names]
    demanded: list[Json] = [{"provider_name": name} for name, rule in zip(names, rules, strict=True) if rule.presence is Presence.REQUIRED]
    if demanded:
        # What else comes along is read where it is valid; it is not what lets the request in.
        others: list[Json] = [{"provider_name": name} for name in names if {"provider_name": name} not in demanded]
        if others:
            demanded.append({"requires_any": {"requirements": [*others, {"allow_missing_or_failed": {}}]}})
        required = demanded[0] if len(demanded) == 1 else {"requires_all": {"requirements": demanded}}
    elif len(rules) == 1:
        required = valid_or_missing[0]
    else:
        # Issuers that share a place for their tokens: one that vouches is enough; else each must find nothing, or something valid.
        either: list[Json] = [{"provider_name": name} for name in names]
        required = {"requires_any": {"requirements": [*either, {"requires_all": {"requirements": valid_or_missing}}]}}
    return {
        "@type": CONFIG,
        "providers": {name: _provider(rule, route_again) for name, rule in zip(names, rules, strict=True)},
        "rules": [{"match": {"prefix": "/"}, "requires": required}],
        "bypass_cors_preflight": True,
    }


def _provider(rule: JwtRule, route_again: bool) -> Json:
    provider: Json = {
        "issuer": rule.issuer,
        "local_jwks": {"inline_string": rule.jwks or NO_KEYS},
        "forward": rule.forward_original_token,
        "payload_in_metadata": PAYLOAD,
        "normalize_payload_in_metadata": {"space_delimited_claims": list(dict.fromkeys((*_SPACED, *rule.space_delimited_claims)))},
    }
    if route_again:
        provider["clear_route_cache"] = True
    if rule.audiences:
        provider["audiences"] = list(rule.audiences)
    if rule.from_headers:
        provider["from_headers"] = [
            {"name": each.name, **({"value_prefix": each.prefix} if each.prefix else {})} for each in rule.from_headers
        ]
    if rule.from_params:
        provider["from_params"] = list(rule.from_params)
    if rule.from_cookies:
        provider["from_cookies"] = list(rule.from_cookies)
    if rule.output_payload_to_header:
        provider["forward_payload_header"] = rule.output_payload_to_header
    if rule.output_claim_to_headers:
        provider["claim_to_headers"] = [{"header_name": each.header, "claim_name": each.claim} for each in rule.output_claim_to_headers]
    return provider
