"""Sidecar: what of the mesh a workload sees, and what becomes of requests to hosts that nobody declared."""

import re
from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from meshconsole.core.mesh import hosts
from meshconsole.core.mesh.scope import Scope
from meshconsole.core.mesh.selection import selects
from meshconsole.core.resources.common import NetworkingSelector
from meshconsole.core.resources.envelope import Model
from meshconsole.core.resources.messages import Message
from meshconsole.core.resources.selectors import problems

from .base import Policy

_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_HOST = re.compile(r"(\*|(\*\.)?[A-Za-z0-9_]([-A-Za-z0-9_]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([-A-Za-z0-9_]*[A-Za-z0-9_])?)*)")


class OutboundMode(StrEnum):
    REGISTRY_ONLY = "REGISTRY_ONLY"
    ALLOW_ANY = "ALLOW_ANY"


class OutboundTrafficPolicy(Model):
    unsupported: ClassVar[dict[str, str]] = {"egressProxy": "route unknown hosts through a VirtualService of the egress gateway"}

    mode: OutboundMode = OutboundMode.REGISTRY_ONLY
    """`REGISTRY_ONLY`: requests to hosts that nobody declared are answered 502. `ALLOW_ANY`: they are passed on, the host's name resolved
    by DNS. Beware: `outboundTrafficPolicy: {}` means `REGISTRY_ONLY`, as in Istio; leave the whole field out for the mesh's default."""


class EgressListener(Model):
    unsupported: ClassVar[dict[str, str]] = {
        "port": "a workload has one outbound port for all hosts",
        "bind": "the outbound address is the agent's option",
        "captureMode": "traffic is not captured but sent to the outbound port",
    }

    hosts: list[str]
    """Services that are visible, each as `<namespace>/<host>`: a namespace, `.` (the workload's own), `*` (any) or `~` (none), and a host
    name in full or with a wildcard in front: `./*`, `*/*.example.com`, `payments/api.payments.svc.cluster.local`, `~/*` for nothing at all."""


class SidecarSpec(Model):
    unsupported: ClassVar[dict[str, str]] = {
        "ingress": "a workload's ports are declared by its agent",
        "inboundConnectionPool": "limits in front of an application",
    }

    workload_selector: NetworkingSelector | None = None
    """The workloads that this is for. Without it: all of the namespace, or of the whole mesh when in the root namespace; a more specific
    Sidecar wins, and among equals the oldest."""
    egress: list[EgressListener] = Field(default_factory=list)
    """What the workload may reach. Services named here are delivered to its proxy before the first request. Empty (default): everything,
    on demand."""
    outbound_traffic_policy: OutboundTrafficPolicy | None = None
    """What becomes of requests to undeclared hosts. Default: the mesh's policy."""


class Sidecar(Policy):
    group: ClassVar[str] = "networking.istio.io"
    versions: ClassVar[tuple[str, ...]] = ("v1", "v1beta1", "v1alpha3")
    plural: ClassVar[str] = "sidecars"

    spec: SidecarSpec = Field(default_factory=SidecarSpec)
    """What is visible."""

    def check(self) -> Iterator[Message]:
        yield from (self.error(path, text) for path, text in problems(self.labels, "spec.workloadSelector.labels"))
        if not self.spec.egress and self.spec.outbound_traffic_policy is None:
            yield self.error("spec", "sidecar: empty configuration provided: say egress or outboundTrafficPolicy")
        if len(self.spec.egress) > 1:
            yield self.error("spec.egress[1]", "only one egress listener may be without a port: put all hosts into the first one")
        seen: set[str] = set()
        for i, listener in enumerate(self.spec.egress):
            if not listener.hosts:
                yield self.error(f"spec.egress[{i}].hosts", "egress hosts must not be empty")
            for j, written in enumerate(listener.hosts):
                path = f"spec.egress[{i}].hosts[{j}]"
                if written in seen:
                    yield self.error(path, f"duplicate host {written}")
                seen.add(written)
                yield from self._check_host(path, written)

    def _check_host(self, path: str, written: str) -> Iterator[Message]:
        namespace, slash, host = written.partition("/")
        if not slash:
            yield self.error(path, f"host {written!r} must be of the form namespace/dnsName")
            return
        if namespace not in ("*", ".", "~") and not _NAMESPACE.fullmatch(namespace):
            yield self.error(path, f"namespace {namespace!r} is neither a name nor one of `.`, `*`, `~`")
        if not _HOST.fullmatch(host):
            yield self.error(path, f"host {host!r} is neither a domain name nor a wildcard in front of one")
        elif "." not in host and host != "*":
            yield self.warning(
                path, f"host {host!r} is matched as it stands: write the name in full, such as {host}.<namespace>.svc.cluster.local"
            )
        if namespace == "~" and host != "*":
            yield self.error(path, "namespace `~` stands for nothing and goes with host `*` only")

    @property
    def labels(self) -> dict[str, str]:
        """Of its selector."""
        return self.spec.workload_selector.labels if self.spec.workload_selector else {}

    def narrow(self, scope: Scope) -> Scope:
        rank = self._rank(scope)
        if rank <= scope.rank:
            return scope
        visible = self._visible(scope.namespace)
        policy = self.spec.outbound_traffic_policy
        return replace(
            scope,
            rank=rank,
            hosts=visible,
            eager=visible is not None,
            allow_any=scope.allow_any if policy is None else policy.mode is OutboundMode.ALLOW_ANY,
            origin=str(self.key),
        )

    def _rank(self, scope: Scope) -> int:
        """Istio: getSidecarScope. 0: not for this client; a Sidecar never is for a gateway."""
        if scope.gateway:
            return 0
        own = self.metadata.namespace == scope.namespace
        if self.labels:
            return 3 if own and selects(self.labels, scope.labels) else 0
        return 2 if own else 1 if self.metadata.namespace == scope.root_namespace else 0

    def _visible(self, namespace: str) -> tuple[tuple[str, str], ...] | None:
        """Scope.hosts. `*/*` names nothing in particular: it is everything, on demand."""
        if not self.spec.egress:
            return None
        found: dict[tuple[str, str], None] = {}
        for written in (host for listener in self.spec.egress for host in listener.hosts):
            owner, _, host = written.partition("/")
            if (owner, host) == ("*", "*"):
                return None
            if owner != "~":
                found[namespace if owner == "." else owner, host.lower()] = None
        return tuple(sorted(found, key=lambda item: (item[0], hosts.specificity(item[1]), item[1])))
