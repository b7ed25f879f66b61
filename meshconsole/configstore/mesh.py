"""What holds for the whole mesh, from the settings."""

from django.conf import settings

from meshconsole.core.mesh.model import MeshConfig


def config() -> MeshConfig:
    return MeshConfig(
        trust_domain=settings.TRUST_DOMAIN,
        root_namespace=settings.ROOT_NAMESPACE,
        allow_any=settings.OUTBOUND_TRAFFIC_POLICY == "ALLOW_ANY",
        tracing_sampling=settings.TRACING_SAMPLING,
    )
