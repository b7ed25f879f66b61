"""
A kind's fields, as their docstrings document them: what `meshconsole explain` prints and what the tables of docs/kinds hold.

`python -m meshconsole.core.policies.explain docs/kinds` writes the tables anew, between the two marks of each page.
"""

import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin

from meshconsole.core.resources.envelope import Model, Resource

if TYPE_CHECKING:
    from .base import Policy

BEGIN, END = "<!-- fields -->", "<!-- /fields -->"
"""What stands between them in a page is generated."""


@dataclass(frozen=True)
class Entry:
    path: str
    """`spec.http[].match[].uri`"""
    value: str
    """`text`, `list of text`, `one of …`, for people."""
    text: str
    required: bool = False
    model: type[Model] | None = None
    """What is inside, for a mapping or a list of mappings with fields of their own."""


class Unknown(LookupError):
    """No such kind or field; says which there are."""


def kind_named(name: str) -> "type[Policy]":
    """By kind, plural or short name, in any case."""
    from . import KINDS

    wanted = name.lower()
    for kind in KINDS.values():
        if wanted in (kind.__name__.lower(), kind.plural, *kind.short_names):
            return kind
    raise Unknown(f"no kind {name!r}; there are {', '.join(sorted(kind for _, kind in KINDS))}")


def fields(model: type[Model], prefix: str = "") -> Iterator[Entry]:
    """The fields of one mapping."""
    for name, field in model.model_fields.items():
        if name in Resource.model_fields and issubclass(model, Resource):
            continue
        outside = field.alias or name
        inner, many = _model_of(field.annotation)
        path = f"{prefix}.{outside}" if prefix else outside
        text = " ".join((field.description or "").split())
        yield Entry(path + many, _type(field.annotation), text, field.is_required(), inner)


def tree(kind: "type[Policy]") -> Iterator[Entry]:
    """Every field of the kind's own, depth first; a mapping that was described at another path is not described again."""
    known: dict[type[Model], str] = {}

    def below(model: type[Model], prefix: str) -> Iterator[Entry]:
        for entry in fields(model, prefix):
            seen = known.get(entry.model) if entry.model else None
            if seen is not None:
                yield Entry(entry.path, entry.value, f"{entry.text} Fields: as `{seen}`.".strip(), entry.required)
                continue
            yield entry
            if entry.model is not None:
                known[entry.model] = entry.path
                yield from below(entry.model, entry.path)

    yield from below(*_top(kind))


def refused(kind: "type[Policy]") -> Iterator[tuple[str, str]]:
    """(path, why or what to use) of the fields that Istio has and that are refused by name."""
    top, prefix = _top(kind)
    for name, why in top.unsupported.items():
        yield f"{prefix}.{name}".lstrip("."), why
    for entry in tree(kind):
        if entry.model is not None:
            yield from ((f"{entry.path}.{name}", why) for name, why in entry.model.unsupported.items())


def explain(what: str) -> str:
    """`Kind` or `kind.spec.http.match`, as kubectl takes it: the field, and those right below it."""
    name, _, rest = what.partition(".")
    kind = kind_named(name)
    head = f"KIND:     {kind.__name__}\nVERSION:  {kind.group}/{kind.versions[0]}\n"
    model: type[Model] | None = _top(kind)[0]
    entry: Entry | None = None
    steps = [step.rstrip("[]{}") for step in rest.split(".") if step]
    if steps and steps[0] == "spec":
        steps = steps[1:]
    for step in steps:
        inside = {each.path.rstrip("[]{}").lower(): each for each in fields(model)} if model else {}
        entry = inside.get(step.lower())
        if entry is None:
            known = ", ".join(each.path.rstrip("[]{}") for each in inside.values())
            raise Unknown(f"{kind.__name__} has no field {step!r} there" + (f"; there are {known}" if known else ""))
        model = entry.model
    lines = [head]
    if entry is not None:
        lines.append(f"FIELD:    {rest}  <{entry.value}>{'  required' if entry.required else ''}\n\n{_wrapped(entry.text, '    ')}\n")
    else:
        lines.append(f"{_wrapped(summary(kind), '    ')}\n")
    if model is not None:
        lines.append("FIELDS:")
        for each in fields(model):
            lines.append(f"  {each.path}  <{each.value}>{'  required' if each.required else ''}\n{_wrapped(each.text, '      ')}")
        lines += [f"  {field}: refused. {why}" for field, why in model.unsupported.items()]
    return "\n".join(lines).rstrip() + "\n"


def summary(kind: "type[Policy]") -> str:
    """What its module says that it is."""
    module = inspect.getmodule(kind)
    return " ".join((inspect.getdoc(module) or "").split("\n\n")[0].split()) if module else ""


def table(kind: "type[Policy]") -> str:
    """Its fields as Markdown: the part of its page that is generated."""
    rows = ["| field | value | what it says |", "| --- | --- | --- |"]
    for entry in tree(kind):
        what = f"{_cell(entry.text)}{' (required)' if entry.required else ''}"
        rows.append(f"| `{entry.path.removeprefix('spec.')}` | {_cell(entry.value)} | {what.strip()} |")
    beside = list(refused(kind))
    if beside:
        rows += ["", "Refused by name:", "", "| field | why, or what to use |", "| --- | --- |"]
        rows += [f"| `{path.removeprefix('spec.')}` | {_cell(why)} |" for path, why in beside]
    return "\n".join(rows)


def refreshed(page: str, kind: "type[Policy]") -> str:
    """The page with its table as it is now; a page without marks stays as it is."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table(kind)}\n{END}{after}" if begin and end else page


def _top(kind: "type[Policy]") -> tuple[type[Model], str]:
    """What lies in `spec`; or the kind itself, where it has no spec but fields of its own (Secret)."""
    annotation = kind.model_fields["spec"].annotation
    return (annotation, "spec") if isinstance(annotation, type) and issubclass(annotation, Model) else (kind, "")


def _model_of(annotation: Any) -> tuple[type[Model] | None, str]:
    """(the Model inside, `[]` when there is a list of it)."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return annotation, ""
    for each in get_args(annotation):
        inner, many = _model_of(each)
        if inner is not None:
            origin = get_origin(annotation)
            return inner, "[]" if origin is list else "{}" if origin is dict else many
    return None, ""


_WORDS = {str: "text", int: "number", float: "number", bool: "true or false", dict: "mapping", list: "list"}


def _type(annotation: Any) -> str:
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is list:
        return f"list of {_type(inside[0])}"
    if origin is dict:
        return f"mapping of {_type(inside[1])}"
    if hasattr(annotation, "__metadata__"):
        return _type(inside[0])
    if inside and origin is not None:
        words = dict.fromkeys(_type(each) for each in inside if each is not type(None))
        return " or ".join(words) if all(isinstance(each, type) or get_args(each) for each in inside) else " or ".join(map(str, inside))
    if isinstance(annotation, type):
        if issubclass(annotation, Enum):
            return "one of " + ", ".join(str(member.value) for member in annotation)
        if issubclass(annotation, Model):
            return "mapping"
        return _WORDS.get(annotation, annotation.__name__)
    return "any"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _wrapped(text: str, indent: str) -> str:
    lines, line = [], indent
    for word in text.split():
        if len(line) + len(word) > 110:
            lines.append(line.rstrip())
            line = indent
        line += word + " "
    return "\n".join([*lines, line.rstrip()])


def main(folder: str) -> None:
    from . import KINDS

    for kind in KINDS.values():
        page = Path(folder) / f"{kind.__name__.lower()}.md"
        if page.exists():
            page.write_text(refreshed(page.read_text(), kind))


if __name__ == "__main__":
    main(sys.argv[1])
