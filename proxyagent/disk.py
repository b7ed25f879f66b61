"""
The state directory: what a restarted agent, or a rebooted host, needs to serve as before without its console.

    lock            held while an agent runs; two agents cannot share a directory
    configuration   a journal of accepted pushes, folded into one when it has grown
    identity        key, certificate chain, trust bundle (one file, so that they always belong together)
    metrics         what has been counted and not yet been stored by the console
    envoy           the pid of the running Envoy

All files are 0600 in a directory of 0700, and are replaced whole, never half.
"""

import contextlib
import errno
import fcntl
import os
import pathlib
import struct
import zlib
from collections.abc import Iterator

import msgspec

from . import protocol
from .cache import Cache

_HEAD = struct.Struct("<II")
FOLD_BYTES = 1 << 20


class InUse(RuntimeError):
    """Another agent runs on this state directory."""


def write(path: pathlib.Path, data: bytes, *, durable: bool = True) -> None:
    """The whole file, or the old one; `durable` even when the host loses its power, and not just the agent its life."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):  # half a file would take what room a full disk has left
            temporary.unlink()
        raise


def read(path: pathlib.Path) -> bytes:
    """Empty when there is none."""
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()
    return b""


def lock(directory: pathlib.Path) -> int:
    """Raises InUse. The lock goes with the process, however it ends."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    directory.chmod(0o700)
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as e:
        os.close(descriptor)
        raise InUse(f"another proxyagent runs on the state directory {directory}") from e
    return descriptor


class Journal:
    """The accepted configuration. A push is appended as it came: a change costs what it changes, not what there is."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._folded = 0
        self._size = 0
        self._torn = False
        """A record is missing or only half there: what is appended behind it would never be read, or be read without it."""

    def load(self) -> Cache:
        cache, good = Cache(), 0
        data = read(self._path)
        for kind, payload, end in _records(data):
            try:
                if kind == b"P":
                    push = protocol.decode_from_console(payload)
                    cache = cache.after(push) if isinstance(push, protocol.Push) else cache
                elif kind == b"C":
                    cache = cache.asking(msgspec.msgpack.decode(payload, type=list[str]))
            except (protocol.Malformed, msgspec.DecodeError):
                break
            good = end
        if good < len(data):  # the host went down in the middle of a write
            os.truncate(self._path, good)
        self._size = good
        self._folded = good if cache else 0
        return cache

    def keep(self, push: protocol.Push, cache: Cache) -> None:
        self._append(b"P" + protocol.encode(push), cache)

    def keep_clusters(self, names: tuple[str, ...], cache: Cache) -> None:
        self._append(b"C" + msgspec.msgpack.encode(names), cache)

    def _append(self, payload: bytes, cache: Cache) -> None:
        record = _record(payload)
        if self._torn or self._size + len(record) > 2 * self._folded + FOLD_BYTES:
            self._fold(cache)
            return
        self._torn = True
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            written = os.write(descriptor, record)
        finally:
            os.close(descriptor)
        if written < len(record):  # a disk that becomes full takes a part, and says no error
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
        self._torn = False
        self._size += len(record)

    def _fold(self, cache: Cache) -> None:
        whole = protocol.Push(0, {t: tuple(names.values()) for t, names in cache.resources.items()}, aliases=cache.aliases)
        data = _record(b"P" + protocol.encode(whole)) + _record(b"C" + msgspec.msgpack.encode(sorted(cache.clusters)))
        write(self._path, data)
        self._folded = self._size = len(data)
        self._torn = False


def _record(payload: bytes) -> bytes:
    return _HEAD.pack(len(payload), zlib.crc32(payload)) + payload


def _records(data: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    at = 0
    while at + _HEAD.size <= len(data):
        size, check = _HEAD.unpack_from(data, at)
        payload = data[at + _HEAD.size : at + _HEAD.size + size]
        if len(payload) < size or zlib.crc32(payload) != check or not payload:
            return
        at += _HEAD.size + size
        yield payload[:1], payload[1:], at
