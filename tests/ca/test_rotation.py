import datetime

import pytest

from meshconsole.accounts.author import Author
from meshconsole.ca import authority, bundles, keystore, transitions
from meshconsole.ca.models import Bundle, Intermediate, Issued, State, TrustRoot
from meshconsole.ca.rotation import Activate, Candidate, Holder, Leaf, Remove, plan
from meshconsole.xds import rotating
from meshconsole.xds.models import ProxyRecord

from .test_issuing import NOW, issue

ALICE = Author("alice", "cli")
HOUR = datetime.timedelta(hours=1)


def holder(name: str, bundle: int, connected: bool = True) -> Holder:
    return Holder(name, connected, bundle, NOW + HOUR)


class TestThePlan:
    pending, retiring = Candidate(2, "pending", 5), Candidate(1, "retiring", 1)

    def planned(self, *candidates, holders=(), leaves=()):
        return list(plan(candidates, holders, leaves, NOW))

    def test_it_signs_once_everybody_holds_a_bundle_with_it(self):
        assert self.planned(self.pending, holders=[holder("a", 5), holder("b", 6)]) == [Activate(2)]

    def test_one_that_is_away_with_a_living_certificate_is_waited_for(self):
        assert self.planned(self.pending, holders=[holder("a", 5), holder("b", 4, connected=False)]) == []

    def test_a_mesh_without_proxies_waits_for_nobody(self):
        assert self.planned(self.pending) == [Activate(2)]

    def test_what_retires_stays_until_its_last_leaf_is_replaced_or_ended(self):
        used = Leaf("a", "s", 1, NOW + HOUR, False)
        assert self.planned(self.retiring, leaves=[used]) == []
        assert self.planned(self.retiring, leaves=[Leaf("a", "s", 1, NOW + HOUR, True)]) == [Remove(1)]
        assert self.planned(self.retiring, leaves=[Leaf("a", "s", 1, NOW - HOUR, False)]) == [Remove(1)]

    def test_what_signs_or_is_gone_needs_nothing(self):
        assert self.planned(Candidate(1, "active", 1), Candidate(3, "removed", 1), Candidate(4, "requested", 0)) == []


@pytest.mark.django_db
class TestPerformed:
    def record(self, name: str, svid, *, bundle: Bundle | None = None, connected: bool = True) -> None:
        said = bundle or bundles.newest(NOW)
        ProxyRecord.objects.update_or_create(
            pk=name,
            defaults={"namespace": "default", "name": name[8:], "connected": connected, "bundle": said.digest, "taken": svid.serial},
        )

    def states(self) -> list[str]:
        return list(Intermediate.objects.values_list("state", flat=True))

    def test_from_the_first_root_to_the_second_and_its_key_is_destroyed(self):
        old = issue()
        self.record("default/r", old)
        transitions.rotate_root(ALICE, NOW)
        rotating.advance(NOW)
        assert self.states() == ["active", "pending"], "it does not believe the new root yet"
        (waiting,) = rotating.standing(NOW).waiting
        assert waiting.proxy_id == "default/r"
        self.record("default/r", old)
        rotating.advance(NOW)
        assert self.states() == ["retiring", "active"]
        new = issue()
        rotating.advance(NOW)
        assert self.states() == ["retiring", "active"], "issued is not taken"
        self.record("default/r", new)
        rotating.advance(NOW)
        assert self.states() == ["removed", "active"]
        assert bytes(Intermediate.objects.get(number=1).sealed_key) == bytes(TrustRoot.objects.get(generation=1).sealed_key) == b""
        assert bundles.newest(NOW).pem.count("BEGIN") == 1

    def test_a_certificate_that_ends_needs_no_answer(self):
        issue()
        transitions.rotate_root(ALICE, NOW)
        rotating.advance(NOW)
        assert self.states() == ["active", "pending"]
        rotating.advance(NOW + 25 * HOUR)
        rotating.advance(NOW + 25 * HOUR)
        assert self.states() == ["removed", "active"]

    def test_one_that_said_goodbye_is_not_waited_for_until_it_is_back(self):
        svid = issue()
        Issued.objects.update(given_back=NOW)
        transitions.rotate_root(ALICE, NOW)
        assert rotating.standing(NOW).waiting == ()
        Issued.objects.update(given_back=None)
        self.record("default/r", svid, bundle=Bundle.objects.order_by("number").first(), connected=False)
        assert len(rotating.standing(NOW).waiting) == 1

    def test_it_can_be_forced_and_says_by_whom(self):
        issue()
        transitions.rotate_root(ALICE, NOW)
        assert rotating.force(ALICE, NOW) == [2] and self.states() == ["retiring", "active"]
        assert rotating.force(ALICE, NOW) == [1] and self.states() == ["removed", "active"]
        assert Intermediate.objects.get(number=2).forced_by == "alice" and rotating.force(ALICE, NOW) == []

    def test_an_intermediate_rotates_below_its_root_without_a_new_bundle(self):
        self.record("default/r", issue())
        before = bundles.newest(NOW)
        transitions.rotate_intermediate(ALICE, NOW)
        rotating.advance(NOW)
        assert self.states() == ["retiring", "active"] and bundles.newest(NOW) == before
        assert TrustRoot.objects.get().state == State.ACTIVE

    def test_with_a_crl_in_force_an_intermediate_waits_until_everybody_has_its_crl(self):
        self.record("default/r", issue())
        issue(proxy_id="default/x")
        Issued.objects.filter(proxy_id="default/x").update(revoked=NOW)
        old = bundles.refresh(NOW)
        self.record("default/r", Issued.objects.get(proxy_id="default/r"), bundle=old)
        transitions.rotate_intermediate(ALICE, NOW)
        rotating.advance(NOW)
        assert self.states() == ["active", "pending"] and bundles.newest(NOW).pem.count("X509 CRL-----") == 4

    def test_a_pending_one_that_is_called_off_leaves_the_bundle(self):
        first = bundles.newest(NOW)
        transitions.rotate_root(ALICE, NOW)
        transitions.cancel(ALICE, NOW)
        assert bundles.newest(NOW).pem == first.pem and self.states() == ["active", "removed"]
        with pytest.raises(transitions.Refused):
            transitions.cancel(ALICE, NOW)

    def test_each_step_happens_once_however_many_processes_take_it(self):
        transitions.rotate_root(ALICE, NOW)
        assert [transitions.activate(2, ALICE, NOW) for _ in range(2)] == [True, False]
        assert [transitions.remove(1, ALICE, NOW) for _ in range(2)] == [True, False]


@pytest.mark.django_db
class TestTheKeyRing:
    def test_a_new_first_secret_opens_what_the_old_one_sealed_and_seals_it_anew(self, settings):
        settings.CA_KEY_ENCRYPTION_KEY = "old"
        issue()
        settings.CA_KEY_ENCRYPTION_KEY = "new\nold\n"
        assert issue().chain and transitions.reencrypt(ALICE) == 2 and transitions.reencrypt(ALICE) == 0
        settings.CA_KEY_ENCRYPTION_KEY = "new"
        assert issue().chain
        settings.CA_KEY_ENCRYPTION_KEY = "old"
        with pytest.raises(keystore.Locked):
            authority.active(NOW)

    def test_the_secret_key_still_opens_when_a_ring_is_set_up(self, settings):
        issue()
        settings.CA_KEY_ENCRYPTION_KEY = "own"
        assert issue().chain and transitions.reencrypt(ALICE) == 2
        settings.SECRET_KEY = "rotated"
        assert issue().chain
