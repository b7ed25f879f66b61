"""How a policy says which workloads it is for: Istio has two spellings of one thing, `matchLabels` (security) and `labels` (networking)."""

from collections.abc import Iterator, Mapping

from .envelope import Model


class LabelSelector(Model):
    match_labels: dict[str, str] = {}
    """Labels that a workload must bear, all of them. Empty: every workload in the policy's namespace."""


class WorkloadSelector(Model):
    labels: dict[str, str] = {}
    """Labels that a workload must bear, all of them. Empty: every workload in the policy's namespace."""


def problems(labels: Mapping[str, str], path: str) -> Iterator[tuple[str, str]]:
    """(path, what is wrong) for each label that selects nothing sensible."""
    for key, value in labels.items():
        if not key:
            yield path, "key must not be empty"
        if "*" in key:
            yield f"{path}[{key}]", "wildcard not allowed in label key match"
        if "*" in value:
            yield f"{path}[{key}]", "wildcard is not supported in selector"
