"""YAML as the door takes it: events become plain values with a line for every path; nothing ambiguous, nothing that grows."""

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from .catalogue import SYNTAX
from .messages import Invalid, Level, Message

MAX_BYTES = 4 * 1024 * 1024
MAX_NODES = 200_000
"""Values in one text, each alias counted as large as what it repeats: a bomb ends here."""
MAX_DEPTH = 64
MAX_WORDS = 64
"""Words that need quotes and have none, in one text: for each it is read once more."""
_COLONS = re.compile(r"(?<![^\s\[,])[0-9A-Za-z][0-9A-Za-z.:/_-]*:(?=\s*[\],])")
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# YAML 1.2's core schema: `on`, `12:30` and `2026-01-01` stay the strings that they look like; so does `007`, which is 7 to some and octal to others.
_NULL = {"", "~", "null", "Null", "NULL"}
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_TAGS = {f"tag:yaml.org,2002:{t}" for t in ("str", "int", "float", "bool", "null", "map", "seq")}


@dataclass(frozen=True)
class Lines:
    """1-based lines of paths (`spec.http[0].route`)."""

    by_path: dict[str, int]

    def of(self, path: str) -> int:
        """The line of `path`, or of the nearest thing above it that stands in the text."""
        while path not in self.by_path and path:
            cut = max(path.rfind("."), path.rfind("["))
            path = path[:cut] if cut > 0 else ""
        return self.by_path.get(path, 0)


@dataclass(frozen=True)
class Document:
    data: dict[str, Any]
    lines: Lines
    index: int
    """0-based, among the documents that say something."""


def load_documents(text: str | bytes, *, max_bytes: int = MAX_BYTES) -> list[Document]:
    """Every document of a YAML (or JSON) text. Raises Invalid: one error, for after a fault in the syntax nothing else is sure."""
    size = len(text) if isinstance(text, bytes) else len(text.encode(errors="surrogatepass"))
    if size > max_bytes:
        raise _invalid(f"{size:,} bytes are more than the {max_bytes:,} that are taken at once; send fewer documents at a time")
    try:
        text = text.decode("utf-8-sig") if isinstance(text, bytes) else text
    except UnicodeDecodeError as e:
        raise _invalid(f"not UTF-8: {e.reason} at byte {e.start}") from None
    for _ in range(MAX_WORDS):
        reader = _Reader()
        try:
            for event in yaml.parse(text, Loader=_LOADER):
                reader.take(event)
        except yaml.MarkedYAMLError as e:
            if (quoted := _with_word_quoted(text, e)) is not None:
                text = quoted
                continue
            mark = e.problem_mark or e.context_mark
            raise _invalid(f"not YAML: {e.problem or e.context}", mark.line + 1 if mark else 0) from None
        except yaml.YAMLError as e:
            raise _invalid(f"not YAML: {e}") from None
        return reader.documents
    raise _invalid(f"more than {MAX_WORDS} words in brackets that end with a colon: put quotes around them")


def _with_word_quoted(text: str, fault: yaml.MarkedYAMLError) -> str | None:
    """
    `[fd00::]`, as IPv6 networks are written: libyaml takes no colon before a bracket or comma, and Go's reader, by which Istio's and
    Kubernetes' users know their files to be right, takes it for a part of the word. None where that is not what is wrong.
    """
    mark = fault.problem_mark
    if mark is None or fault.problem != "found unexpected ':'":
        return None
    lines = text.split("\n")
    line = lines[mark.line] if mark.line < len(lines) else ""
    for word in _COLONS.finditer(line):
        if word.start() <= mark.column <= word.end():
            lines[mark.line] = f'{line[: word.start()]}"{word[0]}"{line[word.end() :]}'
            return "\n".join(lines)
    return None


def _invalid(text: str, line: int = 0, path: str = "") -> Invalid:
    return Invalid([Message(Level.ERROR, SYNTAX, text, line=line, path=path)])


@dataclass
class _Open:
    """A mapping or sequence that has not ended."""

    value: dict | list
    path: str
    anchor: str | None
    nodes_before: int
    key: str | None = None
    merged: list[dict] = field(default_factory=list)


class _Reader:
    def __init__(self) -> None:
        self.documents: list[Document] = []
        self._begin()
        self.nodes = 0

    def _begin(self) -> None:
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.lines: dict[str, int] = {}
        self.root: Any = None

    def take(self, event: Any) -> None:
        match event:
            case yaml.DocumentStartEvent():
                self._begin()
            case yaml.DocumentEndEvent():
                self._end_document(event)
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.AliasEvent():
                self._alias(event)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._open(event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._close(event)

    def _end_document(self, event: Any) -> None:
        if self.root is None:
            return  # `---` and nothing: as kubectl, not a document
        if not isinstance(self.root, dict):
            raise _invalid(
                f"a document must be a mapping (apiVersion, kind, metadata, spec), not {_name(self.root)}", self.lines.get("", 0)
            )
        self.documents.append(Document(self.root, Lines(self.lines), len(self.documents)))

    def _scalar(self, event: Any) -> None:
        top = self.stack[-1] if self.stack else None
        if top and isinstance(top.value, dict) and top.key is None:
            self._key(top, event)
            return
        value = _resolve(event, self._path(top))
        self._count(1, event)
        if event.anchor:
            self.anchors[event.anchor] = (value, 1)
        self._put(value, event)

    def _key(self, top: _Open, event: Any) -> None:
        name, line = event.value, event.start_mark.line + 1
        path = f"{top.path}.{name}" if top.path else name
        if name != "<<" and name in top.value:
            raise _invalid(f"the key {name!r} stands twice in one mapping (first in line {self.lines.get(path, 0)}); keep one", line, path)
        top.key = name
        self.lines.setdefault(path, line)

    def _alias(self, event: Any) -> None:
        if event.anchor not in self.anchors:
            raise _invalid(f"the alias *{event.anchor} names no anchor above it", event.start_mark.line + 1)
        top = self.stack[-1] if self.stack else None
        if top and isinstance(top.value, dict) and top.key is None:
            raise _invalid("an alias cannot be a key", event.start_mark.line + 1)
        value, size = self.anchors[event.anchor]
        self._count(size, event)
        self._put(value, event)

    def _open(self, event: Any) -> None:
        top = self.stack[-1] if self.stack else None
        if top and isinstance(top.value, dict) and top.key is None:
            raise _invalid("a key must be a plain word, not a mapping or a sequence", event.start_mark.line + 1)
        if len(self.stack) >= MAX_DEPTH:
            raise _invalid(f"nested deeper than {MAX_DEPTH} levels", event.start_mark.line + 1)
        if event.tag and event.tag not in _TAGS:
            raise _invalid(f"the tag {event.tag} is not taken; write plain YAML", event.start_mark.line + 1)
        self._count(1, event)
        path = self._path(top)
        self.lines.setdefault(path, event.start_mark.line + 1)
        value: dict | list = {} if isinstance(event, yaml.MappingStartEvent) else []
        self.stack.append(_Open(value, path, event.anchor, self.nodes))

    def _close(self, event: Any) -> None:
        done = self.stack.pop()
        if isinstance(done.value, dict):
            for merged in done.merged:
                for key, value in merged.items():
                    done.value.setdefault(key, value)
        if done.anchor:
            self.anchors[done.anchor] = (done.value, self.nodes - done.nodes_before + 1)
        self._put(done.value, event)

    def _put(self, value: Any, event: Any) -> None:
        if not self.stack:
            self.root = value
            self.lines.setdefault("", event.start_mark.line + 1)
            return
        top = self.stack[-1]
        if isinstance(top.value, list):
            self.lines.setdefault(f"{top.path}[{len(top.value)}]", event.start_mark.line + 1)
            top.value.append(value)
        elif top.key == "<<":
            sources = value if isinstance(value, list) else [value]
            if not all(isinstance(s, dict) for s in sources):
                raise _invalid("<< merges a mapping or a sequence of mappings", event.start_mark.line + 1)
            top.merged.extend(sources)
            top.key = None
        else:
            assert top.key is not None
            top.value[top.key] = value
            top.key = None

    def _path(self, top: _Open | None) -> str:
        if top is None:
            return ""
        if isinstance(top.value, list):
            return f"{top.path}[{len(top.value)}]"
        return f"{top.path}.{top.key}" if top.path else str(top.key)

    def _count(self, nodes: int, event: Any) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            raise _invalid(f"more than {MAX_NODES:,} values (aliases counted in full); send fewer at a time", event.start_mark.line + 1)


def _resolve(event: Any, path: str) -> Any:
    text, line = event.value, event.start_mark.line + 1
    if event.tag and event.tag != "!":
        if event.tag not in _TAGS:
            raise _invalid(f"the tag {event.tag} is not taken; write plain YAML", line, path)
        if event.tag.endswith(":str"):
            return text
    elif not event.implicit[0]:
        return text  # quoted
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text) and len(text) < 30:
        return int(text)
    if _BASED.fullmatch(text) and len(text) < 30:
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text.replace(".inf", "inf").replace(".Inf", "inf").replace(".INF", "inf").lower().replace(".nan", "nan"))
    return text


def _name(value: Any) -> str:
    return {list: "a sequence", str: "a string", int: "a number", float: "a number", bool: "a boolean"}.get(type(value), "nothing")
