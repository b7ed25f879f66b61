"""The authority itself: makes its root and intermediate at first use, once however many processes ask, and hands out what signs."""

import datetime
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.conf import settings
from django.db import IntegrityError, transaction

from . import keystore
from .models import TrustRoot

ROOT_LIFE = datetime.timedelta(days=3650)
ISSUER_LIFE = datetime.timedelta(days=1825)
BACKDATED = datetime.timedelta(minutes=5)
"""Hosts' clocks differ a little."""


@dataclass(frozen=True)
class Issuer:
    """What signs: the active root's intermediate."""

    root_id: int
    root: x509.Certificate
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def intermediates(self) -> bytes:
        """PEM of what stands between a leaf and the root."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def active(now: datetime.datetime) -> Issuer:
    """The issuer in use. The first call ever makes it. Raises keystore.Locked."""
    row = TrustRoot.objects.filter(state=TrustRoot.State.ACTIVE).order_by("-generation").first() or _create(now)
    return _opened(row.pk, row.certificate, row.issuer_certificate, bytes(row.sealed_issuer_key), keystore._secret())


def trust_bundle(now: datetime.datetime) -> bytes:
    """PEM of every root that a workload must believe."""
    pems = list(TrustRoot.objects.order_by("generation").values_list("certificate", flat=True)) or [_create(now).certificate]
    return "".join(pem if pem.endswith("\n") else pem + "\n" for pem in pems).encode()


def _create(now: datetime.datetime) -> TrustRoot:
    """Whoever inserts generation 1 first has made the root; the others' keys are thrown away unused."""
    root_key, issuer_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _certificate("root", root_key, "root", root_key, None, now, ROOT_LIFE, path_length=1)
    issuer = _certificate("issuer", issuer_key, "root", root_key, root, now, ISSUER_LIFE, path_length=0)
    row = TrustRoot(
        generation=1,
        state=TrustRoot.State.ACTIVE,
        certificate=root.public_bytes(serialization.Encoding.PEM).decode(),
        sealed_key=keystore.seal(root_key, "root 1"),
        issuer_certificate=issuer.public_bytes(serialization.Encoding.PEM).decode(),
        sealed_issuer_key=keystore.seal(issuer_key, "issuer"),
        created=now,
        not_after=root.not_valid_after_utc,
        issuer_not_after=issuer.not_valid_after_utc,
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        row = TrustRoot.objects.get(generation=1)
    return row


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    signer: str,
    signer_key: ec.EllipticCurvePrivateKey,
    parent: x509.Certificate | None,
    now: datetime.datetime,
    life: datetime.timedelta,
    path_length: int,
) -> x509.Certificate:
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(parent.subject if parent else _name(signer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + life)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_key_usage(), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"spiffe://{settings.TRUST_DOMAIN}")]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer_key.public_key()), critical=False)
    )
    return builder.sign(signer_key, hashes.SHA256())


def _name(role: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, settings.TRUST_DOMAIN[:64]),
            x509.NameAttribute(NameOID.COMMON_NAME, f"Meshconsole {role}"),
        ]
    )


def _key_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
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


@lru_cache(maxsize=4)
def _opened(root_id: int, root: str, certificate: str, sealed: bytes, _secret: str) -> Issuer:
    return Issuer(
        root_id,
        x509.load_pem_x509_certificate(root.encode()),
        x509.load_pem_x509_certificate(certificate.encode()),
        keystore.unseal(sealed, "issuer"),
    )
