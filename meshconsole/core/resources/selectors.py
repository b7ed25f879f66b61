"""What a selector's labels may not say. Counterpart: core.mesh.selection, which says whom they select."""

from collections.abc import Iterator, Mapping


def problems(labels: Mapping[str, str], path: str) -> Iterator[tuple[str, str]]:
    """(path, what is wrong) for each label that selects nothing sensible."""
    for key, value in labels.items():
        if not key:
            yield path, "key must not be empty"
        if "*" in key:
            yield f"{path}.{key}", "wildcard not allowed in label key match"
        if "*" in value:
            yield f"{path}.{key}", "wildcard is not supported in selector"
