"""The types that Istio's kinds share. Descriptions are user documentation: the editor and the API show them."""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any

import re2
from pydantic import AfterValidator, BeforeValidator, Field

from .envelope import Model

_DURATION = re.compile(r"(?P<sign>[-+]?)(?P<parts>(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))*)|0")
_UNITS = {"ns": Decimal("1e-9"), "us": Decimal("1e-6"), "µs": Decimal("1e-6"), "ms": Decimal("1e-3"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600)}


def seconds(duration: str) -> Decimal:
    """`1h30m`, `1.5s`, `20ms` in seconds. Raises ValueError."""
    found = _DURATION.fullmatch(duration)
    if not found:
        raise ValueError(f"{duration!r} is no duration; write one like 10s, 1.5s, 250ms or 1h")
    if duration == "0":
        return Decimal(0)
    total = sum((Decimal(n) * _UNITS[unit] for n, unit in re.findall(r"([\d.]+)(ns|us|µs|ms|s|m|h)", found["parts"])), Decimal(0))
    return -total if found["sign"] == "-" else total


def proto_duration(duration: str) -> str:
    """The same as protobuf's JSON writes it: seconds with an `s`."""
    value = seconds(duration).quantize(Decimal("1e-9")).normalize()
    return f"{value:f}s"


def _duration(value: str) -> str:
    if seconds(value) < 0:
        raise ValueError(f"{value!r}: a duration cannot be negative")
    return value


def _positive(value: str) -> str:
    if seconds(value) <= 0:
        raise ValueError(f"{value!r}: a duration here must be longer than 0")
    return value


def _regex(value: str) -> str:
    if len(value) > 1024:
        raise ValueError(f"{len(value)} characters of regular expression are more than 1024")
    try:
        re2.compile(value, _QUIET)
    except re2.error as e:
        said = e.args[0].decode() if e.args and isinstance(e.args[0], bytes) else e
        raise ValueError(f"{value!r} is no RE2 expression: {said}; see the syntax of RE2 (no look-around, no back-references)") from None
    return value


_QUIET = re2.Options()
_QUIET.log_errors = False

Duration = Annotated[str, AfterValidator(_duration), Field(description="As Istio writes it: `10s`, `1.5s`, `250ms`, `1h30m`.", examples=["10s"])]
PositiveDuration = Annotated[str, AfterValidator(_duration), AfterValidator(_positive), Field(examples=["10s"])]
Regex = Annotated[str, AfterValidator(_regex), Field(description="RE2 syntax; the whole value must match.")]
PortNumber = Annotated[int, Field(ge=1, le=65535)]
Uint32 = Annotated[int, Field(ge=0, le=2**32 - 1)]
Int32 = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]


def _known(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


Upper = BeforeValidator(_known)


class Percent(Model):
    value: Annotated[float, Field(ge=0, le=100)] = 0
    """0 to 100; parts of a percent are taken to a ten-thousandth."""

    @property
    def fraction(self) -> dict[str, Any]:
        """envoy.type.v3.FractionalPercent, in millionths (Istio: translatePercentToFractionalPercent)."""
        return {"numerator": round(self.value * 10_000), "denominator": "MILLION"}


class StringMatch(Model):
    """One of exact, prefix, regex."""

    exact: str | None = None
    """The whole value."""
    prefix: str | None = None
    """How the value begins; `/foo` also matches `/foobar`, as in Envoy."""
    regex: Regex | None = None
    """RE2; the whole value must match."""

    def faults(self) -> Iterator[str]:
        given = [n for n in ("exact", "prefix", "regex") if getattr(self, n) is not None]
        if len(given) > 1:
            yield f"{' and '.join(given)} exclude one another; keep one"

    @property
    def is_empty(self) -> bool:
        return self.exact is None and self.prefix is None and self.regex is None


class PortSelector(Model):
    number: PortNumber
    """The service's port."""


class Destination(Model):
    host: str
    """A service: a short name (resolved in the namespace of this rule), a fully qualified one, or a ServiceEntry's host."""
    subset: str = ""
    """A subset that a DestinationRule of that host defines."""
    port: PortSelector | None = None
    """Needed only where the service has several ports."""


class WorkloadSelector(Model):
    match_labels: dict[str, str] = Field(default_factory=dict)
    """Labels that a workload must bear, all of them; none selects every workload of the namespace."""


class NetworkingSelector(Model):
    """Sidecar, EnvoyFilter and ServiceEntry call it `labels`."""

    labels: dict[str, str] = Field(default_factory=dict)
    """Labels that a workload must bear, all of them."""
