"""RateLimit (ours): how many requests a workload, or a host, takes in a time; more are answered 429. Each proxy counts on its own."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from meshconsole.core.envoy.draft import Draft, GatewayDraft, HostDraft, HttpFilter, InboundDraft, Json, Route
from meshconsole.core.mesh import hosts
from meshconsole.core.mesh.model import MeshConfig, Workload
from meshconsole.core.mesh.selection import selects
from meshconsole.core.resources.common import Boolean, PositiveDuration, StringMatch, WorkloadSelector, proto_duration, seconds
from meshconsole.core.resources.envelope import Model
from meshconsole.core.resources.messages import Message
from meshconsole.core.resources.selectors import problems

from .base import Phase, Policy, View

FILTER = "envoy.filters.http.local_ratelimit"
CONFIG = "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"
EXPRESSION = "type.googleapis.com/envoy.extensions.rate_limit_descriptors.expr.v3.Descriptor"
MOST_VALUES = 10_000
"""Buckets that a proxy keeps for the values of one `by`; the least recently used one is forgotten first."""
_SHORTEST = 0.05  # seconds: Envoy's smallest fill interval
_UNLIMITED: Json = {"max_tokens": 2**32 - 1, "tokens_per_fill": 2**32 - 1, "fill_interval": "1s"}
Many = Annotated[int, Field(strict=True, ge=1, le=2**32 - 1)]


class TargetRef(Model):
    kind: Literal["Service"]
    """`Service`."""
    name: Annotated[str, Field(min_length=1)]
    """A service of the RateLimit's namespace: its workloads are meant."""


class Condition(Model):
    path: StringMatch | None = None
    """The path; `prefix: /foo` also matches `/foobar`. The query counts as part of it for `exact` and `regex`."""
    methods: list[Annotated[str, Field(min_length=1)]] = Field(default_factory=list)
    """`GET`, `POST`, …: any of them. Empty: all."""
    headers: dict[str, StringMatch] = Field(default_factory=dict)
    """Header name -> condition; an empty condition asks for presence. All must hold."""


class By(Model):
    header: str = ""
    """Each value of this request header is counted apart; requests without the header are not limited."""
    path: Boolean = False
    """Each path, without its query, is counted apart."""
    principal: Boolean = False
    """Each caller's identity, proven by mutual TLS, is counted apart; all callers without one together."""
    client_address: Boolean = False
    """Each client's address is counted apart: at a gateway the client's, at a workload the calling proxy's."""


class Limit(Model):
    requests: Many
    """How many requests are let through in each `per`."""
    per: PositiveDuration = "1s"
    """The time in which `requests` are let through; 50ms or more. Default 1s."""
    burst: Many | None = None
    """How many may come at once after a pause. Default: `requests`."""
    match: Condition | None = None
    """Which requests this limit is for. Default: all."""
    by: By | None = None
    """What is counted apart. Default: all requests share one budget. Several fields: each combination has its own."""


class RateLimitSpec(Model):
    selector: WorkloadSelector | None = None
    """The workloads (or gateways) whose incoming requests are limited. Without selector, targetRef and hosts: all of the namespace."""
    target_ref: TargetRef | None = None
    """Instead of a selector: the workloads of a service."""
    hosts: list[Annotated[str, Field(min_length=1)]] = Field(default_factory=list)
    """Instead of workloads: requests to these hosts, counted by the caller's proxy or the gateway, on each route by itself."""
    routes: list[Annotated[str, Field(min_length=1)]] = Field(default_factory=list)
    """With hosts: only routes of these names (`spec.http[].name` of a VirtualService). Empty: all."""
    limits: Annotated[list[Limit], Field(min_length=1, max_length=50)]
    """A request must be within each limit that is for it."""
    per_connection: Boolean = False
    """Each connection has budgets of its own, instead of all of a proxy sharing them. Not with hosts."""
    headers: Boolean = True
    """Answer with `x-ratelimit-limit`, `x-ratelimit-remaining` and `x-ratelimit-reset` (seconds), of the tightest limit. Default true."""


class RateLimit(Policy):
    group: ClassVar[str] = "meshconsole.io"
    versions: ClassVar[tuple[str, ...]] = ("v1",)
    plural: ClassVar[str] = "ratelimits"
    short_names: ClassVar[tuple[str, ...]] = ("rl",)
    phase: ClassVar[Phase | None] = Phase.LIMITS

    spec: RateLimitSpec
    """What is limited, and to how much."""

    def check(self) -> Iterator[Message]:
        spec = self.spec
        if spec.selector:
            yield from (self.error(path, text) for path, text in problems(spec.selector.match_labels, "spec.selector.matchLabels"))
        said = [n for n, v in (("selector", spec.selector), ("targetRef", spec.target_ref), ("hosts", spec.hosts)) if v]
        if len(said) > 1:
            yield self.error("spec", f"{' and '.join(said)} exclude one another; keep one")
        if spec.routes and not spec.hosts:
            yield self.error("spec.routes", "routes belong to hosts; name them")
        if spec.per_connection and spec.hosts:
            yield self.error("spec.perConnection", "with hosts all connections of a proxy share the budgets; use a selector")
        for i, limit in enumerate(spec.limits):
            at = f"spec.limits[{i}]"
            if seconds(limit.per) < _SHORTEST:
                yield self.error(f"{at}.per", "must be 50ms or longer")
            if limit.by is not None and limit.by == By():
                yield self.error(f"{at}.by", "says nothing: one of header, path, principal, clientAddress; or leave it out")
            if limit.match is not None:
                conditions = [("path", limit.match.path), *((f"headers.{name}", c) for name, c in limit.match.headers.items())]
                for field, condition in conditions:
                    yield from (self.error(f"{at}.match.{field}", fault) for fault in (condition.faults() if condition else ()))

    def workload_labels(self) -> Mapping[str, str]:
        return self.spec.selector.match_labels if self.spec.selector else {}

    def concerns(self, mesh: MeshConfig) -> tuple[str, ...] | None:
        return tuple(hosts.fqdn(host, self.metadata.namespace, mesh.domain) for host in self.spec.hosts)

    @classmethod
    def apply(cls, policies: Iterable[Self], draft: Draft, view: View) -> None:
        if isinstance(draft, HostDraft):
            _limit_routes([p for p in policies if p.spec.hosts], draft)
        elif isinstance(draft, InboundDraft | GatewayDraft):
            assert isinstance(draft.workload, Workload)
            chosen = [p for p in policies if p._holds_for(draft.workload, view.mesh.root_namespace)]
            if chosen:
                # The router would take several filters of one name for one another's: each is named apart.
                draft.http_filters[HttpFilter.WORKLOAD_RATE_LIMIT] = [
                    {"name": f"{FILTER}.{p.metadata.namespace}.{p.metadata.name}", "typed_config": _config([p])} for p in chosen
                ]
                draft.origins += [p.origin("spec.limits") for p in chosen]

    def _holds_for(self, workload: Workload, root: str) -> bool:
        spec = self.spec
        if spec.hosts:
            return False
        if spec.target_ref is not None:
            return self.metadata.namespace == workload.namespace and spec.target_ref.name in workload.services
        if self.metadata.namespace not in (root, workload.namespace):
            return False
        return spec.selector is None or selects(spec.selector.match_labels, workload.labels)


def _limit_routes(policies: Sequence[RateLimit], draft: HostDraft) -> None:
    for route in draft.routes:
        here = [p for p in policies if not p.spec.routes or any(_is_named(route, name) for name in p.spec.routes)]
        if here:
            # A route's configuration must have a bucket for requests that no limit is for; Envoy refuses it else.
            limited = {**_config(here), "token_bucket": _UNLIMITED}
            route.filters = {**route.filters, HttpFilter.LOCAL_RATE_LIMIT: limited}
            draft.origins += [p.origin("spec.limits") for p in here if p.origin("spec.limits") not in draft.origins]


def _is_named(route: Route, name: str) -> bool:
    """A route's name is its rule's, and its match's after a dot."""
    return route.name == name or route.name.startswith(f"{name}.")


def _config(policies: Sequence[RateLimit]) -> Json:
    everything: Json = {"numerator": 100, "denominator": "HUNDRED"}
    body: Json = {
        "@type": CONFIG,
        "stat_prefix": "rate_limit",
        "filter_enabled": {"default_value": everything},
        "filter_enforced": {"default_value": everything},
        "max_dynamic_descriptors": MOST_VALUES,
        "rate_limits": [],
        "descriptors": [],
    }
    if all(p.spec.headers for p in policies):
        body["enable_x_ratelimit_headers"] = "DRAFT_VERSION_03"
    if any(p.spec.per_connection for p in policies):
        body["local_rate_limit_per_downstream_connection"] = True
    for policy in policies:
        for number, limit in enumerate(policy.spec.limits):
            name = f"{policy.metadata.namespace}/{policy.metadata.name}/{number}"
            actions = [*_condition(name, limit.match), *_by(limit.by)]
            body["rate_limits"].append({"actions": [action for action, _ in actions]})
            bucket = {
                "max_tokens": limit.burst or limit.requests,
                "tokens_per_fill": limit.requests,
                "fill_interval": proto_duration(limit.per),
            }
            body["descriptors"].append({"entries": [entry for _, entry in actions], "token_bucket": bucket})
    return body


Part = tuple[Json, Json]
"""An action that yields a descriptor's entry, and the entry that it is to be; without a value: any."""


def _condition(name: str, match: Condition | None) -> Iterator[Part]:
    headers: list[Json] = []
    if match is not None:
        if match.path is not None and not match.path.is_empty:
            headers.append({"name": ":path", **_matcher(match.path)})
        if match.methods:
            names = "|".join(re.escape(method) for method in match.methods)
            headers.append({"name": ":method", "string_match": {"safe_regex": {"regex": names}}})
        headers += [{"name": header.lower(), **_matcher(condition)} for header, condition in sorted(match.headers.items())]
    said = {"descriptor_key": "limit", "descriptor_value": name}
    yield ({"header_value_match": {**said, "headers": headers}} if headers else {"generic_key": said}), {"key": "limit", "value": name}


def _matcher(condition: StringMatch) -> Json:
    if condition.exact is not None:
        return {"string_match": {"exact": condition.exact}}
    if condition.prefix is not None:
        return {"string_match": {"prefix": condition.prefix}}
    if condition.asks_for_presence:
        return {"present_match": True}
    return {"string_match": {"safe_regex": {"regex": condition.regex}}}


def _by(by: By | None) -> Iterator[Part]:
    if by is None:
        return
    if by.header:
        yield {"request_headers": {"header_name": by.header.lower(), "descriptor_key": "header"}}, {"key": "header"}
    if by.path:
        yield _expression("path", "request.url_path"), {"key": "path"}
    if by.principal:
        yield _expression("principal", "connection.mtls ? connection.uri_san_peer_certificate : 'nobody'"), {"key": "principal"}
    if by.client_address:
        yield {"remote_address": {}}, {"key": "remote_address"}


def _expression(key: str, text: str) -> Json:
    config = {"@type": EXPRESSION, "descriptor_key": key, "text": text}
    return {"extension": {"name": "envoy.rate_limit_descriptors.expr", "typed_config": config}}
