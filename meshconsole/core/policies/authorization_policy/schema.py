"""What an AuthorizationPolicy says: when (conditions), from whom (sources), to what (operations)."""

from enum import StrEnum

from pydantic import Field

from meshconsole.core.resources.common import WorkloadSelector
from meshconsole.core.resources.envelope import Model
from meshconsole.core.resources.targets import TargetReference


class Action(StrEnum):
    ALLOW = "ALLOW"
    DENY = "DENY"
    AUDIT = "AUDIT"
    CUSTOM = "CUSTOM"


class Source(Model):
    """All fields that are set must match (AND); within one, any value (OR). Values are exact, `prefix*`, `*suffix`, or `*` for any that is there."""

    principals: list[str] = Field(default_factory=list)
    """Identities proven by mutual TLS: `<trust domain>/ns/<namespace>/sa/<service account>`."""
    not_principals: list[str] = Field(default_factory=list)
    """Identities that do not match."""
    request_principals: list[str] = Field(default_factory=list)
    """Identities of a validated token: `<issuer>/<subject>`."""
    not_request_principals: list[str] = Field(default_factory=list)
    """Token identities that do not match."""
    namespaces: list[str] = Field(default_factory=list)
    """Namespaces of the caller, proven by mutual TLS."""
    not_namespaces: list[str] = Field(default_factory=list)
    """Namespaces that do not match."""
    ip_blocks: list[str] = Field(default_factory=list)
    """IP addresses or CIDR ranges of the connection's other end."""
    not_ip_blocks: list[str] = Field(default_factory=list)
    """Addresses that do not match."""
    remote_ip_blocks: list[str] = Field(default_factory=list)
    """IP addresses or CIDR ranges of the original client, as `X-Forwarded-For` or the PROXY protocol tell it."""
    not_remote_ip_blocks: list[str] = Field(default_factory=list)
    """Original clients' addresses that do not match."""
    service_accounts: list[str] = Field(default_factory=list, max_length=16)
    """Service accounts of the caller: `<namespace>/<account>`, or `<account>` of the policy's namespace. No wildcards; not with principals or namespaces."""
    not_service_accounts: list[str] = Field(default_factory=list, max_length=16)
    """Service accounts that do not match."""
    trust_domains: list[str] = Field(default_factory=list)
    """Trust domains of the caller."""
    not_trust_domains: list[str] = Field(default_factory=list)
    """Trust domains that do not match."""


class Operation(Model):
    """All fields that are set must match (AND); within one, any value (OR). HTTP only, but for ports."""

    hosts: list[str] = Field(default_factory=list)
    """`Host` of the request, case-insensitive: exact, `prefix*`, `*suffix`, `*`. It may bear a port: `example.com*`."""
    not_hosts: list[str] = Field(default_factory=list)
    """Hosts that do not match."""
    ports: list[str] = Field(default_factory=list)
    """Ports of the workload, as text: `"8080"`."""
    not_ports: list[str] = Field(default_factory=list)
    """Ports that do not match."""
    methods: list[str] = Field(default_factory=list)
    """HTTP methods; `POST` for gRPC."""
    not_methods: list[str] = Field(default_factory=list)
    """Methods that do not match."""
    paths: list[str] = Field(default_factory=list)
    """Paths without query: exact, `/prefix/*`, `*/suffix`, `*`, or a template in which `{*}` is one segment and `{**}` any number of them.
    For gRPC: `/package.service/method`."""
    not_paths: list[str] = Field(default_factory=list)
    """Paths that do not match."""


class From(Model):
    source: Source
    """Who."""


class To(Model):
    operation: Operation
    """What."""


class Condition(Model):
    key: str
    """`request.headers[<name>]`, `source.ip`, `remote.ip`, `source.namespace`, `source.principal`, `source.serviceAccount`,
    `source.trustDomain`, `request.auth.principal`, `request.auth.audiences`, `request.auth.presenter`, `request.auth.claims[<name>]`,
    `destination.ip`, `destination.port`, `connection.sni`, `experimental.envoy.filters.<filter>[<key>]`."""
    values: list[str] = Field(default_factory=list)
    """Any of these."""
    not_values: list[str] = Field(default_factory=list)
    """None of these."""


class Rule(Model):
    from_: list[From] = Field(default_factory=list, alias="from", max_length=512)
    """Any of these sources. Empty: everybody."""
    to: list[To] = Field(default_factory=list)
    """Any of these operations. Empty: everything."""
    when: list[Condition] = Field(default_factory=list)
    """All of these conditions."""


class Provider(Model):
    name: str
    """One of the MeshConfig's extensionProviders."""


class AuthorizationPolicySpec(Model):
    selector: WorkloadSelector | None = None
    """The workloads that this is for. Without it: the whole namespace, or the whole mesh when in the root namespace."""
    target_ref: TargetReference | None = None
    """Retired by Istio: one of `targetRefs`."""
    target_refs: list[TargetReference] = Field(default_factory=list)
    """Instead of a selector: services of the policy's namespace, whose workloads this is for. (Istio's sidecars leave these to waypoints.)"""
    rules: list[Rule] = Field(default_factory=list, max_length=512)
    """The policy matches when one rule does. Empty: it never matches, so that an ALLOW policy without rules refuses everything.
    `[{}]` matches every request."""
    provider: Provider | None = None
    """With action CUSTOM: the external authorizer that is asked. One per workload; where it is not there, what the rules match is refused."""
    action: Action = Action.ALLOW
    """`DENY`: what matches is refused. `ALLOW` (default): what matches is let in; as soon as one ALLOW policy is there, what none matches is
    refused. `AUDIT`: what matches is marked in the access log. DENY comes before ALLOW.
    `CUSTOM`: an external authorizer is asked about what matches, before all others."""
