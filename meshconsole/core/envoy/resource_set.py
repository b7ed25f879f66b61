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


@dataclass(frozen=True, slots=True)
class Failure:
    """A unit of the configuration that could not be compiled; the proxy keeps what it has of it."""

    unit: str
    policies: tuple[Origin, ...]
    """In whose hands it broke, as far as known."""
    reason: str
    lost: bool = False
    """There is no last good state of it."""

    def __str__(self) -> str:
        whose = f" ({', '.join(map(str, self.policies))})" if self.policies else ""
        return f"{self.unit}{whose}: {self.reason}"


@dataclass(frozen=True)
class ResourceSet:
    blobs: dict[Name, Blob] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    """authority asked for (`reviews:9080`) -> name of its virtual host in `blobs`, or '' where nobody knows it."""
    failures: tuple[Failure, ...] = ()
    """What could not be compiled; its last good state stands in `blobs`, where there is one."""

    @property
    def partial(self) -> bool:
        """Something is missing that nobody wanted gone: what is not in `blobs` is not to be removed."""
        return any(failure.lost for failure in self.failures)

    def __iter__(self) -> Iterator[Blob]:
        return iter(self.blobs.values())

    def __len__(self) -> int:
        return len(self.blobs)
