"""A workload's group and probe in words for its page, and the groups that the join page offers."""

from collections.abc import Iterable
from dataclasses import dataclass

from meshconsole.configstore import store
from meshconsole.core.mesh.model import Workload
from meshconsole.core.policies.workload_group import Probe, WorkloadGroup
from meshconsole.discovery import registry


@dataclass(frozen=True)
class Member:
    """What the page says beside what the workload says itself."""

    healthy: bool
    reason: str
    """What its agent said last of its health."""
    group: WorkloadGroup | None = None
    """None where it belongs to none, or to one that is gone."""
    probe: str = ""


def member(workload: Workload) -> Member:
    healthy, reason = registry.health((workload.namespace, workload.name)) or (workload.healthy, "")
    group = next((g for g in _all() if (g.metadata.namespace, g.metadata.name) == (workload.namespace, workload.group)), None)
    return Member(healthy, reason, group, words(group.spec.probe) if group and group.spec.probe else "")


def groups(namespaces: Iterable[str] | None) -> list[WorkloadGroup]:
    found = [group for group in _all() if namespaces is None or group.metadata.namespace in namespaces]
    return sorted(found, key=lambda group: (group.metadata.namespace, group.metadata.name))


def _all() -> list[WorkloadGroup]:
    return [policy for policy in store.resources() if isinstance(policy, WorkloadGroup)]


def words(probe: Probe) -> str:
    """`GET http://localhost:9080/health every 5 s`"""
    if (http := probe.http_get) is not None:
        what = f"GET {(http.scheme or 'HTTP').lower()}://{http.host or 'localhost'}:{http.port}{http.path or '/'}"
    elif (tcp := probe.tcp_socket) is not None:
        what = f"TCP connection to {tcp.host or 'localhost'}:{tcp.port}"
    elif (grpc := probe.grpc) is not None:
        what = f"gRPC health{f' of {grpc.service}' if grpc.service else ''} at :{grpc.port}"
    else:
        what = " ".join(probe.exec.command) if probe.exec else ""
    return f"{what} every {probe.period_seconds or 10} s"
