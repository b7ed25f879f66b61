"""Endpoints that policies declare, as the mesh sees them. Counterpart: services.endpoint, for workloads."""

from meshconsole.core.resources.endpoints import UNIX, WorkloadEndpoint

from .model import Endpoint

TLS_MODE = "security.istio.io/tlsMode"


def declared(written: WorkloadEndpoint, namespace: str) -> Endpoint:
    return Endpoint(
        address=written.address.removeprefix(UNIX),
        ports=tuple(sorted(written.ports.items())),
        labels=written.labels,
        namespace=namespace,
        service_account=written.service_account,
        mtls=written.labels.get(TLS_MODE) == "istio",
        locality=written.locality,
        weight=written.weight or 1,
        network=written.network,
    )
