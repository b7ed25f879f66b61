"""The seam of every platform that knows workloads: it observes, and never writes the database. One file here is one platform."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from proxyagent.protocol import Workload


@dataclass(frozen=True)
class Observation:
    """What a platform holds to be true now: all its workloads, each healthy or not."""

    workloads: tuple[tuple[Workload, bool], ...]


class Platform:
    name: str

    async def watch(self) -> AsyncIterator[Observation]:
        """Yield whenever something changed. Runs in one process at a time; ends never, unless by an exception, after which it is begun again."""
        return
        yield
