"""
`python -m tests.compatibility CRDS.yaml > docs/istio-compatibility.md`: every kind and field of Istio's custom resource definitions, held against
the kinds that are here. CRDS.yaml is Istio's manifests/charts/base/files/crd-all.gen.yaml of the release that is meant.

Exit status 1, and the fields on standard error, where a field is neither supported nor refused with a reason: then the door only says that it is unknown.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import BaseModel

from meshconsole.core.policies import KINDS
from meshconsole.core.policies._elsewhere import advice
from meshconsole.core.resources.envelope import Model
from meshconsole.core.resources.reading import _inner

VERDICTS = Path(__file__).parents[1] / "docs" / "istio-verdicts.md"
"""Written by hand, and shown at the end of the page."""
HEAD = """# What of Istio's API is here

Every kind and field of Istio's custom resource definitions (1.32): supported, or refused by name with the reason. Nothing is accepted and ignored: a field that is not
in the schema is refused with a suggestion, and one that Istio has and we have not yet is refused as *not supported yet*. `meshconsole explain KIND` prints each field
with its meaning; the pages in [kinds/](kinds/) say what surprises. Which of Istio's own test files get another verdict here, and why: [istio-verdicts.md](istio-verdicts.md).

Kinds under `gateway.networking.k8s.io` and Kubernetes' own objects are not read. This page is written by `python -m tests.compatibility`.
"""


class Field(NamedTuple):
    path: str
    refused: str | None
    """The reason that the door gives; None where the field is supported."""
    known: bool = True
    """False: the door knows nothing of it."""


class Kind(NamedTuple):
    name: str
    group: str
    fields: list[Field] | None
    """None: the kind is refused."""

    @property
    def refused(self) -> list[Field]:
        return [field for field in self.fields or () if field.refused is not None]


def kinds(crds: str) -> Iterator[Kind]:
    for document in yaml.load_all(crds, Loader=yaml.CSafeLoader):
        if not document:
            continue
        group, name = document["spec"]["group"], document["spec"]["names"]["kind"]
        versions = document["spec"]["versions"]
        stored = next((version for version in versions if version.get("storage")), versions[0])
        spec = stored["schema"]["openAPIV3Schema"]["properties"].get("spec", {})
        kind = KINDS.get((group, name))
        yield Kind(name, group, list(_fields(spec, _inner(kind.model_fields["spec"].annotation), "")) if kind else None)


def _fields(schema: dict[str, Any], model: Any, path: str) -> Iterator[Field]:
    if schema.get("type") == "array":
        yield from _fields(schema["items"], model, path + "[]")
        return
    properties = schema.get("properties") or {}
    if not properties and isinstance(schema.get("additionalProperties"), dict):
        yield from _fields(schema["additionalProperties"], model, path + ".*")
        return
    for name, inner in properties.items():
        at = f"{path}.{name}" if path else name
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            yield Field(at, None)  # the value is taken as it is
            continue
        field = next((field for own, field in model.model_fields.items() if (field.alias or own) == name), None)
        if field is None:
            reason = model.unsupported.get(name) if issubclass(model, Model) else None
            yield Field(at, reason or "not supported", reason is not None)
            continue
        yield Field(at, None)
        below = _inner(field.annotation)
        if isinstance(below, type) and issubclass(below, BaseModel):
            yield from _fields(inner, below, at)


def page(found: list[Kind]) -> str:
    lines = [HEAD, "| kind | fields supported | fields refused |", "| --- | --- | --- |"]
    for kind in found:
        if kind.fields is None:
            why = advice(kind.group, kind.name).partition("; ")[0] or "unknown"
            lines.append(f"| {kind.name} (`{kind.group}`) | the kind is refused: {why} | all |")
        else:
            lines.append(f"| {kind.name} (`{kind.group}`) | {len(kind.fields) - len(kind.refused)} | {len(kind.refused)} |")
    for kind in found:
        if kind.fields is None:
            continue
        if not kind.refused:
            lines += [f"\n## {kind.name}\n", "Every field."]
            continue
        lines += [f"\n## {kind.name}\n", "Refused; every other field is supported.\n", "| field | why, or what to use |", "| --- | --- |"]
        lines += [f"| `{field.path}` | {field.refused} |" for field in kind.refused]
    return "\n".join(lines) + "\n\n" + VERDICTS.read_text().replace("\n## ", "\n### ").replace("# Istio's", "## Istio's", 1)


def unknown(found: list[Kind]) -> list[str]:
    return [f"{kind.name} {field.path}" for kind in found for field in kind.fields or () if not field.known]


if __name__ == "__main__":
    everything = sorted(kinds(Path(sys.argv[1]).read_text()), key=lambda kind: kind.name)
    sys.stdout.write(page(everything))
    for each in unknown(everything):
        print(f"neither supported nor refused with a reason: {each}", file=sys.stderr)
    sys.exit(1 if unknown(everything) else 0)
