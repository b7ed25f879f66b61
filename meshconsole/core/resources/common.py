"""The types that Istio's kinds share. Descriptions are user documentation: the editor and the API show them."""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any

import re2
from pydantic import AfterValidator, Field, Strict

from .envelope import Model

_DURATION = re.compile(
    r"(?P<sign>[-+]?)(?P<parts>([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h))*)|0"
)
_UNITS = {
    "ns": Decimal("1e-9"),
    "us": Decimal("1e-6"),
    "µs": Decimal("1e-6"),
    "ms": Decimal("1e-3"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
}


def seconds(duration: str) -> Decimal:
    """`1h30m`, `1.5s`, `20ms` in seconds. Raises ValueError."""
    found = _DURATION.fullmatch(duration) if len(duration) <= 64 else None
    if not found:
        raise ValueError(f"{duration[:64]!r} is no duration; write one like 10s, 1.5s, 250ms or 1h")
    if duration == "0":
        return Decimal(0)
    total = sum((Decimal(n) * _UNITS[unit] for n, unit in re.findall(r"([\d.]+)(ns|us|µs|ms|s|m|h)", found["parts"])), Decimal(0))
    return -total if found["sign"] == "-" else total


def proto_duration(duration: str) -> str:
    """The same as protobuf's JSON writes it: seconds with an `s`."""
    value = seconds(duration).quantize(Decimal("1e-9")).normalize()
    return f"{value:f}s"


_LONGEST = Decimal(315_576_000_000)
"""What protobuf takes: 10,000 years."""


def _duration(value: str) -> str:
    length = seconds(value)
    if length < 0:
        raise ValueError(f"{value!r}: a duration cannot be negative")
    if length > _LONGEST:
        raise ValueError(f"{value!r}: a duration cannot be longer than {_LONGEST}s")
    return value


def _positive(value: str) -> str:
    """Istio's CRDs: `duration(self) >= duration('1ms')`, in whole milliseconds."""
    length = seconds(_duration(value))
    if length < _UNITS["ms"]:
        raise ValueError(f"{value!r}: a duration here must be 1ms or longer; leave the field out for its default")
    if length % _UNITS["ms"]:
        raise ValueError(f"{value!r}: a duration has whole milliseconds")
    return value


MAX_REGEX = 1024
MAX_PROGRAM = 32768
"""What the proxies' bootstrap lets Envoy take (re2.max_program_size.error_level), as Istio's does."""


def regex_fault(value: str) -> str:
    """What is wrong with a regular expression; '' when it is right."""
    if len(value) > MAX_REGEX:
        return f"{len(value)} characters of regular expression are more than {MAX_REGEX}"
    try:
        program = re2.compile(value, _QUIET)
    except re2.error as e:
        said = e.args[0].decode() if e.args and isinstance(e.args[0], bytes) else e
        return f"{value!r} is no RE2 expression: {said}; see the syntax of RE2 (no look-around, no back-references)"
    if program.programsize > MAX_PROGRAM:
        return f"{value!r} is too complex: RE2 needs {program.programsize} steps, {MAX_PROGRAM} are allowed; use smaller repetitions"
    return ""


def _regex(value: str) -> str:
    if fault := regex_fault(value):
        raise ValueError(fault)
    return value


_QUIET = re2.Options()
_QUIET.log_errors = False

# No descriptions here: a field's own docstring is its documentation, and pydantic would prefer these.
Duration = Annotated[str, AfterValidator(_duration), Field(examples=["10s"])]
"""As Istio writes it: `10s`, `1.5s`, `250ms`, `1h30m`; 0s is taken."""
PositiveDuration = Annotated[str, AfterValidator(_positive), Field(examples=["10s"])]
"""1ms or longer."""
Regex = Annotated[str, AfterValidator(_regex)]
"""RE2."""
# Strict, as Kubernetes is: "90" is no number and 1 is not true.
Whole = Annotated[int, Strict()]
PortNumber = Annotated[int, Strict(), Field(ge=1, le=65535)]
Uint32 = Annotated[int, Strict(), Field(ge=0, le=2**32 - 1)]
Int32 = Annotated[int, Strict(), Field(ge=-(2**31), le=2**31 - 1)]
Count = Annotated[int, Strict(), Field(ge=0, le=2**31 - 1)]
"""An int32 that means nothing below 0."""
Boolean = Annotated[bool, Strict()]
Number = Annotated[float, Strict()]


class Percent(Model):
    value: Annotated[Number, Field(ge=0, le=100)] = 0
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
    def asks_for_presence(self) -> bool:
        """Nothing said, or the regex `*`, which is no RE2 but Istio's word for `anything` (canBeConvertedToPresentMatch)."""
        return self.is_empty or self.regex == "*"

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
