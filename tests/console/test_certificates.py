"""The certificates page and its buttons: who may press them, and what they do."""

import datetime

import pytest
from django.utils import timezone

from meshconsole.accounts.models import AuditEntry
from meshconsole.ca.models import Eviction, Intermediate, Issued
from tests.accounts import people
from tests.ca.test_issuing import issue

from .conftest import signed_in


@pytest.fixture
def serial(db) -> str:
    return issue(now=timezone.now()).serial


@pytest.fixture
def dave(db):
    """Admin of namespace default, and of nothing else."""
    return signed_in(people.person("dave", default="admin"))


def states() -> list[str]:
    return list(Intermediate.objects.values_list("state", flat=True))


def test_the_page_shows_authority_leaves_and_what_a_rotation_waits_for(alice, serial):
    assert "Signs" in alice.get("/certificates/").content.decode()
    alice.post("/certificates/rotate/root/")
    said = alice.get("/certificates/").content.decode()
    assert "Rotation under way" in said and "default/r" in said and "is away" in said and "0 of 1 proxy" in said


def test_a_rotation_is_forced_called_off_and_begun_again(alice, serial):
    alice.post("/certificates/rotate/root/")
    alice.post("/certificates/rotate/cancel/")
    assert states() == ["active", "removed"]
    alice.post("/certificates/rotate/intermediate/")
    alice.post("/certificates/rotate/force/")
    assert states() == ["retiring", "removed", "active"]
    assert "forced by alice" in alice.get("/certificates/").content.decode()
    assert [e.action for e in AuditEntry.objects.order_by("number") if e.who == "alice"] == ["rotate", "cancel", "rotate", "activate"]


def test_only_admins_of_the_whole_mesh_rotate_or_bring_an_authority(bob, dave, serial):
    for client in (bob, dave):
        assert client.post("/certificates/rotate/root/").status_code == 403
        assert client.get("/certificates/authority/").status_code == 403
        assert "Rotate root" not in client.get("/certificates/").content.decode()
    assert states() == ["active"]


def test_an_admin_of_its_namespace_evicts_and_readmits_a_workload(dave, bob, serial):
    assert bob.post(f"/certificates/{serial}/evict/").status_code == 404
    assert "Evict the workload" not in bob.get(f"/certificates/{serial}/").content.decode()
    dave.post(f"/certificates/{serial}/evict/", {"reason": "stolen <b>laptop</b>"})
    assert Issued.objects.get().reason == "stolen <b>laptop</b>"
    said = dave.get("/certificates/").content.decode()
    assert "stolen &lt;b&gt;laptop&lt;/b&gt;" in said and "Readmit" in said
    assert "Evicted" not in bob.get("/certificates/").content.decode()
    dave.post("/certificates/readmit/default/r/")
    assert not Eviction.objects.exists() and Issued.objects.get().revoked is not None


def test_a_certificate_of_another_namespace_is_not_there(charlie, serial):
    assert charlie.get(f"/certificates/{serial}/").status_code == 404
    assert charlie.post(f"/certificates/{serial}/revoke/").status_code == 404
    assert Issued.objects.get().revoked is None


def test_what_is_wrong_with_a_chain_is_said_and_its_key_is_not_said_back(alice, serial):
    answer = alice.post("/certificates/authority/", {"what": "import", "chain": "nonsense", "key": "-----BEGIN PRIVATE KEY-----\nsecret\n"})
    assert answer.status_code == 422
    said = answer.content.decode()
    assert "the chain cannot be read" in said and "nonsense" in said and "secret\n" not in said


def test_a_request_for_an_offline_root_is_shown_until_it_is_signed(alice, serial):
    alice.post("/certificates/authority/", {"what": "csr"})
    assert "BEGIN CERTIFICATE REQUEST" in alice.get("/certificates/authority/").content.decode()


def test_the_overview_warns_long_before_a_root_ends(alice, serial):
    Intermediate.objects.update(not_after=timezone.now() + datetime.timedelta(days=100))
    assert "The issuing certificate 1 ends at" in alice.get("/certificates/").content.decode()
