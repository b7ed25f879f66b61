"""EnvoyFilter: changes to the Envoy configuration itself, after every other kind has written. For what no other kind can say."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import ClassVar, Self

from pydantic import Field

from meshconsole.core.envoy.explained import mark
from meshconsole.core.envoy.rendered import Additions, Context, Rendered
from meshconsole.core.envoy.resource_set import XdsType
from meshconsole.core.envoy.written import read, strings
from meshconsole.core.policies.base import Policy, View
from meshconsole.core.resources.messages import Message

from . import checks, clusters, listeners, ports, routes
from .changes import TOUCHED, VALUES, Change, clusters_named, for_workload, operation
from .schema import ApplyTo, ConfigPatch, EnvoyFilterSpec, Match, Operation

_ADDED = {ApplyTo.CLUSTER: XdsType.CDS, ApplyTo.LISTENER: XdsType.LDS, ApplyTo.EXTENSION_CONFIG: XdsType.ECDS}


class EnvoyFilter(Policy):
    group: ClassVar[str] = "networking.istio.io"
    versions: ClassVar[tuple[str, ...]] = ("v1alpha3",)
    plural: ClassVar[str] = "envoyfilters"

    spec: EnvoyFilterSpec = Field(default_factory=EnvoyFilterSpec)
    """What is changed, where, and how."""

    def check(self) -> Iterator[Message]:
        yield from checks.check(self)

    @property
    def labels(self) -> dict[str, str]:
        """Of its selector."""
        return self.spec.workload_selector.labels if self.spec.workload_selector else {}

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        return tuple(change for i, entry in enumerate(self.spec.config_patches) if (change := self._change(i, entry)) is not None)

    def _change(self, i: int, entry: ConfigPatch) -> Change | None:
        patch, apply_to = entry.patch, entry.apply_to
        if apply_to is None or patch is None or patch.operation is None:
            return None
        value = read(VALUES[apply_to], patch.value)[0] if patch.value is not None else None
        if value is None and patch.operation is not Operation.REMOVE:
            return None
        what, origin = operation(apply_to, patch.operation), self.origin(f"spec.configPatches[{i}]")
        if value is not None and what not in (Operation.MERGE, Operation.MERGE_AND_REPLACE_LIST):
            mark(value, origin)
        named = tuple(dict.fromkeys(clusters_named(strings(patch.value))))
        return Change(apply_to, entry.match or Match(), what, value, patch.filter_class, origin, named)

    def patches(self, context: Context, type_: XdsType | None) -> bool:
        wanted = TOUCHED.get(type_, ()) if type_ is not None else tuple(ApplyTo)
        ours = [change for change in self.changes if change.in_context(context)]
        at_ports = type_ is XdsType.VHDS and any(ports.apart(change) for change in ours)
        return at_ports or any(change.apply_to in wanted for change in ours)

    @classmethod
    def patch(cls, policies: Sequence[Self], resource: Rendered, view: View) -> None:
        wanted = TOUCHED.get(resource.type, ())
        everything = for_workload(policies, resource.context, view)
        changes = [change for change in everything if change.apply_to in wanted]
        if resource.type is XdsType.VHDS:
            routes.patch(changes, resource)
            ports.switch(ports.plan(everything), resource)
            return
        if not changes:
            return
        match resource.type:
            case XdsType.LDS:
                listeners.patch(changes, resource)
            case XdsType.CDS:
                clusters.patch(changes, resource)
            case _:
                routes.patch(changes, resource)

    @classmethod
    def ports_apart(cls, policies: Sequence[Self], view: View) -> Iterable[int]:
        return [ports.port_of(change) for change in for_workload(policies, Context.SIDECAR_OUTBOUND, view) if ports.apart(change)]

    @classmethod
    def add(cls, policies: Sequence[Self], context: Context, view: View) -> Additions:
        found = Additions()
        for change in for_workload(policies, context, view):
            found.clusters += change.clusters
            type_ = _ADDED.get(change.apply_to)
            if type_ is not None and change.operation is Operation.ADD and change.value is not None:
                found.resources.append((type_, change.value.name, change.value, change.origin))  # type: ignore[attr-defined]
        return found
