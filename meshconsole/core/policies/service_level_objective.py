"""ServiceLevelObjective: how well a service has promised to answer. `meshconsole.slo` counts its budget, `meshconsole.alerts` tells when it burns."""

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from meshconsole.core.resources.common import PositiveDuration, seconds
from meshconsole.core.resources.envelope import Model
from meshconsole.core.resources.messages import Message
from meshconsole.core.resources.names import name_fault, namespace_fault

from .base import Policy

LONGEST = 90 * 86400


class Availability(Model):
    """Good is every request that did not fail on the server's side (5xx, gRPC errors of the server, no answer)."""


class FastEnough(Model):
    """Good is every request that was answered within `below` and did not fail."""

    below: PositiveDuration
    """Prometheus' histograms are counted in buckets: a limit that is one of 0.5, 1, 5, 10, 25, 50, 100, 250, 500 ms, 1, 2.5, 5, 10 s is exact."""


class Indicator(Model):
    """What makes a request a good one: exactly one of these."""

    availability: Availability | None = None
    latency: FastEnough | None = None


class ServiceLevelObjectiveSpec(Model):
    service: str = Field(pattern=r"^[a-zA-Z0-9_]([a-zA-Z0-9_.-]{0,251}[a-zA-Z0-9_])?$")
    """The service, by its name in this namespace or by its full name."""
    objective: Annotated[float, Field(gt=0, lt=100, allow_inf_nan=False)]
    """The share of good requests that is promised, in percent: `99.9`."""
    window: PositiveDuration = "720h"
    """The time that the promise is about; it rolls. Default `720h`, 30 days."""
    indicator: Indicator = Field(default_factory=lambda: Indicator(availability=Availability()))
    """Default: availability."""
    channels: list[str] = Field(default_factory=list, max_length=20)
    """NotificationChannels told when the budget burns too fast, by name or as `<namespace>/<name>`."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Added to every alert of this objective."""
    description: str = Field(default="", max_length=2000)


class ServiceLevelObjective(Policy):
    group: ClassVar[str] = "meshconsole.io"
    versions: ClassVar[tuple[str, ...]] = ("v1",)
    plural: ClassVar[str] = "servicelevelobjectives"
    short_names: ClassVar[tuple[str, ...]] = ("slo",)

    spec: ServiceLevelObjectiveSpec
    """What is promised, and who is told when it is at risk."""

    def check(self) -> Iterator[Message]:
        indicator = self.spec.indicator
        if (indicator.availability is None) == (indicator.latency is None):
            yield self.error("spec.indicator", "must have exactly one of availability and latency")
        if not 3600 <= seconds(self.spec.window) <= LONGEST:
            yield self.error("spec.window", "must be between 1h and 2160h (90 days)")
        for n, channel in enumerate(self.spec.channels):
            namespace, slash, name = channel.rpartition("/")
            if name_fault(name) or (slash and namespace_fault(namespace)):
                yield self.error(f"spec.channels[{n}]", f"{channel!r} is no name of a NotificationChannel, nor <namespace>/<name>")
