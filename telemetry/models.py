"""
The embedded store's tables: a dictionary of series, their sums per window, and how far each agent's batches are stored.

Written by ingest.py and tasks.py, read by stores/embedded.py; everybody else asks query.py. Names only, no foreign keys.
"""

from typing import ClassVar

from django.db import models

from .histogram import SIZE
from .rollup import Resolution

BUCKETS = tuple(f"b{i}" for i in range(SIZE))
COUNTS = ("requests", "sent", "received", "opened", "closed", "request_messages", "response_messages")
SUMS = ("duration", "request_bytes", "response_bytes")
VALUES = (*COUNTS, *SUMS, *BUCKETS)
"""The columns that add up."""


class Series(models.Model):
    """One label set at one proxy. All standard metrics share it: requests, durations, sizes and TCP counters have the same labels."""

    proxy_id = models.CharField(max_length=520)
    fingerprint = models.CharField(max_length=32)
    key = models.JSONField()
    """labels.Key as a list."""
    last_seen = models.BigIntegerField()
    """Unix seconds, moved on once an hour."""

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["proxy_id", "fingerprint"], name="telemetry_series_unique")]
        indexes: ClassVar = [models.Index(fields=["last_seen"], name="telemetry_series_seen")]

    def __str__(self) -> str:
        return f"{self.proxy_id} {self.key}"


class Window(models.Model):
    """One series in one window. `b0`..`b19` count durations per bucket of samples.ISTIO_BOUNDS; the sums are in ms and bytes."""

    pk = models.CompositePrimaryKey("window", "series")
    window = models.BigIntegerField()
    series = models.BigIntegerField()
    requests = models.BigIntegerField(default=0)
    sent = models.BigIntegerField(default=0)
    received = models.BigIntegerField(default=0)
    opened = models.BigIntegerField(default=0)
    closed = models.BigIntegerField(default=0)
    request_messages = models.BigIntegerField(default=0)
    response_messages = models.BigIntegerField(default=0)
    duration = models.FloatField(default=0)
    request_bytes = models.BigIntegerField(default=0)
    response_bytes = models.BigIntegerField(default=0)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.series} at {self.window}"


for _bucket in BUCKETS:
    Window.add_to_class(_bucket, models.BigIntegerField(default=0))


class TenSeconds(Window):
    __str__ = Window.__str__


class Minute(Window):
    __str__ = Window.__str__


class Hour(Window):
    __str__ = Window.__str__


TABLES: dict[Resolution, type[Window]] = {
    Resolution.TEN_SECONDS: TenSeconds,
    Resolution.MINUTE: Minute,
    Resolution.HOUR: Hour,
}


SIZES = tuple(f"{side}{i}" for side in ("q", "r") for i in range(SIZE))


class Sizes(models.Model):
    """The sizes of one series' requests (`q0`..`q19`) and responses (`r0`..`r19`) in one window, in bytes per bucket of samples.ISTIO_BOUNDS."""

    pk = models.CompositePrimaryKey("window", "series")
    window = models.BigIntegerField()
    series = models.BigIntegerField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.series} at {self.window}"


for _bucket in SIZES:
    Sizes.add_to_class(_bucket, models.BigIntegerField(default=0))


class MinuteSizes(Sizes):
    __str__ = Sizes.__str__


class HourSizes(Sizes):
    __str__ = Sizes.__str__


SIZE_TABLES: dict[Resolution, type[Sizes]] = {Resolution.MINUTE: MinuteSizes, Resolution.HOUR: HourSizes}


class AgentCursor(models.Model):
    """How far an agent's batches are stored: (epoch, seq) moves in the same transaction as what it counts."""

    pk = models.CompositePrimaryKey("proxy_id", "epoch")
    proxy_id = models.CharField(max_length=520)
    epoch = models.CharField(max_length=64)
    seq = models.BigIntegerField()
    window = models.BigIntegerField()
    """The newest 10 s window that it wrote to,"""
    covered = models.FloatField(default=0)
    """and how many seconds of counting its batches in that window hold: the divisor of a rate over an unfinished window."""
    updated = models.BigIntegerField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["window"], name="telemetry_cursor_window")]

    def __str__(self) -> str:
        return f"{self.proxy_id} {self.epoch} {self.seq}"


class TraceSummary(models.Model):
    """What the search of traces reads. Times are microseconds since 1970."""

    id = models.CharField(max_length=32, primary_key=True)
    start = models.BigIntegerField()
    end = models.BigIntegerField()
    spans = models.BigIntegerField()
    errors = models.BigIntegerField()
    size = models.BigIntegerField()
    """Bytes of its pieces."""
    service = models.CharField(max_length=200)
    """Of the root span, as far as it has come; else of whoever was heard first."""
    namespace = models.CharField(max_length=200)
    name = models.CharField(max_length=200)
    """Of the root span; '' until it has come."""
    updated = models.BigIntegerField()
    """Unix seconds."""

    class Meta:
        indexes: ClassVar = [models.Index(fields=["start"], name="telemetry_trace_start")]

    def __str__(self) -> str:
        return self.id


class SpanPiece(models.Model):
    """The spans of one trace that one sender sent together: bytes of an OTLP ScopeSpans (spans.py)."""

    trace = models.CharField(max_length=32)
    service = models.CharField(max_length=200)
    namespace = models.CharField(max_length=200)
    workload = models.CharField(max_length=200)
    version = models.CharField(max_length=200)
    proxy = models.BooleanField()
    start = models.BigIntegerField()
    spans = models.IntegerField()
    errors = models.IntegerField()
    body = models.BinaryField()
    calls = models.CharField(max_length=1000, default="", db_default="")
    """` details ratings `: the services that its spans are calls to."""

    class Meta:
        indexes: ClassVar = [models.Index(fields=["trace"], name="telemetry_piece_trace")]

    def __str__(self) -> str:
        return f"{self.trace} {self.service}"


class AccessRecord(models.Model):
    """One request or connection, as one proxy told of it (accesslog.py)."""

    at = models.BigIntegerField()
    """Microseconds since 1970."""
    reporter = models.CharField(max_length=12)
    namespace = models.CharField(max_length=200)
    workload = models.CharField(max_length=300)
    service = models.CharField(max_length=300)
    peer_namespace = models.CharField(max_length=200)
    peer = models.CharField(max_length=300)
    protocol = models.CharField(max_length=8)
    code = models.IntegerField()
    flags = models.CharField(max_length=100)
    """`,UF,URX,`: each between commas, so that one is found."""
    ms = models.BigIntegerField()
    trace = models.CharField(max_length=32)
    denied = models.CharField(max_length=500)
    would = models.CharField(max_length=500)
    """`,ns/name,`"""
    policies = models.TextField()
    """`,Kind ns/name,`"""
    said = models.JSONField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["at"], name="telemetry_access_at"),
            models.Index(fields=["trace"], name="telemetry_access_trace", condition=~models.Q(trace="")),
        ]

    def __str__(self) -> str:
        return f"{self.namespace}/{self.workload} {self.at}"
