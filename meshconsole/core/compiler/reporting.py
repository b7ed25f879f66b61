"""What a workload's proxy tells: the mesh's defaults, as Telemetry policies change them. The unit `("reporting", namespace, name)`."""

from meshconsole.core.envoy.reporting import Reporting, ReportingDraft, Side, Tracing
from meshconsole.core.mesh.model import MeshConfig, Workload
from meshconsole.core.policies.base import Phase

from .client import ClientClass
from .kinds import Kinds
from .memo import Key, Result, Tracer
from .view import UnitView


def default(mesh: MeshConfig) -> Side:
    return Side(mesh.access_log, mesh.file_logs, Tracing(mesh.tracing_sampling))


def compile_reporting(kinds: Kinds, tracer: Tracer, key: Key) -> Result:
    """Value: Reporting; None where no policy says anything."""
    _, namespace, name = key
    assert isinstance(namespace, str)
    workload: Workload | None = tracer.ask("workload", namespace, name)
    view = UnitView(tracer, ClientClass(namespace, None, False, True))
    side = default(view.mesh)
    draft = ReportingDraft(workload, side, side)
    found = [(kind, policies) for kind in kinds.of(Phase.TELEMETRY) if (policies := tracer.ask("local", kind, namespace, name))]
    if workload is None or not found:
        return Result(None)
    for kind, policies in found:
        kind.apply(policies, draft, view)
    return Result(Reporting(draft.client, draft.server))


def of(tracer: Tracer, namespace: str, name: str) -> Reporting:
    """Of one workload."""
    found: Reporting | None = tracer.unit(("reporting", namespace, name)).value
    side = default(tracer.run.snapshot.mesh)
    return found or Reporting(side, side)


def of_client(tracer: Tracer, client: ClientClass) -> Side:
    """Of a class of clients."""
    return client.told or default(tracer.run.snapshot.mesh)
