"""What one ADS stream has been told, and a push on its way into it: the state of proxyagent.delta."""

from collections import deque
from dataclasses import dataclass, field

from .cache import Cache
from .protocol import Push, XdsType
from .stages import Step


@dataclass
class Subscription:
    """One type on the present stream."""

    wildcard: bool = False
    names: set[str] = field(default_factory=set)
    held: dict[str, str] = field(default_factory=dict)
    """name -> version that Envoy has been sent on this stream, or said that it brought along."""

    def wants(self, name: str) -> bool:
        return self.wildcard or name in self.names


@dataclass(frozen=True)
class InFlight:
    type: XdsType
    names: frozenset[str]
    since: float


@dataclass
class Application:
    """A push on its way into Envoy."""

    push: Push
    target: Cache
    todo: deque[Step]
    names: dict[XdsType, set[str]]
    """What it adds, changes or removes."""
    step: Step = ()
    since: float = 0.0
    touched: dict[XdsType, set[str]] = field(default_factory=dict)
    """Of `names`, what Envoy has been sent."""
    errors: dict[XdsType, str] = field(default_factory=dict)
    attempts: int = 1
    orphan: bool = False
    """The connection that brought it is gone; nobody waits for an answer."""

    @property
    def returning(self) -> bool:
        """Envoy refused it, and is being led back."""
        return bool(self.errors)

    @property
    def type(self) -> XdsType:
        """What is being sent now; for an error that Envoy had no words for."""
        return self.step[0].type if self.step else next(iter(self.push.resources), "cds")
