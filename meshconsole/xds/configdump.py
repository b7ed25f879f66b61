"""What a proxy shall hold, for people: compiled anew in whichever process is asked, decoded, and without secrets."""

from typing import Any

from meshconsole.core.compiler import Demand
from meshconsole.core.envoy import wire
from meshconsole.discovery import mesh

from . import compiling
from .models import ProxyRecord

SECRET = frozenset({"private_key", "password", "inline_bytes", "private_key_provider"})
REDACTED = "[redacted]"


def configdump(proxy_id: str) -> dict[str, list[dict[str, Any]]] | None:
    """Per xDS type: [{"name", "version", "origins", "body"}], by name. None where no such workload is registered."""
    namespace, _, name = proxy_id.partition("/")
    snapshot = mesh.current()
    workload = snapshot.ask(("workload", namespace, name))
    if workload is None:
        return None
    record = ProxyRecord.objects.filter(pk=proxy_id).values("hosts", "clusters").first() or {"hosts": (), "clusters": ()}
    found = compiling.compile(snapshot, workload, Demand(frozenset(record["hosts"]), frozenset(record["clusters"])))
    result: dict[str, list[dict[str, Any]]] = {}
    for blob in sorted(found, key=lambda b: (b.type, b.name)):
        body = redacted(wire.parse(blob.type, blob.body))
        entry = {"name": blob.name, "version": blob.version, "origins": list(dict.fromkeys(map(str, blob.origins))), "body": body}
        result.setdefault(str(blob.type), []).append(entry)
    return result


def redacted(value: Any) -> Any:
    """Keys and passwords, wherever they lie."""
    if isinstance(value, dict):
        return {k: REDACTED if k in SECRET and v else redacted(v) for k, v in value.items()}
    if isinstance(value, list):
        return [redacted(v) for v in value]
    return value
