"""The kinds that the core knows, as the REST API names them: by group, plural and version. Nothing here knows any one kind."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from django.http import Http404
from rest_framework.exceptions import NotFound, ParseError

from meshconsole.core.policies import KINDS
from meshconsole.core.policies.base import Policy
from meshconsole.core.resources.messages import Key


def all_() -> list[type[Policy]]:
    return [KINDS[k] for k in sorted(KINDS)]


def name(kind: type[Policy]) -> str:
    return next(k for (_, k), cls in KINDS.items() if cls is kind)


def groups() -> dict[str, list[type[Policy]]]:
    found: dict[str, list[type[Policy]]] = {}
    for kind in all_():
        found.setdefault(kind.group, []).append(kind)
    return found


def versions(group: str) -> list[str]:
    """Of a group, the preferred one first; a group may serve more than one of its kinds does."""
    return list(dict.fromkeys(v for kind in groups().get(group, []) for v in kind.versions))


def served(group: str, version: str) -> list[type[Policy]]:
    return [kind for kind in groups().get(group, []) if version in kind.versions]


def by_plural(group: str, version: str, plural: str) -> type[Policy]:
    for kind in served(group, version):
        if kind.plural == plural:
            return kind
    raise Http404(f"the server could not find the requested resource: {group}/{version} {plural}")


def named(word: str, group: str = "") -> Iterator[type[Policy]]:
    """Kinds that a person means by `word`: kind, plural or short name, in any case."""
    word = word.lower()
    for kind in all_():
        if group in ("", kind.group) and word in (name(kind).lower(), kind.plural, *kind.short_names):
            yield kind


def unknown(word: str) -> NotFound:
    """What was asked for, and what it may have meant."""
    spellings = [w for kind in all_() for w in (name(kind).lower(), kind.plural)]
    near = get_close_matches(word.lower(), spellings, 1)
    return NotFound(f"there is no kind {word!r}" + (f"; did you mean {near[0]!r}?" if near else "; /api/v1/schemas lists them"))


def key(sent: Mapping[str, str]) -> Key:
    """The resource that a person names by kind (in any of its spellings), namespace and name."""
    if not sent.get("kind") or not sent.get("name"):
        raise ParseError("kind and name are needed")
    found = list(named(sent["kind"], sent.get("group", "")))
    if not found:
        raise unknown(sent["kind"])
    if len(found) > 1:
        raise ParseError(f"{sent['kind']!r} is a kind of several groups: {', '.join(k.group for k in found)}; name one as group")
    return Key(found[0].group, name(found[0]), sent.get("namespace") or "default", sent["name"])


def schema(kind: type[Policy]) -> dict[str, Any]:
    """JSON schema of the whole resource, for editors and OpenAPI."""
    return kind.model_json_schema(by_alias=True)
