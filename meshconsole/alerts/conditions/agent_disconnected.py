"""An agent is away: its Envoy goes on with what it has, and hears of no change."""

from collections.abc import Iterator

from meshconsole.core.policies.alert_rule import AgentDisconnected

from ..evaluation import Finding
from ..readings import Readings
from ..rule import Rule
from .base import Condition, proxy_labels, whole


class AgentDisconnectedCondition(Condition):
    name = "agent_disconnected"
    title = "Agent disconnected"
    reads_proxies = True

    def findings(self, rule: Rule, readings: Readings) -> Iterator[Finding]:
        spec: AgentDisconnected = rule.spec
        for proxy in readings.proxies_of(rule.target):
            away = (readings.now - proxy.since).total_seconds() if proxy.since else 0.0
            breached = not proxy.connected and proxy.state != "NEVER_CONNECTED" and away <= whole(spec.forget_after)
            said = f"The agent of {proxy.id} is disconnected"
            if breached and proxy.since:
                said += f" since {proxy.since:%Y-%m-%d %H:%M:%S} UTC"
            yield Finding(proxy.id, breached, said if breached else f"The agent of {proxy.id} is connected", away, proxy_labels(proxy))


CONDITION = AgentDisconnectedCondition()
