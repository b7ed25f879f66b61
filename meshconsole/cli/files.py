"""What `-f` names: files, directories, globs and `-`, as one text whose lines are known by file."""

import glob
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .connection import USAGE, fail

SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class Part:
    name: str
    first: int
    """The line of the whole text, from 1, at which this file begins."""


@dataclass(frozen=True)
class Source:
    text: str
    parts: tuple[Part, ...]

    def where(self, line: int) -> str:
        """`file:line` of a line of the whole."""
        part = next((p for p in reversed(self.parts) if p.first <= line), self.parts[0])
        return f"{part.name}:{line - part.first + 1}"


def read(names: Sequence[str]) -> Source:
    if not names:
        fail("Which files? Give -f FILE, -f DIRECTORY, -f 'GLOB' or -f - for standard input.", USAGE)
    texts: list[str] = []
    parts: list[Part] = []
    line = 1
    for name, text in [found for given in names for found in _of(given)]:
        if name.endswith(".json"):
            text = text.replace("\t", " ")  # as indentation, JSON may have tabs and YAML may not; inside its strings there are none
        text = text.removeprefix("\ufeff")
        if parts and not text.startswith("---"):
            texts.append("---\n")
            line += 1
        parts.append(Part(name, line))
        text += "" if text.endswith("\n") else "\n"
        texts.append(text)
        line += text.count("\n")
    return Source("".join(texts), tuple(parts))


def _of(name: str) -> list[tuple[str, str]]:
    if name == "-":
        return [("<stdin>", sys.stdin.read())]
    path = Path(name)
    if path.is_dir():
        found = sorted(p for p in path.rglob("*") if p.suffix in SUFFIXES and p.is_file())
    elif path.exists() or not glob.has_magic(name):
        found = [path]
    else:
        found = sorted(Path(p) for p in glob.glob(name, recursive=True) if Path(p).is_file())
    if not found:
        fail(f"{name}: no {', '.join(SUFFIXES)} files there", USAGE)
    return [(str(p), _text(p)) for p in found]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as e:
        fail(f"{path}: {e.strerror}", USAGE)
    except UnicodeDecodeError as e:
        fail(f"{path}: not UTF-8 at byte {e.start}")
