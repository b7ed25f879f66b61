"""
Outbound TCP listeners that a host has no place for: another process is there already, or the port is one for privileged processes.

Envoy refuses a listener that it cannot bind, and what was sent with it is held back. A port where something else serves is no fault of the
configuration: the proxy goes without that listener, its record says so, and it is offered again every RETRY seconds. Inbound and gateway
listeners are what a proxy is there for; that they cannot be bound stays an error.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from meshconsole.core.envoy.resource_set import ResourceSet, XdsType
from meshconsole.core.policies.base import Policy
from meshconsole.core.resources.catalogue import UNBOUND
from meshconsole.core.resources.messages import Level, Message

from .models import ProxyRecord

RETRY = 60.0
"""Seconds: a database that was in the way and has moved is noticed within a minute. Each try is one delta of one listener."""

_SAID = re.compile(r"cannot bind '([^']+):(\d+)': ([^\n,;]+)")
"""Envoy 1.40: `error adding listener '127.0.0.1:3306': cannot bind '127.0.0.1:3306': Address already in use`."""


def named(sentence: str, desired: ResourceSet | None) -> dict[str, str]:
    """Name -> reason, of the outbound listeners among what is desired that the sentence is about."""
    found = {f"{address.strip('[]')}_{port}": reason.strip() for address, port, reason in _SAID.findall(sentence)}
    return {name: reason for name, reason in found.items() if desired is not None and (XdsType.LDS, name) in desired.blobs}


def without(desired: ResourceSet, names: Mapping[str, str]) -> ResourceSet:
    """The same object where nothing is to be left out."""
    left_out = {(XdsType.LDS, name) for name in names} & desired.blobs.keys()
    if not left_out:
        return desired
    return replace(desired, blobs={key: blob for key, blob in desired.blobs.items() if key not in left_out})


def wanted(desired: ResourceSet, names: Mapping[str, str]) -> dict[str, str]:
    """Those of them that are desired still."""
    return {name: reason for name, reason in names.items() if (XdsType.LDS, name) in desired.blobs}


def sentence(names: Mapping[str, str]) -> str:
    """For people: which listeners, and why."""
    return "; ".join(f"{name.rpartition('_')[0]}:{name.rpartition('_')[2]} ({reason})" for name, reason in sorted(names.items()))


def findings(policies: Iterable[Policy]) -> Iterator[Message]:
    """What connected proxies go without, told of the ServiceEntries whose ports these are."""
    lacking: dict[int, list[str]] = {}
    for proxy, names in ProxyRecord.objects.filter(connected=True).exclude(unbound={}).values_list("pk", "unbound"):
        for name, reason in names.items():
            lacking.setdefault(int(name.rpartition("_")[2]), []).append(f"{proxy}: {reason}")
    for policy in policies if lacking else ():
        for i, port in enumerate(policy.spec.ports if policy.kind == "ServiceEntry" else ()):
            if proxies := sorted(lacking.get(port.number, ())):
                shown = ", ".join(proxies[:5]) + (f" and {len(proxies) - 5} more" if len(proxies) > 5 else "")
                text = f"Proxies cannot listen at port {port.number}, so that their applications do not reach it there ({shown})."
                yield Message(Level.WARNING, UNBOUND, text, policy.key, f"spec.ports[{i}].number")
