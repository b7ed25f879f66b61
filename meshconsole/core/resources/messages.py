"""What can be said of a user's resource: errors, warnings, infos; each with a code, an object, a field and a line."""

from dataclasses import dataclass
from enum import IntEnum


class Level(IntEnum):
    INFO = 1
    WARNING = 2
    ERROR = 3

    def __str__(self) -> str:
        return self.name.capitalize()


@dataclass(frozen=True, slots=True)
class Key:
    """Which object: unique in the store. `group` is the API group without its version."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Message:
    level: Level
    code: str
    """Istio's code (`IST0101`), or ours (`MSH…`), stable once given."""
    text: str
    """What was wrong and what would be right, without the object's name."""
    key: Key | None = None
    path: str = ""
    """`spec.http[0].route[1].weight`"""
    line: int = 0
    """1-based line of the file; 0 where there is no text."""
    document: int = 0
    """0-based index of the document in what was sent."""

    def __str__(self) -> str:
        """As istioctl prints it: `Warning [IST0132] (VirtualService ns/name) text`."""
        where = f" ({self.key})" if self.key else ""
        field = f" {self.path}:" if self.path else ""
        line = f" (line {self.line})" if self.line else ""
        return f"{self.level} [{self.code}]{where}{field} {self.text}{line}"


class Invalid(ValueError):
    """What was sent cannot be taken; `messages` holds every reason, and at least one is an error."""

    def __init__(self, messages: list[Message]):
        super().__init__("\n".join(map(str, messages)))
        self.messages = messages
