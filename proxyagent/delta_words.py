"""
What happens between an agent and its Envoy, and what the agent then does: the words of proxyagent.delta.

Events are what happened; commands are what the shell must do.
"""

from dataclasses import dataclass

from .protocol import Applied, Demand, Push, Resource, Trusted, XdsType
from .wire import DeltaRequest, DeltaResponse

# --- events ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StreamOpened:
    """Envoy has opened its one ADS stream."""


@dataclass(frozen=True)
class StreamClosed:
    """It has gone; whatever was in flight has no answer."""


@dataclass(frozen=True)
class Asked:
    """One DeltaDiscoveryRequest: a subscription, an ACK, a NACK, or several of these at once."""

    request: DeltaRequest


@dataclass(frozen=True)
class Pushed:
    push: Push


@dataclass(frozen=True)
class SecretsRenewed:
    """The secrets that the agent serves itself: name -> (version, serialised Secret)."""

    secrets: tuple[Resource, ...]
    taken: Trusted | None = None
    """What the console is told once Envoy has taken them."""


@dataclass(frozen=True)
class ConsoleCame:
    pass


@dataclass(frozen=True)
class ConsoleWent:
    pass


@dataclass(frozen=True)
class Elapsed:
    pass


Event = StreamOpened | StreamClosed | Asked | Pushed | SecretsRenewed | ConsoleCame | ConsoleWent | Elapsed


# --- commands -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Respond:
    response: DeltaResponse


@dataclass(frozen=True)
class Keep:
    """Envoy has accepted this push: put it on disk before `Report`."""

    push: Push


@dataclass(frozen=True)
class KeepClusters:
    """Envoy asks for these by name; keep them for the next start."""

    clusters: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """Tell the console."""

    frame: Applied | Demand | Trusted


@dataclass(frozen=True)
class Complain:
    """Envoy refused something that no push brought: the operator should see it in the agent's log."""

    type: XdsType
    error: str


Command = Respond | Keep | KeepClusters | Report | Complain
