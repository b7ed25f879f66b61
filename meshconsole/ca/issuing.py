"""
Issuing one workload certificate. The order of the checks is the point; nothing is spent before it has passed what comes earlier:

    1  the issuer itself is still valid              4  the token or proof (`prove`, the caller's: a join token is redeemed here)
    2  the request is well-formed and self-signed    5  the requested identity is the proven one
    3  its key is of a type and size that we sign    6  no other names are asked for
                                                     7  issue, record, audit
"""

import datetime
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID
from django.conf import settings
from django.db import transaction

from meshconsole import measures
from meshconsole.accounts import audit
from meshconsole.accounts.author import Author
from meshconsole.core.mesh.spiffe import Identity

from . import authority, bundles, keystore, making, request, revoking
from .models import Bundle, Issued
from .subject import Subject

log = logging.getLogger(__name__)


class Refusal(ValueError):
    """No certificate; `code` is one of protocol.Refused's codes."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class SVID:
    serial: str
    identity: str
    chain: bytes
    """PEM: the leaf, then the intermediate."""
    bundle: Bundle
    renew_at: float
    not_after: float

    @property
    def trust_bundle(self) -> bytes:
        return str(self.bundle.pem).encode()


def issue(
    csr_der: bytes,
    *,
    proxy_id: str,
    requested: Identity,
    prove: Callable[[], Identity],
    subject: Subject,
    now: datetime.datetime,
    address: str = "",
    life: float | None = None,
    jitter: float | None = None,
    also: tuple[x509.GeneralName, ...] = (),
) -> SVID:
    """Raises Refusal. `also`: further names that the console itself gives (its own certificate). `prove` says who asks, or raises Refusal itself; `jitter` in 0..1 moves the renewal around the half of its life."""
    try:
        issuer = authority.active(now)
    except keystore.Locked as e:
        log.error("No certificate can be issued: %s", e)
        raise Refusal("busy", "the console cannot read its own signing key; its operator finds the reason in its log") from e
    if not issuer.certificate.not_valid_before_utc <= now < issuer.certificate.not_valid_after_utc:
        raise Refusal("busy", "the console's issuing certificate is not valid now; its operator must rotate it")
    try:
        csr = request.parse(csr_der)
    except request.Bad as e:
        raise Refusal("malformed", str(e)) from e
    with transaction.atomic():  # a token is not spent on what is refused below
        proven = prove()
        if proven != requested:
            raise Refusal("identity", f"proven is {proven}, but {requested} was asked for")
        if extra := [name for name in request.names(csr) if name != f"URI:{requested}"]:
            raise Refusal("identity", f"the certificate request asks for names beyond its identity: {', '.join(extra)[:500]}")
        return _sign(csr.public_key(), issuer, proxy_id, requested, subject, now, address, life, jitter, also)


def _sign(
    key: CertificatePublicKeyTypes,
    issuer: authority.Issuer,
    proxy_id: str,
    identity: Identity,
    subject: Subject,
    now: datetime.datetime,
    address: str,
    life: float | None = None,
    jitter: float | None = None,
    also: tuple[x509.GeneralName, ...] = (),
) -> SVID:
    life = life or settings.CERTIFICATE_LIFE
    not_before = now - min(making.BACKDATED, datetime.timedelta(seconds=life))
    not_after = min(now + datetime.timedelta(seconds=life), issuer.certificate.not_valid_after_utc)
    jitter = random.random() if jitter is None else jitter  # noqa: S311 (spreads load, hides nothing)
    renew_at = now + (not_after - now) * (0.5 + 0.1 * (jitter - 0.5))
    serial = x509.random_serial_number()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject.name())
        .issuer_name(issuer.certificate.subject)
        .public_key(key)
        .serial_number(serial)
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(str(identity)), *also]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_KEY_USAGE, critical=True)
        .add_extension(_BOTH_SIDES, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .sign(issuer.key, hashes.SHA256())
    )
    leaf = certificate.public_bytes(serialization.Encoding.PEM)
    Issued.objects.create(
        serial=f"{serial:x}",
        root_id=issuer.root_id,
        issuer_id=issuer.id,
        identity=str(identity),
        namespace=identity.namespace,
        service_account=identity.service_account,
        proxy_id=proxy_id,
        subject=subject.facts(),
        certificate=leaf.decode(),
        created=now,
        not_before=not_before,
        not_after=not_after,
        renew_at=renew_at,
    )
    measures.CERTIFICATES.inc()
    audit.record(
        Author(f"agent {proxy_id}", "system", address),
        "issue",
        f"Certificate {serial:x} {identity}",
        f"valid until {not_after.isoformat()}",
    )
    # After the audit log's lock, which an eviction takes first: whichever of the two came second sees the other.
    refuse_evicted(proxy_id)
    bundle = bundles.newest(now)
    return SVID(f"{serial:x}", str(identity), leaf + issuer.intermediates, bundle, renew_at.timestamp(), not_after.timestamp())


def refuse_evicted(proxy_id: str) -> None:
    """Raises Refusal."""
    if (eviction := revoking.evicted(proxy_id)) is not None:
        why = f": {eviction.reason}" if eviction.reason else ""
        raise Refusal("revoked", f"{proxy_id} was evicted{why}; an admin can readmit it")


_KEY_USAGE = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=True,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)
_BOTH_SIDES = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
