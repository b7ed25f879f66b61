"""Where Prometheus finds the metrics of each workload, in the words of its HTTP service discovery."""

import re
from collections.abc import Collection, Iterable
from typing import Any

import msgspec

from proxyagent import protocol

from .models import WorkloadRecord

META = "__meta_meshconsole_"


def targets(namespaces: Collection[str] | None = None) -> list[dict[str, Any]]:
    """One per workload whose agent serves metrics; None: of all namespaces."""
    rows = WorkloadRecord.objects.order_by("namespace", "name")
    if namespaces is not None:
        rows = rows.filter(namespace__in=list(namespaces))
    found = rows.values_list("spec", "healthy", "lost").iterator(chunk_size=1000)
    return [
        target(msgspec.convert(spec, protocol.Workload), healthy, lost is None) for spec, healthy, lost in found if spec.get("metrics_port")
    ]


def target(spec: protocol.Workload, healthy: bool = True, connected: bool = True) -> dict[str, Any]:
    """The plain labels are there without any relabelling; the `__meta_` ones are for relabelling only."""
    address = f"[{spec.address}]" if ":" in spec.address else spec.address
    meta = {
        "namespace": spec.namespace,
        "workload": spec.name,
        "service_account": spec.service_account,
        "kind": spec.kind,
        "address": spec.address,
        "services": _list(spec.services),
        "locality": spec.locality,
        "network": spec.network,
        "healthy": str(healthy).lower(),
        "connected": str(connected).lower(),
        **{f"label_{_name(key)}": value for key, value in sorted(spec.labels.items())},
    }
    return {
        "targets": [f"{address}:{spec.metrics_port}"],
        "labels": {
            "namespace": spec.namespace,
            "workload": spec.name,
            "app": spec.labels.get("app", ""),
            "version": spec.labels.get("version", ""),
            "proxy_kind": spec.kind,
            **{META + name: value for name, value in meta.items()},
        },
    }


def _list(values: Iterable[str]) -> str:
    """Between commas, so that a pattern need not think of the ends: `,reviews,`."""
    return f",{','.join(values)}," if values else ""


def _name(label: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_]", "_", label)
