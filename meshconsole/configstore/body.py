"""
A resource's body: what its author wrote, without what the store adds. Pure.

Its counterpart is the manifest, `models.Resource.manifest()`: the body with uid, resourceVersion, generation and creationTimestamp.
"""

import difflib
import json
from collections.abc import Mapping
from typing import Any

from meshconsole.core import policies

from . import sealing

OURS = ("creationTimestamp", "resourceVersion", "generation", "uid", "managedFields", "generateName", "selfLink", "deletionTimestamp")
"""Fields of `metadata` that the store answers for."""
LAST_APPLIED = sealing.LAST_APPLIED
"""kubectl's own memory of what was applied, from which `kubectl apply` computes its patches. Kept, and never shown in a diff."""
MAX_BYTES = 1 << 20
"""Of one resource as JSON; Kubernetes' limit is 1.5 MB for the whole object."""


def body(dumped: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a policy's dump."""
    metadata = {k: v for k, v in dumped.get("metadata", {}).items() if k not in OURS and v not in ({}, None)}
    name, namespace = metadata.pop("name"), metadata.pop("namespace", "default")
    metadata = {"name": name, "namespace": namespace, **metadata}
    beside = {k: v for k, v in dumped.items() if k not in ("apiVersion", "kind", "metadata", "spec", "status")}
    whole = {"apiVersion": dumped["apiVersion"], "kind": dumped["kind"], "metadata": metadata, "spec": dumped.get("spec", {}), **beside}
    return sealing.sealed(whole)


def spoken(body: Mapping[str, Any]) -> dict[str, Any]:
    """The part that is a person's, for diffs."""
    annotations = {k: v for k, v in body["metadata"].get("annotations", {}).items() if k != LAST_APPLIED}
    metadata = {k: v for k, v in body["metadata"].items() if k != "annotations"} | ({"annotations": annotations} if annotations else {})
    whole = sealing.redacted({**body, "metadata": metadata})
    if "spec" in whole and not whole["spec"] and sealing.has_secrets(whole):
        del whole["spec"]  # Kubernetes' own kinds have their fields beside it
    return whole


def unstorable(body: Mapping[str, Any]) -> str:
    """Why no database would keep this, or nothing: PostgreSQL's jsonb takes neither NUL nor lone surrogates nor NaN."""
    try:
        text = json.dumps(body, ensure_ascii=False, allow_nan=False)
        size = len(text.encode())
    except (ValueError, TypeError) as e:  # UnicodeEncodeError is a ValueError
        return f"cannot be kept as JSON: {e}"
    if "\\u0000" in text:
        return "holds a NUL character"
    if size > MAX_BYTES:
        return f"is {size} bytes large; {MAX_BYTES} is the most for one resource"
    return ""


def to_yaml(body: Mapping[str, Any] | None) -> str:
    if body is None:
        return ""
    return policies.to_yaml(spoken(body))


def unified(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, name: str) -> str:
    """A unified diff of two bodies as YAML; either may be missing."""
    old, new = to_yaml(before).splitlines(keepends=True), to_yaml(after).splitlines(keepends=True)
    return "".join(
        difflib.unified_diff(old, new, "/dev/null" if before is None else f"a/{name}", "/dev/null" if after is None else f"b/{name}")
    )
