"""Authorities of somebody else's, good and bad, for the tests."""

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


class Made:
    def __init__(self, certificate: x509.Certificate, key):
        self.certificate, self.key = certificate, key

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return self.key.private_bytes(*form).decode()


def authority(
    name: str, now: datetime.datetime, parent: Made | None = None, *, key=None, public=None, ca: bool | None = True, path_length: int | None = None,
    days: float = 365, since: float = 1, algorithm=None, sign: bool = True, crl: bool = True,
) -> Made:  # fmt: skip
    key = key or ec.generate_private_key(ec.SECP256R1())
    signer = parent.key if parent else key
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(parent.certificate.subject if parent else subject)
        .public_key(public or key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - since * DAY)
        .not_valid_after(now + days * DAY)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public or key.public_key()), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False)
        .add_extension(x509.KeyUsage(not sign, False, False, False, False, sign, crl, False, False), True)
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, path_length if ca else None), True)
    return Made(builder.sign(signer, algorithm or hashes.SHA256()), key)
