"""ProxyConfig: how Envoy itself is started beside a workload. It takes effect at Envoy's next start."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from pydantic import Field

from meshconsole.core.mesh.selection import oldest_first, selects
from meshconsole.core.resources.catalogue import UNSUPPORTED
from meshconsole.core.resources.common import Whole, WorkloadSelector
from meshconsole.core.resources.envelope import Model
from meshconsole.core.resources.messages import Message
from meshconsole.core.resources.selectors import problems

from .base import Policy

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_UNSAFE = re.compile(
    r"(LD_|DYLD_|GLIBC_|MALLOC_|TCMALLOC_|HEAPPROFILE|CPUPROFILE|ASAN_|TSAN_|UBSAN_|MSAN_|PYTHON).*|PATH|HOME|SHELL|IFS|TMPDIR|BASH_ENV|ENV"
)
"""Says which code a process loads, where it writes, or how its memory is kept: whoever may write a ProxyConfig may not run code on hosts."""
LONGEST = 4096


class ProxyConfigSpec(Model):
    unsupported: ClassVar[dict[str, str]] = {
        "image": "there are no container images here; the agent starts the Envoy of its package, or --envoy"
    }

    selector: WorkloadSelector | None = None
    """The workloads and gateways that this is for. Default: all of the namespace; all of the mesh in the root namespace."""
    concurrency: Annotated[Whole, Field(ge=0, le=256)] | None = None
    """Envoy's worker threads. 0: one for each processor. Default: the agent's own `--concurrency` (2)."""
    environment_variables: dict[str, str] = Field(default_factory=dict, max_length=64)
    """Added to Envoy's environment. Refused are those that say which code it loads or where it writes (`LD_PRELOAD`, `PATH`), and Istio's `ISTIO_META_…`."""


@dataclass(frozen=True)
class Settings:
    """What holds for one proxy."""

    concurrency: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


class ProxyConfig(Policy):
    group: ClassVar[str] = "networking.istio.io"
    versions: ClassVar[tuple[str, ...]] = ("v1beta1",)
    plural: ClassVar[str] = "proxyconfigs"

    spec: ProxyConfigSpec = Field(default_factory=ProxyConfigSpec)
    """What Envoy is started with."""

    def check(self) -> Iterator[Message]:
        yield from (self.error(path, text) for path, text in problems(self.workload_labels(), "spec.selector.matchLabels"))
        for name, value in self.spec.environment_variables.items():
            path = f"spec.environmentVariables.{name}"
            if not _VARIABLE.fullmatch(name):
                yield self.error(path, "is no name of a variable: letters, digits and `_`, not beginning with a digit")
            elif _UNSAFE.fullmatch(name.upper()):
                yield self.error(path, "says what code Envoy runs or where it writes: only who runs the agent may set it")
            elif name.startswith("ISTIO_META_"):
                yield self.error(
                    path,
                    "not supported yet: it is for Istio's own agent, which turns it into node metadata; nothing reads it here",
                    UNSUPPORTED,
                )
            if len(value) > LONGEST:
                yield self.error(path, f"is longer than {LONGEST} characters")


def effective(policies: Iterable[ProxyConfig], namespace: str, labels: Mapping[str, str], root: str) -> Settings:
    """
    The workload's before the namespace's before the root namespace's, field by field and variable by variable; among equals the oldest
    (Istio: EffectiveProxyConfig). In the root namespace a selector is of that namespace's own workloads.
    """
    ordered = [p for p in oldest_first(policies) if p.metadata.namespace in (namespace, root)]
    own = [p for p in ordered if p.metadata.namespace == namespace and p.workload_labels() and selects(p.workload_labels(), labels)]
    levels = own[:1]
    for space in dict.fromkeys((namespace, root)):
        levels += [p for p in ordered if p.metadata.namespace == space and not p.workload_labels()][:1]
    concurrency: int | None = None
    environment: dict[str, str] = {}
    for policy in levels:
        concurrency = policy.spec.concurrency if concurrency is None else concurrency
        environment = {**policy.spec.environment_variables, **environment}
    return Settings(concurrency, environment)
