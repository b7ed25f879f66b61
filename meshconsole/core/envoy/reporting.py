"""What a proxy tells of its traffic: values, as settings and policies decide them. loggers.py and tracing.py write them down."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class AccessLog:
    """Which requests Envoy tells the console of, besides those that failed."""

    slow_ms: int = 1000
    """Those that take at least that long; 0: none for being slow."""
    sampling: float = 1.0
    """Percent of all."""
    expression: str = ""
    """CEL that decides instead of all that."""


@dataclass(frozen=True)
class FileLog:
    """Lines that Envoy writes on its host."""

    path: str = "/dev/stdout"
    text: str = ""
    """The format of a line; '' Istio's, where `labels` are none."""
    labels: tuple[tuple[str, str], ...] = ()
    """The fields of a JSON line."""
    omit_empty: bool = False
    expression: str = ""
    """CEL that selects; '' all."""


@dataclass(frozen=True)
class CustomTag:
    name: str
    kind: Literal["literal", "environment", "header", "formatter"]
    value: str
    """The literal, the variable's name, the header's name, or the format."""
    default: str = ""


@dataclass(frozen=True)
class Tracing:
    sampling: float
    """Percent of what comes untraced; 0: no tracing at all."""
    tags: tuple[CustomTag, ...] = ()
    mesh_tags: bool = True
    """The mesh's own tags: policies, lines, the peer."""
    by_request_id: bool = True
    """The request's id decides, so that all proxies decide alike."""


@dataclass(frozen=True)
class MetricOverride:
    """What is said of one metric, by its name without `istio_`."""

    off: bool = False
    tags: tuple[tuple[str, str], ...] = ()
    """Label -> CEL; '' takes the label away."""


@dataclass(frozen=True)
class Side:
    """As a client, or as a server."""

    console: AccessLog | None = None
    files: tuple[FileLog, ...] = ()
    tracing: Tracing = Tracing(0)
    metrics: tuple[tuple[str, MetricOverride], ...] = ()
    """By metric."""


@dataclass(frozen=True)
class Reporting:
    client: Side
    server: Side


@dataclass
class ReportingDraft:
    """What one workload's proxy tells; filled with the mesh's defaults, then written by policies."""

    workload: object
    """mesh.Workload"""
    client: Side = field(default_factory=Side)
    server: Side = field(default_factory=Side)
