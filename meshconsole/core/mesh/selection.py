"""Which policies hold for whom, and which comes first: the rules that all kinds share."""

from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar


class Aged(Protocol):
    @property
    def age(self) -> tuple[str, str, str]: ...


A = TypeVar("A", bound=Aged)


def selects(match_labels: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """A workload selector: every label must be borne; an empty selector selects all. Reads only the labels that it names."""
    return all(labels.get(key) == value for key, value in match_labels.items())


def oldest_first(policies: Iterable[A]) -> list[A]:
    """The order of precedence (Istio: sortConfigByCreationTime)."""
    return sorted(policies, key=lambda p: p.age)


def visible(export_to: Iterable[str], owner: str, viewer: str, *, default: tuple[str, ...] = ("*",)) -> bool:
    """Is something that namespace `owner` exports to `export_to` seen in namespace `viewer`? `.` own, `*` all, `~` none."""
    return any(scope in ("*", viewer) or (scope == "." and owner == viewer) for scope in tuple(export_to) or default)


def levels(policies: Iterable[A], namespace: str, root: str) -> tuple[list[A], list[A]]:
    """(of the root namespace, of `namespace`): what holds for a workload there, mesh-wide ones first. Equal when the namespace is the root."""
    ordered = oldest_first(policies)
    mesh_wide = [p for p in ordered if p.metadata.namespace == root]  # type: ignore[attr-defined]
    own = [p for p in ordered if p.metadata.namespace == namespace]  # type: ignore[attr-defined]
    return mesh_wide, own
