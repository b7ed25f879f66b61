"""The dictionary of series: label sets to numbers, per proxy, bounded. The writer's side; readers have theirs in stores/embedded.py."""

import hashlib
import threading
from collections.abc import Iterable
from sys import intern

import msgspec

from .labels import Key, overflow
from .models import Series

LIMIT = 4000
"""Label sets that one proxy may have alive; what comes beyond is counted in one series per `labels.overflow`."""
ALIVE = 86400
"""Seconds after which a label set that was not seen no longer counts against the limit."""
REFRESH = 3600
"""Seconds after which `last_seen` is written again."""

_encoder = msgspec.msgpack.Encoder()


def fingerprint(key: Key) -> str:
    return hashlib.blake2b(_encoder.encode(key), digest_size=16).hexdigest()


class Ids(dict[Key, int]):
    """The numbers of one batch's label sets; `keep` makes them known to later batches, once they are committed."""

    def __init__(self, known: "dict[Key, tuple[int, int]]", now: int, most: int) -> None:
        super().__init__()
        self.most = most
        self.known = known
        self.now = now
        self.fresh: dict[Key, int] = {}

    def keep(self) -> None:
        # The same few words stand in all of them: kept once, a label set is 300 bytes and not 2,000.
        self.known.update({tuple(map(intern, k)): (i, self.now) for k, i in self.fresh.items()})
        if len(self.known) > self.most:
            for k in [k for k, (_, seen) in list(self.known.items()) if self.now - seen >= ALIVE]:
                self.known.pop(k, None)  # of peers long gone; should one come back, the table has its number


class Dictionary:
    """What this process knows of the table: per proxy, key -> (id, last_seen as written). Kept for proxies that are heard of."""

    def __init__(self, limit: int = LIMIT, proxies: int = 20_000) -> None:
        self.limit = limit
        self.proxies = proxies
        self._lock = threading.Lock()
        self._known: dict[str, dict[Key, tuple[int, int]]] = {}

    def ids(self, proxy_id: str, keys: Iterable[Key], now: int) -> Ids:
        """A number for each key, made where there is none. Call inside of the transaction that writes the figures."""
        known = self._of(proxy_id, now)
        result = Ids(known, now, 2 * self.limit)
        missing: list[Key] = []
        for k in keys:
            entry = known.get(k)
            if entry is not None and now - entry[1] < REFRESH:
                result[k] = entry[0]
            else:
                missing.append(k)
        if missing:
            self._find(proxy_id, missing, result, now)
        return result

    def forget(self) -> None:
        with self._lock:
            self._known.clear()

    def _of(self, proxy_id: str, now: int) -> dict[Key, tuple[int, int]]:
        known = self._known.get(proxy_id)
        if known is None:
            rows = Series.objects.filter(proxy_id=proxy_id, last_seen__gt=now - ALIVE).values_list("id", "key", "last_seen")
            known = {tuple(map(intern, k)): (i, seen) for i, k, seen in rows}
            with self._lock:
                while len(self._known) >= self.proxies:
                    del self._known[next(iter(self._known))]
                known = self._known.setdefault(proxy_id, known)
        return known

    def _find(self, proxy_id: str, missing: list[Key], result: Ids, now: int) -> None:
        alive = sum(1 for _, seen in list(result.known.values()) if now - seen < ALIVE)
        wanted: dict[str, Key] = {}
        stands_for: dict[Key, Key] = {}
        for k in missing:
            if k not in result.known:
                if alive >= self.limit:
                    k, original = overflow(k), k
                    stands_for[original] = k
                else:
                    alive += 1
            wanted[fingerprint(k)] = k
        found = _rows(proxy_id, wanted)
        Series.objects.filter(id__in=[i for i, seen in found.values() if now - seen >= REFRESH]).update(last_seen=now)
        absent = [f for f in sorted(wanted) if f not in found]
        if absent:
            new = [Series(proxy_id=proxy_id, fingerprint=f, key=list(wanted[f]), last_seen=now) for f in absent]
            Series.objects.bulk_create(new, ignore_conflicts=True, batch_size=500)
            found |= _rows(proxy_id, absent)
        numbers = {wanted[f]: i for f, (i, _) in found.items()}
        for k in missing:
            result[k] = numbers[stands_for.get(k, k)]
        result.fresh.update(numbers)


def _rows(proxy_id: str, fingerprints: Iterable[str]) -> dict[str, tuple[int, int]]:
    names = list(fingerprints)
    found: dict[str, tuple[int, int]] = {}
    for i in range(0, len(names), 500):
        rows = Series.objects.filter(proxy_id=proxy_id, fingerprint__in=names[i : i + 500]).values_list("fingerprint", "id", "last_seen")
        found |= {f: (number, seen) for f, number, seen in rows}
    return found
