"""Agents are told what ProxyConfig says of how their Envoy is to be started, where that is other than what they said they know."""

from collections.abc import Iterable

from meshconsole.core.mesh.snapshot import Snapshot
from meshconsole.core.policies.proxy_config import ProxyConfig, effective
from proxyagent import protocol

from .link import Link


def tell(links: Iterable[Link], snapshot: Snapshot) -> None:
    policies = snapshot.ask(("policies", ProxyConfig, None))
    for link in links:
        if not policies and not link.tuned:
            continue
        workload = snapshot.ask(("workload", link.facts.namespace, link.facts.name))
        if workload is None:
            continue
        found = effective(policies, workload.namespace, workload.labels, snapshot.mesh.root_namespace)
        now = protocol.ProxySettings(found.concurrency, dict(found.environment))
        if (wanted := protocol.settings_digest(now)) != link.tuned:
            link.tuned = wanted
            link.deliver(protocol.encode(now))
