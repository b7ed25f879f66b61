"""What pages say of groups and of their members."""

import datetime

import pytest

from meshconsole.accounts.author import Author
from meshconsole.configstore import store
from meshconsole.core import policies
from meshconsole.discovery import groups, registry
from proxyagent.probes.prober import NOT_ALLOWED
from proxyagent.protocol import Workload

NOW = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
NAME = ("default", "ratings-vm-10.0.0.7")
GROUP = """
apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: {name: ratings-vm, namespace: default}
spec:
  template: {serviceAccount: ratings, ports: {http: 9080}, network: vms, locality: eu/eu-1, weight: 3}
  probe: {periodSeconds: 5, httpGet: {port: 9080, path: /ready}}
"""


@pytest.fixture
def member(db):
    (group,), _ = policies.parse(GROUP)
    store.apply([group], author=Author("test"))
    said = Workload(*NAME, service_account="", weight=0, address="10.0.0.7", group="ratings-vm")
    registry.register(groups.member(said, group), NOW, said=said, probed=True)


def page(client, path: str) -> str:
    return " ".join(client.get(path).content.decode().split())


def test_a_members_page_names_its_group_its_probe_and_its_place(member, alice):
    said = page(alice, "/workloads/default/ratings-vm-10.0.0.7/")
    assert "/policies/workloadgroups/default/ratings-vm/" in said and "GET http://localhost:9080/ready every 5 s" in said
    assert "Waits for its first probe" in said and "eu/eu-1" in said and ">vms<" in said


def test_why_a_probe_fails_is_on_the_page(member, alice):
    registry.set_health(NAME, False, NOT_ALLOWED, NOW)
    assert "this host does not allow exec probes: start its agent with --allow-exec-probes" in page(
        alice, "/workloads/default/ratings-vm-10.0.0.7/"
    )
    registry.set_health(NAME, True, "", NOW)
    assert "Passes its check" in page(alice, "/workloads/default/ratings-vm-10.0.0.7/")


def test_a_member_whose_group_is_gone_says_so(member, alice):
    (group,) = store.list_("WorkloadGroup")
    store.delete([group.key], author=Author("test"))
    assert "(deleted: it stays what it was)" in page(alice, "/workloads/default/ratings-vm-10.0.0.7/")


def test_the_join_page_offers_a_group_and_the_command_is_then_short(member, alice):
    assert "--workload-group" not in page(alice, "/join/") and "?group=default/ratings-vm" in page(alice, "/join/").replace("%2F", "/")
    said = page(alice, "/join/?group=default/ratings-vm")
    assert "--workload-group default/ratings-vm" in said and "--service reviews" not in said
    assert 'value="ratings"' in said, "the token is for the group's account"


def test_without_groups_the_join_page_offers_none(alice):
    assert "What the workload is" not in page(alice, "/join/")
