"""A connected proxy does not run the newest configuration."""

from collections.abc import Iterator

from ..evaluation import Finding
from ..readings import Readings
from ..rule import Rule
from .base import Condition, proxy_labels


class ProxyOutOfSyncCondition(Condition):
    name = "proxy_out_of_sync"
    title = "Proxy out of sync"
    reads_proxies = True

    def findings(self, rule: Rule, readings: Readings) -> Iterator[Finding]:
        for proxy in readings.proxies_of(rule.target):
            breached = proxy.connected and proxy.state in ("STALE", "NACKED")
            yield Finding(proxy.id, breached, f"{proxy.id} is {proxy.state}", None, proxy_labels(proxy))


CONDITION = ProxyOutOfSyncCondition()
