import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from meshconsole.accounts.models import AuditEntry
from meshconsole.ca import authority, issuing, tokens
from meshconsole.ca.issuing import Refusal
from meshconsole.ca.models import Intermediate, Issued, TrustRoot
from meshconsole.ca.subject import Subject
from meshconsole.core.mesh.spiffe import Identity

pytestmark = pytest.mark.django_db
NOW = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
REVIEWS = Identity("cluster.local", "default", "reviews")
SUBJECT = Subject.of("reviews-v1-abc", {"app": "reviews", "version": "v1"})


def csr(*names: x509.GeneralName, key=None, algorithm: hashes.HashAlgorithm | None = None) -> bytes:
    key = key or ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    unhashed = isinstance(key, ed25519.Ed25519PrivateKey)
    return builder.sign(key, None if unhashed else algorithm or hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def uri(text: str) -> x509.UniformResourceIdentifier:
    return x509.UniformResourceIdentifier(text)


def issue(der: bytes = b"", **fields):
    fields = {"proxy_id": "default/r", "requested": REVIEWS, "prove": lambda: REVIEWS, "subject": SUBJECT, "now": NOW} | fields
    return issuing.issue(der or csr(), **fields)


def leaf(svid: issuing.SVID) -> x509.Certificate:
    return x509.load_pem_x509_certificates(svid.chain)[0]


class TestTheCertificate:
    def test_it_bears_the_identity_and_nothing_else(self):
        found = leaf(issue())
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert list(names) == [uri("spiffe://cluster.local/ns/default/sa/reviews")]

    def test_its_subject_bears_the_workloads_facts(self):
        subject = leaf(issue()).subject
        assert [(a.oid, a.value) for a in subject] == [
            (NameOID.COMMON_NAME, "reviews-v1-abc"),
            (NameOID.ORGANIZATION_NAME, "reviews"),
            (NameOID.ORGANIZATIONAL_UNIT_NAME, "v1"),
            (NameOID.LOCALITY_NAME, "reviews"),
            (NameOID.STATE_OR_PROVINCE_NAME, "v1"),
        ]

    def test_facts_that_are_not_known_are_left_out(self):
        subject = leaf(issue(subject=Subject("w"))).subject
        assert [(a.oid, a.value) for a in subject] == [(NameOID.COMMON_NAME, "w")]

    def test_facts_cannot_smuggle_in_other_attributes(self):
        subject = leaf(issue(subject=Subject("w,O=admin\n", app='a+"b"', version="x" * 500))).subject
        assert subject.rfc4514_string() == f"OU={'x' * 64},O=ab,CN=wOadmin"

    def test_it_is_for_both_sides_of_tls_and_signs_nothing(self):
        found = leaf(issue())
        usage = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert set(usage) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
        assert found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
        assert found.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign is False

    def test_it_lives_for_a_day_from_a_little_before_now_and_is_renewed_at_about_half(self):
        svid = issue()
        found = leaf(svid)
        assert found.not_valid_before_utc == NOW - authority.BACKDATED
        assert found.not_valid_after_utc == NOW + datetime.timedelta(days=1)
        half = NOW.timestamp() + 12 * 3600
        assert abs(svid.renew_at - half) <= 0.05 * 24 * 3600
        assert issue(jitter=0.0).renew_at < issue(jitter=1.0).renew_at

    def test_a_life_of_seconds_is_a_life_of_seconds(self, settings):
        settings.CERTIFICATE_LIFE = 6
        svid = issue()
        assert svid.not_after == NOW.timestamp() + 6 and NOW.timestamp() + 2.5 < svid.renew_at < NOW.timestamp() + 3.5

    def test_the_chain_leads_to_the_bundle(self):
        svid = issue()
        certificate, issuer = x509.load_pem_x509_certificates(svid.chain)
        (root,) = x509.load_pem_x509_certificates(svid.trust_bundle)
        certificate.verify_directly_issued_by(issuer)
        issuer.verify_directly_issued_by(root)
        root.verify_directly_issued_by(root)

    def test_it_never_outlives_its_issuer(self):
        authority.active(NOW)
        end = authority.active(NOW).certificate.not_valid_after_utc
        svid = issue(now=end - datetime.timedelta(hours=1))
        assert leaf(svid).not_valid_after_utc == end

    def test_it_is_recorded_and_audited(self):
        svid = issue(address="10.0.0.7")
        row = Issued.objects.get(serial=svid.serial)
        assert (row.identity, row.proxy_id, row.revoked) == (str(REVIEWS), "default/r", None)
        entry = AuditEntry.objects.get(action="issue")
        assert (entry.who, entry.address) == ("agent default/r", "10.0.0.7") and svid.serial in entry.object


class TestChecks:
    @pytest.mark.parametrize(
        "der",
        [
            b"",
            b"nonsense",
            b"\x30\x82\xff\xff" + b"\0" * 100,
            csr()[:-1],
            csr() + b"\0",
            b"\0" * 100_000,
        ],
        ids=["empty", "text", "length", "cut", "longer", "huge"],
    )
    def test_what_is_no_request_is_malformed(self, der):
        with pytest.raises(Refusal) as refused:
            issue(der or b" ")
        assert refused.value.code == "malformed"

    def test_a_request_that_another_key_signed_is_malformed(self):
        der = bytearray(csr())
        der[-5] ^= 1
        with pytest.raises(Refusal, match="not signed by its own key|cannot be read"):
            issue(bytes(der))

    @pytest.mark.parametrize(
        ("key", "word"),
        [
            (lambda: rsa.generate_private_key(65537, 1024), "1024"),
            (lambda: ec.generate_private_key(ec.SECP192R1()), "secp192r1"),
            (lambda: ed25519.Ed25519PrivateKey.generate(), "Ed25519"),
        ],
        ids=["small-rsa", "small-curve", "ed25519"],
    )
    def test_keys_of_other_types_and_sizes_are_malformed(self, key, word):
        with pytest.raises(Refusal, match=word) as refused:
            issue(csr(key=key()))
        assert refused.value.code == "malformed"

    @pytest.mark.parametrize("key", [lambda: rsa.generate_private_key(65537, 2048), lambda: ec.generate_private_key(ec.SECP384R1())])
    def test_other_strong_keys_are_signed(self, key):
        assert issue(csr(key=key())).chain

    def test_another_identity_than_the_proven_one_is_refused(self):
        for other in (
            Identity("cluster.local", "payments", "reviews"),
            Identity("cluster.local", "default", "admin"),
            Identity("evil", "default", "reviews"),
        ):
            with pytest.raises(Refusal) as refused:
                issue(requested=other)
            assert refused.value.code == "identity"

    def test_its_own_name_may_be_asked_for(self):
        assert issue(csr(uri(str(REVIEWS)))).identity == str(REVIEWS)

    @pytest.mark.parametrize(
        "name",
        [
            uri("spiffe://cluster.local/ns/default/sa/admin"),
            x509.DNSName("reviews.default.svc.cluster.local"),
            x509.IPAddress(__import__("ipaddress").ip_address("10.0.0.1")),
            x509.RFC822Name("root@example.com"),
        ],
        ids=["uri", "dns", "ip", "mail"],
    )
    def test_any_other_name_is_refused(self, name):
        for names in ([name], [uri(str(REVIEWS)), name]):
            with pytest.raises(Refusal, match="beyond its identity") as refused:
                issue(csr(*names))
            assert refused.value.code == "identity"

    def test_an_issuer_that_has_ended_signs_nothing(self):
        authority.active(NOW)
        with pytest.raises(Refusal, match="rotate") as refused:
            issue(now=NOW + authority.ISSUER_LIFE + datetime.timedelta(days=1))
        assert refused.value.code == "busy"

    def test_the_order_is_kept_and_nothing_is_spent_on_what_fails_early(self):
        """Issuer, request, key; only then the token; then identity and names, which give the token back."""
        token = tokens.create("default", "reviews", uses=1, now=NOW)
        redeem = lambda: tokens.redeem(token, NOW)  # noqa: E731
        asked: list[str] = []

        def prove():
            asked.append("proof")
            return redeem()

        for bad in (b"nonsense", csr(key=rsa.generate_private_key(65537, 1024))):
            with pytest.raises(Refusal):
                issue(bad, prove=prove)
        assert asked == []
        with pytest.raises(Refusal):
            issue(csr(x509.DNSName("x")), prove=prove, requested=Identity("cluster.local", "other", "x"))
        with pytest.raises(Refusal):
            issue(csr(x509.DNSName("x")), prove=prove)
        assert asked == ["proof", "proof"] and Issued.objects.count() == 0
        assert issue(prove=prove).chain
        with pytest.raises(Refusal, match="has been used"):
            issue(prove=prove)


def test_roots_are_made_once_and_their_keys_are_not_stored_in_clear():
    first, second = authority.active(NOW), authority.active(NOW)
    assert first.certificate == second.certificate and TrustRoot.objects.count() == 1
    row, issuer = TrustRoot.objects.get(), Intermediate.objects.get()
    plain = first.key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    number = first.key.private_numbers().private_value.to_bytes(32, "big")
    for sealed in (bytes(row.sealed_key), bytes(issuer.sealed_key)):
        assert plain not in sealed and number not in sealed


def test_of_several_processes_at_the_first_start_one_makes_the_root():
    authority.active(NOW)
    winner = Intermediate.objects.get()
    loser = authority._create(NOW)  # it had looked before the winner's commit
    assert loser == winner and TrustRoot.objects.count() == 1


def test_a_key_that_cannot_be_read_is_the_operators_business_and_not_the_agents(settings, caplog):
    authority.active(NOW)
    settings.SECRET_KEY = "another"
    with pytest.raises(Refusal) as refused:
        issue()
    assert refused.value.code == "busy" and "CA_KEY_ENCRYPTION_KEY" not in str(refused.value) and "CA_KEY_ENCRYPTION_KEY" in caplog.text
