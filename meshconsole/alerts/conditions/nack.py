"""An Envoy has refused its configuration, and says why."""

from collections.abc import Iterator

from ..evaluation import Finding
from ..readings import Readings
from ..rule import Rule
from .base import Condition, proxy_labels


class NackCondition(Condition):
    name = "nack"
    title = "Configuration refused"
    reads_proxies = True

    def findings(self, rule: Rule, readings: Readings) -> Iterator[Finding]:
        for proxy in readings.proxies_of(rule.target):
            breached = proxy.state == "NACKED"
            why = f": {proxy.error}" if proxy.error else ""
            blame = f" (from {', '.join(proxy.policies)})" if proxy.policies else ""
            said = f"{proxy.id} refused its configuration{why}{blame}" if breached else f"{proxy.id} is {proxy.state}"
            yield Finding(proxy.id, breached, said[:1000], None, proxy_labels(proxy))


CONDITION = NackCondition()
