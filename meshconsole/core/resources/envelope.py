"""The envelope that every resource has: apiVersion, kind, metadata, spec. Kubernetes' conventions, so that kubectl is at home."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from .messages import Key


class Model(BaseModel):
    """The base of all schemas: camelCase outside, nothing unknown, nothing changed after."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        validate_by_name=False,
        validate_by_alias=True,
        use_attribute_docstrings=True,  # a field's docstring is its documentation in OpenAPI and in the editor
    )

    unsupported: ClassVar[dict[str, str]] = {}
    """Fields (by their outside names) that Istio has and we do not: refused as 'not supported yet: <why or what to use>'."""


class Metadata(Model):
    name: str
    """A DNS-1123 name, 253 characters at most."""
    namespace: str = "default"
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    creation_timestamp: str | None = None
    """RFC 3339, set by the store and kept: precedence depends on it."""
    resource_version: str | None = None
    """Optimistic concurrency: when given on a write, it must be the stored one."""
    generation: int | None = None
    uid: str | None = None
    managed_fields: Any = Field(default=None, exclude=True)
    """kubectl's; taken and dropped."""
    generate_name: str | None = None


class Resource(Model):
    api_version: str
    kind: str
    metadata: Metadata
    spec: Any

    group: ClassVar[str]
    """`networking.istio.io`"""
    versions: ClassVar[tuple[str, ...]]
    """Served versions, the preferred first: `("v1", "v1beta1", "v1alpha3")`; all have one schema."""
    plural: ClassVar[str]
    """`virtualservices`"""
    short_names: ClassVar[tuple[str, ...]] = ()

    @property
    def key(self) -> Key:
        return Key(self.group, self.kind, self.metadata.namespace, self.metadata.name)

    @property
    def age(self) -> tuple[str, str, str]:
        """Sort key of precedence: older first, then by name and namespace (Istio: sortConfigByCreationTime)."""
        return (self.metadata.creation_timestamp or "", self.metadata.name, self.metadata.namespace)
