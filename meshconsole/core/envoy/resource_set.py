"""What one proxy shall hold: named, versioned, serialised Envoy resources."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum


class XdsType(StrEnum):
    CDS = "cds"
    EDS = "eds"
    LDS = "lds"
    RDS = "rds"
    VHDS = "vhds"
    SDS = "sds"
    ECDS = "ecds"


@dataclass(frozen=True, slots=True)
class Origin:
    """The policy (and the line in it) that a piece of Envoy configuration came from."""

    kind: str
    namespace: str
    name: str
    path: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, eq=False)
class Blob:
    """One resource, serialised once for the whole fleet; equal content is the same object."""

    type: XdsType
    name: str
    version: str
    """The first 16 hexadecimal digits of the SHA-256 of `body`."""
    body: bytes
    origins: tuple[Origin, ...] = ()


Name = tuple[XdsType, str]


@dataclass(frozen=True)
class ResourceSet:
    blobs: dict[Name, Blob] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    """authority asked for (`reviews:9080`) -> name of its virtual host in `blobs`, or '' where nobody knows it."""

    def __iter__(self) -> Iterator[Blob]:
        return iter(self.blobs.values())

    def __len__(self) -> int:
        return len(self.blobs)
