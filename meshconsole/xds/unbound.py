"""
Outbound TCP listeners that a host has no place for: another process is there already, or the port is one for privileged processes.

Envoy refuses a listener that it cannot bind, and what was sent with it is held back. A port where something else serves is no fault of the
configuration: the proxy goes without that listener until its agent connects anew. Inbound and gateway listeners are what a proxy is there
for; that they cannot be bound stays an error.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from meshconsole.core.envoy.resource_set import ResourceSet, XdsType

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
