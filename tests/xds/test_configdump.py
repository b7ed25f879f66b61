import datetime

import pytest
from django.utils import timezone

from meshconsole.discovery import mesh
from meshconsole.discovery.platforms import agents
from meshconsole.xds import configdump
from meshconsole.xds.models import ProxyRecord
from proxyagent.protocol import Workload, WorkloadPort

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def a_small_mesh():
    mesh.forget()
    now = timezone.now()
    agents.hello(Workload("default", "b-v1", services=("b",), ports=(WorkloadPort(9080, "http"),)), now)
    agents.hello(Workload("default", "a-v1"), now)
    ProxyRecord.objects.create(
        id="default/a-v1", namespace="default", name="a-v1", hosts=["b:9080"], since=datetime.datetime.now(datetime.UTC)
    )


def test_it_is_what_the_proxy_shall_hold_with_what_it_has_asked_for():
    found = configdump.configdump("default/a-v1")
    assert found is not None
    names = {type_: [r["name"] for r in resources] for type_, resources in found.items()}
    assert "outbound/b.default.svc.cluster.local:9080" in names["vhds"] and "outbound" in names["lds"]
    (cluster,) = [r for r in found["cds"] if r["name"] == "outbound|9080||b.default.svc.cluster.local"]
    assert cluster["body"]["name"] == cluster["name"] and len(cluster["version"]) == 16


def test_a_proxy_that_is_not_there_has_none():
    assert configdump.configdump("default/nobody") is None and configdump.configdump("nonsense") is None


def test_keys_and_passwords_are_not_shown():
    body = {"tls": {"private_key": {"inline_string": "KEY"}, "certificate_chain": {"inline_string": "public"}}, "list": [{"password": "p"}]}
    assert configdump.redacted(body) == {
        "tls": {"private_key": "[redacted]", "certificate_chain": {"inline_string": "public"}},
        "list": [{"password": "[redacted]"}],
    }
