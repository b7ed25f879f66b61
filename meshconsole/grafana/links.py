"""Addresses of our dashboards in somebody's Grafana, with who and when filled in; '' where no Grafana is configured."""

from typing import NamedTuple
from urllib.parse import urlencode

MESH, SERVICE, WORKLOAD, CONTROL_PLANE, AGENTS = UIDS = (
    "meshconsole-mesh", "meshconsole-service", "meshconsole-workload", "meshconsole-control-plane", "meshconsole-agents",
)  # fmt: skip


class Period(NamedTuple):
    """Unix seconds."""

    start: float
    end: float


def _to(base: str, uid: str, period: Period | None, **variables: str) -> str:
    if not base:
        return ""
    said: dict[str, str | int] = {f"var-{name}": value for name, value in variables.items() if value}
    if period:
        said |= {"from": round(period.start * 1000), "to": round(period.end * 1000)}
    return f"{base.rstrip('/')}/d/{uid}" + (f"?{urlencode(said)}" if said else "")


def mesh(base: str, period: Period | None = None, namespace: str = "") -> str:
    return _to(base, MESH, period, namespace=namespace)


def service(base: str, host: str, period: Period | None = None) -> str:
    """`host` is the service's full name."""
    return _to(base, SERVICE, period, service=host)


def host(name: str, namespace: str) -> str:
    """The full name that metrics know a service by; an external one's name is its host."""
    return name if "." in name or not namespace else f"{name}.{namespace}.svc.cluster.local"


def workload(base: str, namespace: str, name: str, period: Period | None = None) -> str:
    return _to(base, WORKLOAD, period, namespace=namespace, workload=name)


def control_plane(base: str, period: Period | None = None) -> str:
    return _to(base, CONTROL_PLANE, period)


def agents(base: str, period: Period | None = None, namespace: str = "") -> str:
    return _to(base, AGENTS, period, namespace=namespace)
