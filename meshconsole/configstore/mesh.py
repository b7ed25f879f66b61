"""What holds for the whole mesh: from the settings, and from the MeshConfig that users have written."""

from django.conf import settings

from meshconsole.core.envoy.reporting import AccessLog
from meshconsole.core.mesh.model import MeshConfig
from meshconsole.core.policies.mesh_config import MeshConfig as Said

from . import loading
from .models import Resource


def from_settings() -> MeshConfig:
    return MeshConfig(
        trust_domain=settings.TRUST_DOMAIN,
        root_namespace=settings.ROOT_NAMESPACE,
        allow_any=settings.OUTBOUND_TRAFFIC_POLICY == "ALLOW_ANY",
        private_keysets=settings.JWKS_ALLOW_PRIVATE,
        tracing_sampling=settings.TRACING_SAMPLING,
        access_log=AccessLog(settings.ACCESS_LOG_SLOW_MS, settings.ACCESS_LOG_SAMPLING) if settings.ACCESS_LOG else None,
    )


def config() -> MeshConfig:
    mesh = from_settings()
    key = {"group": "meshconsole.io", "kind": "MeshConfig", "namespace": settings.ROOT_NAMESPACE, "name": "default"}
    version = Resource.objects.filter(**key).values_list("uid", "resource_version").first()
    if version is None:
        return mesh
    said = next(
        (policy for policy in loading.parsed() if isinstance(policy, Said) and policy.metadata.namespace == mesh.root_namespace), None
    )
    return said.onto(mesh) if said is not None else mesh
