import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from meshconsole.accounts.author import Author
from meshconsole.accounts.models import AuditEntry
from meshconsole.ca import authority as own
from meshconsole.ca import bringing, bundles, transitions
from meshconsole.ca.bringing import Unfit
from meshconsole.ca.models import Intermediate, State, TrustRoot

from .authorities import authority
from .test_issuing import NOW, issue

pytestmark = pytest.mark.django_db
ALICE = Author("alice", "cli")


@pytest.fixture
def root():
    return authority("Corporate Root", NOW)


@pytest.fixture
def middle(root):
    return authority("Mesh CA", NOW, root, path_length=0)


def bring(*chain, key=None) -> Intermediate:
    return bringing.bring("".join(c.pem for c in chain), (key or chain[0]).key_pem, ALICE, NOW)


def test_a_chain_with_its_key_is_pending_then_signs(root, middle):
    issue()
    row = bring(middle, root)
    assert row.state == State.PENDING and row.root.source == "imported" and not row.root.sealed_key
    assert root.pem.strip() in bundles.newest(NOW).pem, "everybody is told of it before it signs"
    assert issue().chain.count(b"BEGIN") == 2 and b"Mesh CA" not in issue().chain
    assert transitions.activate(row.number, ALICE, NOW)
    leaf, issuer = x509.load_pem_x509_certificates(issue().chain)
    leaf.verify_directly_issued_by(middle.certificate)
    assert issuer == middle.certificate


def test_a_long_chain_is_handed_on_whole_but_for_its_root(root):
    upper = authority("Upper", NOW, root, path_length=1)
    lower = authority("Lower", NOW, upper, path_length=0)
    transitions.activate(bring(lower, upper, root).number, ALICE, NOW)
    assert [c.subject.rfc4514_string() for c in x509.load_pem_x509_certificates(issue().chain)[1:]] == ["CN=Lower", "CN=Upper"]


def test_a_root_with_its_key_gets_an_intermediate_of_ours_and_can_rotate_it(root):
    row = bring(root)
    assert row.certificate != root.pem and row.root.certificate == root.pem
    x509.load_pem_x509_certificate(row.certificate.encode()).verify_directly_issued_by(root.certificate)
    transitions.activate(row.number, ALICE, NOW)
    again = transitions.rotate_intermediate(ALICE, NOW)
    assert again.root == row.root


def test_an_rsa_authority_signs_too():
    key = rsa.generate_private_key(65537, 2048)
    root = authority("RSA", NOW, key=key, path_length=0)
    transitions.activate(bring(root).number, ALICE, NOW)
    x509.load_pem_x509_certificates(issue().chain)[0].verify_directly_issued_by(root.certificate)


def test_an_intermediate_whose_root_is_kept_elsewhere_cannot_be_rotated_here(root, middle):
    transitions.activate(bring(middle, root).number, ALICE, NOW)
    with pytest.raises(transitions.Refused, match="ca csr"):
        transitions.rotate_intermediate(ALICE, NOW)


@pytest.mark.parametrize(
    ("made", "word"),
    [
        (lambda r: authority("x", NOW, r, ca=False), "CA:FALSE"),
        (lambda r: authority("x", NOW, r, ca=None), "no basic constraints"),
        (lambda r: authority("x", NOW, r, sign=False), "keyCertSign"),
        (lambda r: authority("x", NOW, r, crl=False), "cRLSign"),
        (lambda r: authority("x", NOW, r, days=-1, since=3), "ends at"),
        (lambda r: authority("x", NOW, r, since=-2), "not valid before"),
        (lambda r: authority("x", NOW, r, key=rsa.generate_private_key(65537, 1024)), "1024 bits"),
        (lambda r: authority("x", NOW, r, key=ec.generate_private_key(ec.SECP521R1())), "secp521r1"),
        (lambda r: authority("x", NOW, authority("other root", NOW)), "was not signed by the next"),
    ],
    ids=["leaf", "no-constraints", "no-sign", "no-crl", "ended", "early", "small", "curve", "stranger"],
)  # fmt: skip
def test_what_cannot_be_an_authority_is_refused_with_its_reason(root, made, word):
    with pytest.raises(Unfit, match=word):
        bring(made(root), root)
    assert not TrustRoot.objects.filter(source="imported").exists()


def test_a_path_that_is_too_long_is_refused():
    root = authority("R", NOW, path_length=0)
    with pytest.raises(Unfit, match="allows 0 authorities below it, and the chain has 1"):
        bring(authority("M", NOW, root), root)


def test_all_that_is_wrong_is_said_at_once(root, middle):
    other = authority("Other", NOW)
    with pytest.raises(Unfit) as refused:
        bring(authority("Old", NOW, root, days=-1, since=3, ca=False), key=other)
    assert len(refused.value.reasons) == 4, refused.value.reasons


@pytest.mark.parametrize(("chain", "word"), [("", "cannot be read"), ("nonsense", "cannot be read"), ("x" * 70_000, "more than")])
def test_what_is_no_chain_is_refused(root, chain, word):
    with pytest.raises(Unfit, match=word):
        bringing.bring(chain, root.key_pem, ALICE, NOW)


def test_a_key_in_the_chain_or_under_a_passphrase_is_refused(root):
    with pytest.raises(Unfit, match="certificates only"):
        bringing.bring(root.pem + root.key_pem, root.key_pem, ALICE, NOW)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
    with pytest.raises(Unfit, match="openssl pkey"):
        bringing.bring(root.pem, root.key.private_bytes(*form).decode(), ALICE, NOW)


class TestOffline:
    def signed(self, row: Intermediate, root, **options):
        csr = x509.load_pem_x509_csr(row.request.encode())
        return authority("Signed", NOW, root, public=csr.public_key(), **{"path_length": 0} | options)

    def test_a_request_is_signed_elsewhere_and_adopted(self, root):
        issue()
        row = bringing.ask(ALICE, NOW)
        csr = x509.load_pem_x509_csr(row.request.encode())
        assert csr.is_signature_valid and csr.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        adopted = bringing.adopt(self.signed(row, root).pem + root.pem, ALICE, NOW)
        assert (adopted.number, adopted.state, adopted.root.source, adopted.root.sealed_key) == (row.number, "pending", "offline", b"")
        transitions.activate(adopted.number, ALICE, NOW)
        leaf, issuer = x509.load_pem_x509_certificates(issue().chain)
        leaf.verify_directly_issued_by(issuer)

    def test_what_was_signed_for_another_key_is_refused(self, root, middle):
        bringing.ask(ALICE, NOW)
        with pytest.raises(Unfit, match="not for the open request"):
            bringing.adopt(middle.pem + root.pem, ALICE, NOW)

    def test_without_a_request_nothing_is_adopted(self, root, middle):
        with pytest.raises(Unfit, match="no request is open"):
            bringing.adopt(middle.pem + root.pem, ALICE, NOW)

    def test_a_second_request_calls_the_first_off_and_destroys_its_key(self, root):
        first, second = bringing.ask(ALICE, NOW), bringing.ask(ALICE, NOW)
        first.refresh_from_db()
        assert first.state == State.REMOVED and bytes(first.sealed_key) == b"" and second.state == State.REQUESTED
        with pytest.raises(Unfit, match="not for the open request"):
            bringing.adopt(self.signed(first, root).pem + root.pem, ALICE, NOW)


def test_one_rotation_is_pending_at_a_time(root, middle):
    bring(middle, root)
    with pytest.raises(transitions.Refused, match="has not become active yet"):
        transitions.rotate_root(ALICE, NOW)
    with pytest.raises(transitions.Refused):
        bring(authority("M2", NOW, root), root)


def test_every_step_is_in_the_audit_log(root, middle):
    row = bring(middle, root)
    transitions.activate(row.number, ALICE, NOW)
    transitions.remove(1, ALICE, NOW + datetime.timedelta(days=2))
    assert [e.action for e in AuditEntry.objects.order_by("number")] == ["rotate", "activate", "remove"]
    assert own.active(NOW).certificate == middle.certificate
    assert hashes.SHA256.name not in AuditEntry.objects.first().diff
