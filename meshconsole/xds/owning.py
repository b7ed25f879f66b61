"""
Does the database agree that a hub's agents are here?

Another hub that takes this one for dead (it was stopped for a while, or could not write) says that its proxies are lost, and their endpoints
go after the grace. Whoever lives on says otherwise, before that.
"""

from collections.abc import Iterable, Sequence

from meshconsole.core.mesh.snapshot import Snapshot

from . import beats
from .link import Link
from .models import ProxyRecord

CHUNK = 500


def disowned(hub: str, proxies: Sequence[str]) -> list[str]:
    """Those of them whose record says neither that they are here, nor at another hub that lives."""
    if ProxyRecord.objects.filter(hub=hub, connected=True).count() == len(proxies):
        return []
    living = {hub, *beats.alive()}
    held: set[str] = set()
    for start in range(0, len(proxies), CHUNK):
        chunk = proxies[start : start + CHUNK]
        held.update(ProxyRecord.objects.filter(pk__in=chunk, connected=True, hub__in=living).values_list("pk", flat=True))
    return [proxy_id for proxy_id in proxies if proxy_id not in held]


def unregistered(links: Iterable[Link], snapshot: Snapshot) -> list[Link]:
    """Those whose workload is gone although their agent is connected: expired while nobody knew that it was back, say. Nothing could be
    compiled for them ever again; an agent that comes anew registers anew."""
    return [link for link in links if not link.leaving and snapshot.ask(("workload", link.facts.namespace, link.facts.name)) is None]
