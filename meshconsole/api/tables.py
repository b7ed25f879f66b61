"""What `kubectl get` prints: Kubernetes' Table of a list."""

from datetime import UTC, datetime
from typing import Any

from meshconsole.core.policies.base import Policy

COLUMNS = (("Name", "name"), ("Programmed", ""), ("Revision", ""), ("Age", "date"))


def table(kind: type[Policy], manifests: list[dict[str, Any]], revision: int, *, with_objects: str) -> dict[str, Any]:
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": str(revision)},
        "columnDefinitions": [{"name": n, "type": "string", "format": f, "description": "", "priority": 0} for n, f in COLUMNS],
        "rows": [{"cells": _cells(m), "object": _object(m, with_objects)} for m in manifests],
    }


def _cells(manifest: dict[str, Any]) -> list[str]:
    programmed = next((c["status"] for c in manifest["status"]["conditions"] if c["type"] == "Programmed"), "Unknown")
    metadata = manifest["metadata"]
    return [metadata["name"], programmed, metadata["resourceVersion"], age(metadata["creationTimestamp"], datetime.now(UTC))]


def _object(manifest: dict[str, Any], how: str) -> dict[str, Any] | None:
    if how == "None":
        return None
    if how == "Object":
        return manifest
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": manifest["metadata"]}


def age(created: str, now: datetime) -> str:
    """As kubectl writes it: `45s`, `12m`, `3h`, `8d`."""
    seconds = max(0, int((now - datetime.fromisoformat(created)).total_seconds()))
    for size, unit, least in ((86400, "d", 2 * 86400), (3600, "h", 3 * 3600), (60, "m", 120)):
        if seconds >= least:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
