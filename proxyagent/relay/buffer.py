"""
Batches on their way to the console: numbered, kept until it has stored them, never counted twice. Pure.

The console stores (epoch, seq) with a batch and ignores what it has already stored, so anything may be sent again. Two
batches may become one only while neither has ever been sent; so a console that is away for long costs resolution in
time, never a count.
"""

import msgspec

from telemetry import samples

from .counting import merge

KEPT = 60
"""Batches never sent; one more, and the two neighbours that are shortest together become one."""
WINDOW = 16
"""Batches sent and not yet stored."""


class Pending(msgspec.Struct):
    seq: int
    batch: samples.Batch


class Buffer(msgspec.Struct):
    epoch: str
    run: str = ""
    """The life of Envoy whose counters `totals` are."""
    totals: dict[str, float] = {}
    last: int = 0
    """The newest seq given."""
    offered: int = 0
    """Up to here batches may have been sent."""
    pending: list[Pending] = []
    since: float = 0.0
    """When `totals` were read."""

    def add(self, batch: samples.Batch) -> None:
        self.last += 1
        self.pending.append(Pending(self.last, batch))
        fresh = [i for i, p in enumerate(self.pending) if p.seq > self.offered]
        if len(fresh) > KEPT:
            at = min(fresh[:-1], key=lambda i: self.pending[i + 1].batch.end - self.pending[i].batch.start)
            one, two = self.pending[at], self.pending.pop(at + 1)
            self.pending[at] = Pending(two.seq, merge(one.batch, two.batch))

    def offer_all(self) -> None:
        """From now on everything may be sent; to be on disk before anything is."""
        self.offered = self.last

    def stored(self, epoch: str, seq: int) -> bool:
        before = len(self.pending)
        if epoch == self.epoch:
            self.pending = [p for p in self.pending if p.seq > seq]
        return len(self.pending) != before

    def window(self) -> list[Pending]:
        return self.pending[:WINDOW]


def encode(buffer: Buffer) -> bytes:
    return msgspec.msgpack.encode(buffer)


def decode(data: bytes) -> Buffer:
    """Raises msgspec.DecodeError."""
    return msgspec.msgpack.decode(data, type=Buffer)
