"""The OpenAPI documents that kubectl reads: `explain`, validation, and whether the server checks fields itself. Made from the kinds' schemas."""

import hashlib
import json
from functools import cache
from typing import Any

from meshconsole.core.policies.base import Policy

from . import kinds

V2_PROTOBUF = b"\x0a\x032.0\x12\x12\x0a\x0bMeshconsole\x12\x030.1\x42\x00"
"""`{swagger: "2.0", info: {title, version}, paths: {}}` as openapi.v2.Document. Without definitions kubectl leaves validation to us."""


def v2() -> dict[str, Any]:
    definitions: dict[str, Any] = {}
    for kind in kinds.all_():
        for version in kind.versions:
            definitions |= _schemas(kind, version, "#/definitions/")
    return {"swagger": "2.0", "info": {"title": "Meshconsole", "version": "0.1"}, "paths": {}, "definitions": definitions}


def v3_index() -> dict[str, Any]:
    paths = {}
    for group in sorted(kinds.groups()):
        for version in kinds.versions(group):
            api = f"apis/{group}/{version}" if group else f"api/{version}"
            digest = hashlib.sha256(json.dumps(v3(group, version), sort_keys=True).encode()).hexdigest()[:32]
            paths[api] = {"serverRelativeURL": f"/openapi/v3/{api}?hash={digest}"}
    return {"paths": paths}


@cache
def v3(group: str, version: str) -> dict[str, Any]:
    schemas: dict[str, Any] = {}
    paths: dict[str, Any] = {}
    for kind in kinds.served(group, version):
        schemas |= _schemas(kind, version, "#/components/schemas/")
        gvk = {"group": group, "version": version, "kind": kinds.name(kind)}
        body = {"schema": {"$ref": f"#/components/schemas/{_name(kind, version)}"}}
        answer = {"200": {"description": "OK", "content": {"application/json": body}}}
        one = f"/{f'apis/{group}' if group else 'api'}/{version}/namespaces/{{namespace}}/{kind.plural}/{{name}}"

        def operation(action: str, gvk: dict[str, str] = gvk, answer: dict[str, Any] = answer) -> dict[str, Any]:
            return {
                "responses": answer,
                "parameters": [_query(n) for n in ("dryRun", "fieldManager", "fieldValidation")],
                "x-kubernetes-action": action,
                "x-kubernetes-group-version-kind": gvk,
            }

        paths[one] = {"get": operation("get"), "put": operation("put"), "patch": operation("patch"), "delete": operation("delete")}
        paths[one.removesuffix("/{name}")] = {"get": operation("list"), "post": operation("post")}
    return {"openapi": "3.0.0", "info": {"title": "Meshconsole", "version": "0.1"}, "paths": paths, "components": {"schemas": schemas}}


def _query(name: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": {"type": "string"}}


def _name(kind: type[Policy], version: str) -> str:
    return ".".join([*reversed((kind.group or "core.api.k8s.io").split(".")), version, kinds.name(kind)])


def _schemas(kind: type[Policy], version: str, prefix: str) -> dict[str, Any]:
    """The kind's schema and its parts, by names that no other kind's parts have."""
    whole = kinds.schema(kind)
    stem = _name(kind, version)
    parts = whole.pop("$defs", {})
    whole["x-kubernetes-group-version-kind"] = [{"group": kind.group, "version": version, "kind": kinds.name(kind)}]
    found = {stem: whole, **{f"{stem}.{part}": schema for part, schema in parts.items()}}
    return {name: _plain(schema, stem, prefix) for name, schema in found.items()}


def _plain(schema: Any, stem: str, prefix: str) -> Any:
    """Within what kubectl's parser knows: references into `prefix`, and `X | null` as X."""
    if isinstance(schema, list):
        return [_plain(s, stem, prefix) for s in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"$ref": f"{prefix}{stem}.{schema['$ref'].rpartition('/')[2]}"}
    if "anyOf" in schema:
        some = [s for s in schema["anyOf"] if s.get("type") != "null"]
        if len(some) == 1:
            rest = {k: v for k, v in schema.items() if k not in ("anyOf", "default")}
            return _plain(some[0] if "$ref" in some[0] else {**some[0], **rest}, stem, prefix)
    return {k: _plain(v, stem, prefix) for k, v in schema.items() if k != "default" or v is not None}
