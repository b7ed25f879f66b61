"""Who belongs to which WorkloadGroup: asked when an agent comes, and again when groups change."""

from collections.abc import Iterable

import msgspec

from meshconsole.configstore import store
from meshconsole.configstore.models import Change
from meshconsole.core.policies import parse_object
from meshconsole.core.policies.workload_group import WorkloadGroup
from meshconsole.core.resources.messages import Key
from proxyagent import protocol

from . import groups, registry
from .models import WorkloadRecord
from .refusals import Refused

KIND = WorkloadGroup.__name__


def find(namespace: str, name: str) -> WorkloadGroup | None:
    row = store.get(Key(WorkloadGroup.group, KIND, namespace, name))
    if row is None:
        return None
    policy, _ = parse_object(row.manifest())
    assert isinstance(policy, WorkloadGroup)
    return policy


def assigned(said: protocol.Workload) -> protocol.Assigned | None:
    """What an agent is to be told that says it belongs to a group; None for one that says of none. Raises Refused."""
    if not said.group:
        return None
    group = find(said.namespace, said.group)
    if group is not None:
        return protocol.Assigned(groups.member(said, group), groups.probe(group))
    row = WorkloadRecord.objects.filter(namespace=said.namespace, name=said.name, group=said.group).first()
    if row is None:
        raise Refused(
            f"there is no WorkloadGroup {said.namespace}/{said.group}: apply one (meshconsole explain WorkloadGroup), or start the agent "
            "without --workload-group and with its own --service, --label and --port"
        )
    return protocol.Assigned(groups.kept(said, msgspec.convert(row.spec, protocol.Workload)))


def committed(revision: int) -> None:
    """A revision may have changed groups: their members change with them. Those of a group that is gone stay what they are."""
    names = Change.objects.filter(revision=revision, group=WorkloadGroup.group, kind=KIND).values_list("namespace", "name")
    follow(list(names))


def follow(names: Iterable[tuple[str, str]]) -> None:
    for namespace, name in names:
        group = find(namespace, name)
        if group is None:
            continue
        for row in WorkloadRecord.objects.filter(namespace=namespace, group=name):
            said = msgspec.convert(row.said, protocol.Workload)
            try:
                spec = groups.member(said, group)
            except Refused:
                continue  # its agent asks for another account; it is told so when it comes next
            # Who it is, its certificate says: another account holds from the next time that it joins.
            registry.revise(row, msgspec.structs.replace(spec, service_account=row.service_account))
