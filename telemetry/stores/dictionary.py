"""What this process has read of the dictionary of series; the writer's side is telemetry/series.py."""

import dataclasses
import threading
from collections.abc import Collection, Iterable, Mapping
from sys import intern

from django.db.models import Count, Max

from telemetry.edges import Identity, Place, place
from telemetry.labels import STANDARD, Key
from telemetry.models import Series

Where = Mapping[str, str | Collection[str]]
"""Label -> the value, or the values, that it may have."""


class Dictionary:
    """Series -> where it belongs. A number is never used again, so what is remembered is right or gone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._size: tuple[int, int | None] = (0, None)
        self.places: dict[int, Place] = {}
        self.keys: dict[int, Key] = {}
        self.proxies: dict[int, str] = {}
        self._identities: dict[Identity, Identity] = {}

    def learn(self, numbers: Iterable[int]) -> None:
        """Read those that are not known yet."""
        missing = [n for n in numbers if n not in self.places]
        if len(missing) > 2000:
            self._keep(Series.objects.values_list("id", "proxy_id", "key").iterator(chunk_size=5000))
            return
        for i in range(0, len(missing), 500):
            self._keep(Series.objects.filter(id__in=missing[i : i + 500]).values_list("id", "proxy_id", "key"))

    def matching(self, where: Where) -> list[int]:
        """All series with these labels, in the order of their numbers."""
        counted = Series.objects.aggregate(n=Count("id"), last=Max("id"))
        size = (counted["n"], counted["last"])
        if size != self._size:
            there = set(Series.objects.values_list("id", flat=True))
            self.learn(there)
            with self._lock:
                for number in self.places.keys() - there:
                    for known in (self.places, self.keys, self.proxies):
                        known.pop(number, None)
                self._size = size
        tests = [(STANDARD.index(label), {v} if isinstance(v, str) else set(v)) for label, v in where.items()]
        return sorted(n for n, key in list(self.keys.items()) if all(key[i] in values for i, values in tests))

    def forget(self) -> None:
        with self._lock:
            for known in (self.places, self.keys, self.proxies, self._identities):
                known.clear()
            self._size = (0, None)

    def _keep(self, rows: Iterable[tuple[int, str, list[str]]]) -> None:
        with self._lock:
            for number, proxy, values in rows:
                if number not in self.places:
                    key = tuple(map(intern, values))
                    self.keys[number] = key
                    self.proxies[number] = proxy
                    at = place(key)
                    self.places[number] = dataclasses.replace(at, identity=self._identities.setdefault(at.identity, at.identity))
