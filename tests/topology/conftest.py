import time

import pytest
from django.utils import timezone

from meshconsole.discovery import registry
from meshconsole.xds.models import HubRecord, ProxyRecord
from proxyagent.protocol import Workload, WorkloadPort
from telemetry import ingest
from tests.telemetry.traffic import batch, requests

from .bookinfo import APPS


class Mesh:
    """Bookinfo in the tables, as its agents would have put it there."""

    def __init__(self) -> None:
        self.seq = 0
        now = timezone.now()
        HubRecord.objects.create(id="hub", started=now, beat=now)
        for app, versions in APPS.items():
            for version in versions:
                self.register(f"{app}-{version}", app, {"app": app, "version": version})

    def register(self, name: str, service: str, labels: dict[str, str], namespace: str = "default") -> None:
        registry.register(
            Workload(namespace, name, services=(service,), labels=labels, ports=(WorkloadPort(9080, "http"),)), timezone.now()
        )
        ProxyRecord.objects.create(
            id=f"{namespace}/{name}", namespace=namespace, name=name, connected=True, hub="hub", state="SYNCED", acked_at=timezone.now()
        )

    def calls(self, source: str, destination: str, n: int, **more: str) -> None:
        self.seq += 1
        ingest.store(f"default/{source}", "e", self.seq, batch(requests(source, destination, n, **more), end=time.time()))

    @staticmethod
    def sync(proxy_id: str, state: str) -> None:
        ProxyRecord.objects.filter(pk=proxy_id).update(state=state)


@pytest.fixture
def bookinfo(request: pytest.FixtureRequest) -> Mesh:
    request.getfixturevalue("transactional_db" if request.node.get_closest_marker("django_db").kwargs.get("transaction") else "db")
    return Mesh()
