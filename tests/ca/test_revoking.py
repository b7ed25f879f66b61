import datetime

import pytest
from cryptography import x509

from meshconsole.accounts.author import Author
from meshconsole.accounts.models import AuditEntry
from meshconsole.agents import evicting
from meshconsole.ca import bundles, heads, renewing, revoking, tokens
from meshconsole.ca.issuing import Refusal
from meshconsole.ca.models import Bundle, Issued, JoinToken
from meshconsole.discovery import registry
from proxyagent.protocol import Workload

from .test_issuing import NOW, SUBJECT, csr, issue

pytestmark = pytest.mark.django_db
ALICE = Author("alice", "browser")


def crls() -> list[x509.CertificateRevocationList]:
    _, *found = bundles.newest(NOW).pem.split("-----BEGIN X509 CRL-----")
    return [x509.load_pem_x509_crl(("-----BEGIN X509 CRL-----" + f).encode()) for f in found]


def test_a_revoked_certificate_is_in_the_next_bundles_crl_and_its_holder_gets_no_other(settings):
    svid, number = issue(), heads.number()
    revoking.revoke(svid.serial.upper(), ALICE, NOW, "leaked")
    (crl,) = crls()
    assert [f"{r.serial_number:x}" for r in crl] == [svid.serial] and heads.number() > number
    issuer = x509.load_pem_x509_certificates(svid.chain)[1]
    assert crl.is_signature_valid(issuer.public_key()) and crl.next_update_utc == issuer.not_valid_after_utc
    with pytest.raises(Refusal, match="revoked: leaked") as refused:
        renewing.renew(svid.serial, csr(), subject=SUBJECT, now=NOW)
    assert refused.value.code == "revoked"
    assert AuditEntry.objects.get(action="revoke").diff == "leaked"


def test_what_is_revoked_twice_or_unknown_is_said():
    svid = issue()
    revoking.revoke(svid.serial, ALICE, NOW)
    for serial in (svid.serial, "77", ""):
        with pytest.raises(revoking.Unknown):
            revoking.revoke(serial, ALICE, NOW)
    assert AuditEntry.objects.filter(action="revoke").count() == 1


def test_a_revoked_certificate_leaves_the_crl_when_it_has_ended():
    svid = issue()
    revoking.revoke(svid.serial, ALICE, NOW)
    assert "CRL" in bundles.newest(NOW).pem
    assert "CRL" not in bundles.refresh(NOW + datetime.timedelta(days=2)).pem and Bundle.objects.count() == 3


def test_an_evicted_workload_gets_no_certificate_whatever_it_brings_until_it_is_readmitted():
    registry.register(Workload("default", "r", "reviews"), NOW)
    svid = issue()
    assert evicting.evict("default", "r", ALICE, NOW, "stolen") == 1
    assert registry.find(("default", "r")) is None
    token = tokens.create("default", "reviews", now=NOW)
    for attempt in (
        lambda: renewing.renew(svid.serial, csr(), subject=SUBJECT, now=NOW),
        lambda: issue(prove=lambda: tokens.redeem(token, NOW)),
    ):
        with pytest.raises(Refusal) as refused:
            attempt()
        assert refused.value.code == "revoked"
    assert Issued.objects.count() == 1 and JoinToken.objects.get().uses_left == 1, "a token is not spent on what is refused"
    evicting.readmit("default", "r", ALICE)
    assert issue(prove=lambda: tokens.redeem(token, NOW)).chain
    assert [e.action for e in AuditEntry.objects.order_by("number") if e.who == "alice"] == ["evict", "readmit"]


def test_join_tokens_of_its_service_account_go_with_it_when_asked():
    issue()
    mine, other = tokens.create("default", "reviews", now=NOW), tokens.create("default", "ratings", now=NOW)
    revoking.evict("default", "r", ALICE, NOW, tokens=True)
    with pytest.raises(Refusal):
        tokens.redeem(mine, NOW)
    assert tokens.redeem(other, NOW)


def test_who_was_never_here_cannot_be_evicted():
    issue()
    revoking.evict("default", "r", ALICE, NOW)
    for name in ("r", "nobody"):
        with pytest.raises(revoking.Unknown):
            revoking.evict("default", name, ALICE, NOW)
    with pytest.raises(revoking.Unknown):
        revoking.readmit("default", "nobody", ALICE)


def test_an_eviction_stands_also_when_no_crl_can_be_signed(settings, caplog):
    issue()
    settings.SECRET_KEY = "another"
    assert revoking.evict("default", "r", ALICE, NOW) == 1
    assert Issued.objects.get().revoked and "peers cannot be told" in caplog.text


def test_the_alarm_clock_takes_what_has_ended_out_of_the_crls():
    from meshconsole.xds import tasks

    assert tasks.advance_rotation() == 0 and not Bundle.objects.exists(), "nobody has joined: there is nothing to believe yet"
    svid = issue()
    revoking.revoke(svid.serial, ALICE, NOW)
    assert "CRL" in bundles.newest(NOW).pem
    tasks.advance_rotation()  # it is long after NOW
    assert "CRL" not in bundles.newest(NOW).pem
