"""Steady load from one thread, and what became of it: every request that did not succeed is kept with its reason."""

import threading
import time

import httpx


class Load:
    """`with Load(client, url) as load: …` then look at `load.failures`. A request fails when it has no answer or a 5xx."""

    def __init__(self, client: httpx.Client, url: str, rate: float = 50):
        self.client, self.url, self.every = client, url, 1 / rate
        self.sent, self.failures = 0, []  # type: int, list[str]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Load":
        self._thread.start()
        time.sleep(0.3)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            try:
                answer = self.client.get(self.url)
                if answer.status_code >= 500:
                    self.failures.append(f"{answer.status_code} {answer.headers.get('x-envoy-response-flags', '')} {answer.text[:120]}")
            except httpx.HTTPError as e:
                self.failures.append(f"{type(e).__name__} {e}")
            self.sent += 1
            due = max(due + self.every, time.monotonic() - 0.1)
            time.sleep(max(0.0, due - time.monotonic()))
