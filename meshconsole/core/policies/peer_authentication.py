"""PeerAuthentication: which connections a workload takes, mutual TLS or plaintext. Its callers' automatic mTLS follows from it."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, Field

from meshconsole.core.envoy.draft import Draft, InboundDraft, MtlsMode
from meshconsole.core.mesh.model import Workload, WorkloadPort
from meshconsole.core.mesh.selection import selects
from meshconsole.core.resources.common import WorkloadSelector
from meshconsole.core.resources.envelope import Model
from meshconsole.core.resources.messages import Message
from meshconsole.core.resources.selectors import problems

from .base import Phase, Policy, View


class Mode(StrEnum):
    UNSET = "UNSET"
    DISABLE = "DISABLE"
    PERMISSIVE = "PERMISSIVE"
    STRICT = "STRICT"


def _keys_as_text(value: Any) -> Any:
    """YAML writes port numbers as numbers."""
    return {str(key): each for key, each in value.items()} if isinstance(value, dict) else value


class MutualTls(Model):
    mode: Mode = Mode.UNSET
    """`STRICT`: mutual TLS or nothing. `PERMISSIVE`: mutual TLS and plaintext on the same port (the mesh's default). `DISABLE`: plaintext
    only; clients of the mesh then send plaintext. `UNSET` (default): as the level above says: workload, namespace, mesh."""


class PeerAuthenticationSpec(Model):
    selector: WorkloadSelector | None = None
    """The workloads that this is for. Without it: the whole namespace, or the whole mesh when in the root namespace."""
    mtls: MutualTls | None = None
    """What holds for every port. Default: inherited."""
    port_level_mtls: Annotated[dict[str, MutualTls], BeforeValidator(_keys_as_text)] = Field(default_factory=dict)
    """Port of the workload (not of the service) -> what holds there instead. Needs a selector."""


class PeerAuthentication(Policy):
    group: ClassVar[str] = "security.istio.io"
    versions: ClassVar[tuple[str, ...]] = ("v1", "v1beta1")
    plural: ClassVar[str] = "peerauthentications"
    short_names: ClassVar[tuple[str, ...]] = ("pa",)
    phase: ClassVar[Phase | None] = Phase.IDENTITY

    spec: PeerAuthenticationSpec = Field(default_factory=PeerAuthenticationSpec)
    """Who is let in, and how."""

    def check(self) -> Iterator[Message]:
        yield from (self.error(path, text) for path, text in problems(self._labels, "spec.selector.matchLabels"))
        if self.spec.port_level_mtls and not self._labels:
            yield self.error("spec.portLevelMtls", "portLevelMtls requires selector")
        for port in self.spec.port_level_mtls:
            if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
                yield self.error(f"spec.portLevelMtls.{port}", "port must be between 1-65535")

    @property
    def _labels(self) -> dict[str, str]:
        return self.spec.selector.match_labels if self.spec.selector else {}

    @property
    def _mode(self) -> Mode:
        return self.spec.mtls.mode if self.spec.mtls else Mode.UNSET

    @classmethod
    def apply(cls, policies: Iterable[Self], draft: Draft, view: View) -> None:
        if not isinstance(draft, InboundDraft):
            return
        workload, port = draft.workload, draft.port
        assert isinstance(workload, Workload) and isinstance(port, WorkloadPort)
        for policy, mode, where in _levels(policies, workload, port.number, view.mesh.root_namespace):
            if mode is not Mode.UNSET:
                draft.mtls = MtlsMode[mode.value]
            draft.origins.append(policy.origin(where))


def _levels(
    policies: Iterable[PeerAuthentication], workload: Workload, port: int, root: str
) -> Iterator[tuple[PeerAuthentication, Mode, str]]:
    """
    (policy, mode, where in it)

    Mesh, namespace, workload, port: a later one that is set wins. At each level the oldest policy alone counts, even when it is UNSET.
    A policy of the root namespace with a selector counts nowhere (Istio: ComposePeerAuthentication).
    """
    found: dict[str, PeerAuthentication] = {}
    for policy in policies:  # oldest first
        if policy.metadata.namespace not in (root, workload.namespace):
            continue
        if not policy._labels:
            found.setdefault("mesh" if policy.metadata.namespace == root else "namespace", policy)
        elif policy.metadata.namespace != root and selects(policy._labels, workload.labels):
            found.setdefault("workload", policy)
    for level in ("mesh", "namespace", "workload"):
        if level in found:
            yield found[level], found[level]._mode, "spec.mtls"
    own = found.get("workload")
    if own is not None and str(port) in own.spec.port_level_mtls:
        yield own, own.spec.port_level_mtls[str(port)].mode, f"spec.portLevelMtls.{port}"


def effective(
    policies: Iterable[PeerAuthentication], workload: Workload, port: int, root: str
) -> tuple[MtlsMode, PeerAuthentication | None]:
    """What holds at a port of a workload, and who says so (None: nobody, it is the default). `policies` oldest first."""
    mode, by = MtlsMode.PERMISSIVE, None
    for policy, said, _ in _levels(policies, workload, port, root):
        if said is not Mode.UNSET:
            mode, by = MtlsMode[said.value], policy
    return mode, by
