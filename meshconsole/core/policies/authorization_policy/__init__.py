"""AuthorizationPolicy: who may do what. Refusals first (DENY), then permissions (ALLOW); schema, checks and Envoy's RBAC beside this file."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, Self

from pydantic import Field

from meshconsole.core.envoy.draft import Draft, GatewayDraft, InboundDraft
from meshconsole.core.mesh.model import Workload
from meshconsole.core.mesh.selection import selects
from meshconsole.core.policies.base import Phase, Policy, View
from meshconsole.core.resources.messages import Message
from meshconsole.core.resources.selectors import problems as selector_problems
from meshconsole.core.resources.targets import faults as target_faults
from meshconsole.core.resources.targets import targets

from . import checks, external, rbac
from .schema import Action, AuthorizationPolicySpec

DRY_RUN = "istio.io/dry-run"
_TRUE = frozenset(("1", "t", "T", "true", "TRUE", "True"))
_FALSE = frozenset(("0", "f", "F", "false", "FALSE", "False"))


class AuthorizationPolicy(Policy):
    group: ClassVar[str] = "security.istio.io"
    versions: ClassVar[tuple[str, ...]] = ("v1", "v1beta1")
    plural: ClassVar[str] = "authorizationpolicies"
    short_names: ClassVar[tuple[str, ...]] = ("ap",)
    phase: ClassVar[Phase | None] = Phase.AUTHZ

    spec: AuthorizationPolicySpec = Field(default_factory=AuthorizationPolicySpec)
    """Who may do what. Annotation `istio.io/dry-run: "true"` on the policy: its verdicts are counted but not carried out."""

    @property
    def dry_run(self) -> bool:
        return self.metadata.annotations.get(DRY_RUN) in _TRUE

    def check(self) -> Iterator[Message]:
        spec = self.spec
        labels = spec.selector.match_labels if spec.selector else {}
        yield from (self.error(path, text) for path, text in selector_problems(labels, "spec.selector.matchLabels"))
        attached = targets(spec.target_ref, spec.target_refs)
        yield from (self.error(path, text) for path, text in target_faults(attached, selector=spec.selector is not None))
        if spec.action is Action.CUSTOM:
            if spec.provider is None or not spec.provider.name:
                yield self.error("spec.provider.name", "must be there: CUSTOM asks one of the MeshConfig's extensionProviders")
            if self.dry_run:
                yield self.error(
                    f"metadata.annotations.{DRY_RUN}", "goes with ALLOW, DENY and AUDIT: an external authorizer is asked or not"
                )
        elif spec.provider is not None:
            yield self.error("spec.provider", "goes with action CUSTOM only")
        if self.metadata.annotations.get(DRY_RUN, "false") not in _TRUE | _FALSE:
            yield self.error(f"metadata.annotations.{DRY_RUN}", "must be true or false")
        if spec.action is not Action.ALLOW and not spec.rules:
            yield self.warning("spec.rules", f"{spec.action} action without rules never matches: a rule `{{}}` matches every request")
        for i, rule in enumerate(spec.rules):
            yield from (self.error(f"spec.rules[{i}].{at}", text) for at, text in checks.problems(rule))

    @classmethod
    def apply(cls, policies: Iterable[Self], draft: Draft, view: View) -> None:
        if not isinstance(draft, InboundDraft | GatewayDraft):
            return
        assert isinstance(draft.workload, Workload)
        chosen = [policy for policy in policies if policy.selects(draft.workload, view.mesh.root_namespace)]
        domains = (view.mesh.trust_domain, *view.mesh.trust_domain_aliases)
        if custom := [policy for policy in chosen if policy.spec.action is Action.CUSTOM]:
            asking, clusters = external.filters(custom, view, tcp=False)
            for place, each in asking:
                draft.http_filters.setdefault(place, []).append(each)
            asking, more = external.filters(custom, view, tcp=True)
            for place, each in asking:
                draft.network_filters.setdefault(place, []).append(each)
            draft.clusters += [name for name in dict.fromkeys((*clusters, *more)) if name not in draft.clusters]
            draft.origins += [policy.origin("spec.rules") for policy in custom]
        for action, (http_place, network_place) in rbac.PLACES.items():
            ours = [policy for policy in chosen if policy.spec.action is action]
            if ours:
                draft.http_filters.setdefault(http_place, []).append(filter_of(action, ours, domains, tcp=False))
                draft.network_filters.setdefault(network_place, []).append(filter_of(action, ours, domains, tcp=True))
                draft.origins += [policy.origin("spec.rules") for policy in ours]
                dry_run = any(policy.dry_run for policy in ours)
                draft.told += rbac.told(action, dry_run=dry_run, tcp=False)
                draft.told_tcp += rbac.told(action, dry_run=dry_run, tcp=True)
                if action is Action.ALLOW:
                    draft.allowing += [policy.origin() for policy in ours if not policy.dry_run]
                    draft.would_allow += [policy.origin() for policy in ours if policy.dry_run]

    def selects(self, workload: Workload, root_namespace: str) -> bool:
        """A policy of the root namespace holds in every namespace."""
        if attached := targets(self.spec.target_ref, self.spec.target_refs):
            return self.metadata.namespace == workload.namespace and any(each.name in workload.services for _, each in attached)
        if self.metadata.namespace not in (root_namespace, workload.namespace):
            return False
        return self.spec.selector is None or selects(self.spec.selector.match_labels, workload.labels)


def filter_of(action: Action, policies: Sequence[AuthorizationPolicy], domains: Sequence[str], *, tcp: bool) -> dict[str, Any]:
    """The RBAC filter of one action, with the rules of all `policies`. `domains`: the mesh's trust domain, then its aliases."""
    rules = rbac.Rules(action, domains, tcp=tcp)
    for policy in policies:
        rules.add(policy.metadata.namespace, policy.metadata.name, policy.spec.rules, dry_run=policy.dry_run)
    return rules.filter()
