import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from meshconsole.ca import proving, renewing
from meshconsole.ca.issuing import Refusal
from meshconsole.ca.models import Issued
from proxyagent import protocol

from .test_issuing import NOW, REVIEWS, SUBJECT, csr, issue, leaf

pytestmark = pytest.mark.django_db
MESSAGE = protocol.proof(b"n" * 32, "cluster.local")
DAY = datetime.timedelta(days=1)


@pytest.fixture
def key():
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def svid(key):
    return issue(csr(key=key))


def signed(key, message: bytes = MESSAGE) -> bytes:
    return key.sign(message, ec.ECDSA(hashes.SHA256()))


def test_the_holder_of_the_key_is_who_the_certificate_says(key, svid):
    row = proving.prove(svid.serial, signed(key), MESSAGE, NOW)
    assert proving.identity(row) == REVIEWS and row.proxy_id == "default/r"


def test_another_key_proves_nothing(svid):
    with pytest.raises(Refusal, match="not made by"):
        proving.prove(svid.serial, signed(ec.generate_private_key(ec.SECP256R1())), MESSAGE, NOW)


def test_a_signature_for_another_nonce_or_console_proves_nothing(key, svid):
    for other in (protocol.proof(b"m" * 32, "cluster.local"), protocol.proof(b"n" * 32, "elsewhere")):
        with pytest.raises(Refusal):
            proving.prove(svid.serial, signed(key, other), MESSAGE, NOW)


@pytest.mark.parametrize("serial", ["", "0", "nonsense", "f" * 1000])
def test_an_unknown_serial_proves_nothing(key, svid, serial):
    with pytest.raises(Refusal) as refused:
        proving.prove(serial, signed(key), MESSAGE, NOW)
    assert refused.value.code == "proof"


def test_a_revoked_certificate_proves_nothing_and_is_not_renewed(key, svid):
    Issued.objects.update(revoked=NOW, reason="stolen")
    for attempt in (
        lambda: proving.prove(svid.serial, signed(key), MESSAGE, NOW),
        lambda: renewing.renew(svid.serial, csr(), subject=SUBJECT, now=NOW),
    ):
        with pytest.raises(Refusal, match="stolen") as refused:
            attempt()
        assert refused.value.code == "revoked"


def test_an_ended_certificate_proves_for_the_grace_and_not_longer(key, svid, settings):
    settings.CERTIFICATE_GRACE = DAY.total_seconds()
    proving.prove(svid.serial, signed(key), MESSAGE, NOW + 1.9 * DAY)
    with pytest.raises(Refusal, match="join again"):
        proving.prove(svid.serial, signed(key), MESSAGE, NOW + 2.1 * DAY)
    settings.CERTIFICATE_GRACE = 0
    with pytest.raises(Refusal):
        proving.prove(svid.serial, signed(key), MESSAGE, NOW + 1.1 * DAY)


def test_a_renewed_certificate_is_of_the_same_identity_and_another_key(svid):
    new = renewing.renew(svid.serial, csr(), subject=SUBJECT, now=NOW + DAY / 2)
    assert new.identity == svid.identity and leaf(new).public_key() != leaf(svid).public_key()
    with pytest.raises(Refusal):
        renewing.renew(svid.serial, csr(x509.DNSName("more")), subject=SUBJECT, now=NOW)
