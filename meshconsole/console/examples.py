"""Good beginnings for a policy: the YAML files of examples/, each with its title, what it is for and an icon in its first lines."""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

FOLDER = Path(__file__).parent / "examples"


@dataclass(frozen=True)
class Example:
    slug: str
    title: str
    about: str
    icon: str
    kind: str
    text: str

    def in_namespace(self, namespace: str) -> str:
        return self.text.replace("\n  namespace: default\n", f"\n  namespace: {namespace}\n", 1) if namespace else self.text


def _read(path: Path) -> Example:
    lines = path.read_text().splitlines()
    facts = dict(line[2:].split(": ", 1) for line in lines if line.startswith("# "))
    text = "\n".join(line for line in lines if not line.startswith("# ")) + "\n"
    found = re.search(r"^kind: (\w+)$", text, re.MULTILINE)
    assert found, path
    return Example(path.stem.split("-", 1)[1], facts["title"], facts["about"], facts["icon"], found[1], text)


@lru_cache(maxsize=1)
def all_() -> tuple[Example, ...]:
    return tuple(_read(path) for path in sorted(FOLDER.glob("*.yaml")))


def by_slug(slug: str) -> Example | None:
    return next((e for e in all_() if e.slug == slug), None)
