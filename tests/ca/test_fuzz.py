"""Noise at the CSR's door: refused, or a certificate for the proven identity and the key that signed the request; never anything else."""

import contextlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from meshconsole.ca import request
from meshconsole.ca.issuing import Refusal

from .test_issuing import REVIEWS, csr, issue, leaf, uri

FAST = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
GOOD = csr(uri(str(REVIEWS)), x509.DNSName("x"))
KEY = ec.generate_private_key(ec.SECP256R1())
WORD = st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=1, max_size=60)
NAMES = st.lists(
    st.one_of(
        WORD.map(x509.DNSName), st.emails().map(x509.RFC822Name), WORD.map(x509.UniformResourceIdentifier), st.ip_addresses().map(x509.IPAddress),
        st.binary(max_size=20).map(lambda b: x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x0c" + bytes([len(b)]) + b)),
        WORD.map(lambda w: x509.DirectoryName(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, w)]))),
    ),
    max_size=4,
)  # fmt: skip


@FAST
@given(st.binary(max_size=600))
def test_noise_is_bad(noise):
    with contextlib.suppress(request.Bad):
        request.parse(noise)


@FAST
@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=4), st.integers(0, 40))
def test_a_damaged_request_is_bad_or_still_signed_by_its_own_key(changes, cut):
    data = bytearray(GOOD)
    for at, value in changes:
        data[at] = value
    with contextlib.suppress(request.Bad):
        found = request.parse(bytes(data[: len(data) - cut]))
        assert found.is_signature_valid
        request.names(found)


class TestIssued(TestCase):
    @FAST
    @given(NAMES, st.booleans(), st.booleans())
    def test_whatever_names_are_asked_for_none_but_the_identity_is_given(self, names, authority, other):
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "admin")]))
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=other)
        if authority:
            builder = builder.add_extension(x509.BasicConstraints(True, None), True)
        try:
            svid = issue(builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.DER))
        except Refusal as e:
            assert names and e.code in ("identity", "malformed")
            return
        found = leaf(svid)
        assert list(found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value) == [uri(str(REVIEWS))]
        assert found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
        assert "admin" not in found.subject.rfc4514_string() and found.public_key() == KEY.public_key()
