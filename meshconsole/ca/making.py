"""Certificates of authorities: our own roots and intermediates, and the request that an offline root signs. Pure but for randomness."""

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

ROOT_LIFE = datetime.timedelta(days=3650)
ISSUER_LIFE = datetime.timedelta(days=1825)
BACKDATED = datetime.timedelta(minutes=5)
"""Hosts' clocks differ a little."""

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def root(own: Key, number: int, trust_domain: str, now: datetime.datetime) -> x509.Certificate:
    # Names differ by number: a verifier that looks for an issuer by name alone must not meet two roots of one name.
    name = _name(trust_domain, "root" if number == 1 else f"root {number}")
    return _certificate(name, own.public_key(), name, own, trust_domain, now, now + ROOT_LIFE, path_length=1)


def intermediate(
    own: Key, number: int, parent: x509.Certificate, parent_key: Key, trust_domain: str, now: datetime.datetime
) -> x509.Certificate:
    name = _name(trust_domain, "issuer" if number == 1 else f"issuer {number}")
    end = min(now + ISSUER_LIFE, parent.not_valid_after_utc)
    return _certificate(name, own.public_key(), parent.subject, parent_key, trust_domain, now, end, path_length=0)


def request(own: Key, number: int, trust_domain: str) -> x509.CertificateSigningRequest:
    return (
        x509.CertificateSigningRequestBuilder()
        .subject_name(_name(trust_domain, f"issuer {number}"))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_KEY_USAGE, critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"spiffe://{trust_domain}")]), critical=False)
        .sign(own, hashes.SHA256())
    )


def pem(certificate: x509.Certificate | x509.CertificateSigningRequest | x509.CertificateRevocationList) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _certificate(
    name: x509.Name,
    key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
    issuer: x509.Name,
    issuer_key: Key,
    trust_domain: str,
    now: datetime.datetime,
    end: datetime.datetime,
    path_length: int,
) -> x509.Certificate:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_KEY_USAGE, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"spiffe://{trust_domain}")]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )


def _name(trust_domain: str, role: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, trust_domain[:64]),
            x509.NameAttribute(NameOID.COMMON_NAME, f"Meshconsole {role}"),
        ]
    )


_KEY_USAGE = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
