"""The agents themselves: each says of its own workload what it is, over its connection; there is nothing to watch."""

import datetime

from meshconsole.discovery import registry
from proxyagent import protocol

from .base import Platform


class Agents(Platform):
    name = "agents"


def hello(spec: protocol.Workload, now: datetime.datetime, *, said: protocol.Workload | None = None, probed: bool = False) -> bool:
    """True when it is news. Raises registry.Refused."""
    return registry.register(spec, now, platform=Agents.name, said=said, probed=probed)


def health(name: registry.Name, frame: protocol.Health, now: datetime.datetime) -> bool:
    return registry.set_health(name, frame.healthy, frame.reason, now)


def goodbye(name: registry.Name) -> bool:
    return registry.deregister(name)
