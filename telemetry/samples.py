"""What an agent counted between two scrapes: deltas, never totals, so that they may be added up in any order."""

import msgspec

Labels = dict[str, str]

ISTIO_BOUNDS: tuple[float, ...] = (
    0.5,
    1,
    5,
    10,
    25,
    50,
    100,
    250,
    500,
    1000,
    2500,
    5000,
    10000,
    30000,
    60000,
    300000,
    600000,
    1800000,
    3600000,
)
"""Envoy's default histogram bounds (milliseconds or bytes); one more bucket, +Inf, follows the last."""


class Counter(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True):
    name: str
    labels: Labels
    value: float


class Histogram(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True):
    name: str
    labels: Labels
    buckets: tuple[int, ...]
    """Observations per bucket, not cumulative; len(bounds) + 1 of them, the last is +Inf."""
    sum: float
    count: int


class Batch(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """All that changed at one proxy in [start, end), unix seconds."""

    start: float
    end: float
    counters: tuple[Counter, ...] = ()
    histograms: tuple[Histogram, ...] = ()
    bounds: tuple[float, ...] = ISTIO_BOUNDS


class _Times(msgspec.Struct):
    end: float


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Batch)
_times = msgspec.msgpack.Decoder(_Times)


def encode(batch: Batch) -> bytes:
    return _encoder.encode(batch)


def decode(data: bytes) -> Batch:
    """Raises msgspec.DecodeError (ValidationError included)."""
    return _decoder.decode(data)


def end(data: bytes) -> float:
    """Until when an encoded batch counts, without decoding what it counts. Raises msgspec.DecodeError."""
    return _times.decode(data).end
