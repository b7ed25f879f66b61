"""WorkloadEntry: one endpoint that no agent registers, for the ServiceEntries of its namespace whose workloadSelector it fits."""

from collections.abc import Iterator
from typing import ClassVar

from meshconsole.core.mesh.endpoints import declared
from meshconsole.core.mesh.model import Endpoint
from meshconsole.core.resources.endpoints import WorkloadEndpoint
from meshconsole.core.resources.messages import Message

from .base import Policy


class WorkloadEntry(Policy):
    group: ClassVar[str] = "networking.istio.io"
    versions: ClassVar[tuple[str, ...]] = ("v1", "v1beta1", "v1alpha3")
    plural: ClassVar[str] = "workloadentries"
    short_names: ClassVar[tuple[str, ...]] = ("we",)

    spec: WorkloadEndpoint
    """The endpoint."""

    def check(self) -> Iterator[Message]:
        yield from (self.error(f"spec.{field}", text) for field, text in self.spec.problems())
        if not self.spec.address and self.spec.network:
            yield self.warning(
                "spec.address", f"address is unset with network {self.spec.network!r}: it is reached through its gateways only"
            )

    def endpoints(self) -> Iterator[Endpoint]:
        yield declared(self.spec, self.metadata.namespace)
