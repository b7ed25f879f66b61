"""
The sample of access-log records, bounded: a record costs what a hundred counters cost, here, at Envoy and at the console, so a busy proxy draws a smaller share.

Envoy draws by the request's id, so of two proxies the busier one's sample lies within the other's. Counterpart: `SHARE` of meshconsole/core/envoy/access_logs.py.
"""

from telemetry.samples import Batch

from .. import admin

SHARE = "al.q"
"""Envoy's runtime key: at most so many of a million requests are in the sample."""
MILLION = 1_000_000
MOST = 10.0
"""Sampled requests a second of one proxy."""
WORTH = 0.2
"""A share that is so much off is told anew."""
REQUESTS = "istio_requests_total"


def share(batch: Batch | None, seconds: float) -> int:
    """Of a million: what keeps a load like this batch's at MOST."""
    requests = sum(each.value for each in batch.counters if each.name == REQUESTS) if batch else 0.0
    rate = requests / max(seconds, 0.1)
    return MILLION if rate <= MOST else max(round(MOST / rate * MILLION), 1)


class Sampling:
    def __init__(self, path: str) -> None:
        """`path`: of Envoy's admin socket."""
        self._path = path
        self._said: tuple[str, int] = ("", 0)

    async def follow(self, run: str, batch: Batch | None, seconds: float) -> None:
        """`run`: which Envoy; a new one knows of no share, and one that was adopted may know another agent's. Raises admin.Unavailable."""
        wanted = share(batch, seconds)
        known, said = self._said
        if known == run and abs(wanted - said) <= WORTH * said:
            return
        await admin.request(self._path, f"/runtime_modify?{SHARE}={wanted}", "POST")
        self._said = (run, wanted)
