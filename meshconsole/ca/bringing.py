"""
An authority that comes from outside: a certificate chain with its key, or the answer to a request that an offline root has signed.

The chain begins with the certificate that shall sign and ends in its self-signed root. All that is wrong with it is said at once.
"""

import datetime
from collections.abc import Iterator

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.conf import settings
from django.db import transaction

from meshconsole.accounts import audit
from meshconsole.accounts.author import Author

from . import authority, keystore, making, transitions
from .making import Key
from .models import Intermediate, State, TrustRoot
from .request import CURVES, MAX_RSA, MIN_RSA

LEAST = datetime.timedelta(days=1)
"""What ends sooner is not worth a rotation."""
MAX_DEPTH = 6
MAX_BYTES = 64 * 1024


class Unfit(ValueError):
    """It cannot be this mesh's authority; `reasons` are all of them."""

    def __init__(self, reasons: list[str]):
        super().__init__("; ".join(reasons))
        self.reasons = reasons


def chain(text: str) -> list[x509.Certificate]:
    """PEM → certificates. Raises Unfit."""
    if len(text) > MAX_BYTES:
        raise Unfit([f"the chain has {len(text)} characters, more than {MAX_BYTES}"])
    if "PRIVATE KEY" in text:
        raise Unfit(["the chain holds a private key: give certificates only"])
    try:
        found = x509.load_pem_x509_certificates(text.encode())
    except ValueError as e:
        raise Unfit([f"the chain cannot be read: {e}"]) from e
    if len(found) > MAX_DEPTH:
        raise Unfit([f"the chain has {len(found)} certificates, more than {MAX_DEPTH}"])
    return found


def private_key(text: str) -> Key:
    """PEM → key. Raises Unfit."""
    try:
        found = serialization.load_pem_private_key(text.encode(), None)
    except TypeError as e:
        raise Unfit(["the key is protected by a passphrase: take it off first (`openssl pkey -in KEY -out PLAIN`)"]) from e
    except (ValueError, UnsupportedAlgorithm) as e:
        raise Unfit([f"the key cannot be read: {e}"[:300]]) from e
    if not isinstance(found, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise Unfit([f"a key of the type {type(found).__name__} cannot sign here; use ECDSA P-256 or RSA"])
    return found


def faults(certificates: list[x509.Certificate], now: datetime.datetime) -> Iterator[str]:
    """What is wrong with a chain, one sentence each."""
    for i, one in enumerate(certificates):
        who = one.subject.rfc4514_string() or f"certificate {i + 1}"
        yield from _faults(one, who, i, now)
        parent = certificates[i + 1] if i + 1 < len(certificates) else one
        try:
            one.verify_directly_issued_by(parent)
        except (ValueError, TypeError, InvalidSignature):
            if parent is one:
                yield f"the chain must end in its self-signed root; {who} was signed by {one.issuer.rfc4514_string()}"
            else:
                yield f"{who} was not signed by the next certificate of the chain, {parent.subject.rfc4514_string()}"


def _faults(one: x509.Certificate, who: str, below: int, now: datetime.datetime) -> Iterator[str]:
    """`below`: how many authorities of the chain stand below it."""
    try:
        constraints = one.extensions.get_extension_for_class(x509.BasicConstraints).value
        if not constraints.ca:
            yield f"{who} is no authority: its basic constraints say CA:FALSE"
        elif constraints.path_length is not None and constraints.path_length < below:
            yield f"{who} allows {constraints.path_length} authorities below it, and the chain has {below}"
    except x509.ExtensionNotFound:
        yield f"{who} is no authority: it has no basic constraints"
    except (ValueError, x509.DuplicateExtension) as e:
        yield f"{who} cannot be read: {e}"
        return
    try:
        usage = one.extensions.get_extension_for_class(x509.KeyUsage).value
        if not usage.key_cert_sign:
            yield f"{who} may not sign certificates: its key usage lacks keyCertSign"
        if below == 0 and not usage.crl_sign:
            yield f"{who} may not sign CRLs, so nothing could be revoked: its key usage lacks cRLSign"
    except x509.ExtensionNotFound:
        pass
    if now < one.not_valid_before_utc:
        yield f"{who} is not valid before {one.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
    if one.not_valid_after_utc < now + LEAST:
        yield f"{who} ends at {one.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
    if isinstance(one.signature_hash_algorithm, hashes.SHA1 | hashes.MD5):
        yield f"{who} is signed with {one.signature_hash_algorithm.name}, which proxies refuse"
    yield from _weak(one.public_key(), who)


def _weak(key: object, who: str) -> Iterator[str]:
    if isinstance(key, ec.EllipticCurvePublicKey):
        if not isinstance(key.curve, CURVES):
            yield f"{who} has a key on the curve {key.curve.name}; P-256 and P-384 are taken"
    elif isinstance(key, rsa.RSAPublicKey):
        if not MIN_RSA <= key.key_size <= MAX_RSA:
            yield f"{who} has an RSA key of {key.key_size} bits; {MIN_RSA} to {MAX_RSA} are taken"
    else:
        yield f"{who} has a key of the type {type(key).__name__}; ECDSA and RSA are taken"


def bring(chain_text: str, key_text: str, author: Author, now: datetime.datetime) -> Intermediate:
    """Certificate chain and key: a rotation like any other. Raises Unfit, transitions.Refused."""
    certificates, key = chain(chain_text), private_key(key_text)
    found = list(faults(certificates, now))
    if not _matches(certificates[0], key):
        found.append("the key is not the first certificate's")
    if found:
        raise Unfit(found)
    with transaction.atomic():
        transitions.one_at_a_time(now)
        root = _root(certificates[-1], "imported", now)
        signs = certificates[0]
        if len(certificates) == 1 and _may_have_one_below(signs):
            # A root with its key: it stays out of daily use, an intermediate of ours signs below it.
            root.sealed_key = keystore.seal(key, authority.root_name(root.generation))
            root.save(update_fields=["sealed_key"])
            key = making.key()
            signs = making.intermediate(key, authority.next_number(), certificates[0], private_key(key_text), settings.TRUST_DOMAIN, now)
            certificates = [signs, certificates[0]]
        row = Intermediate(
            number=authority.next_number(), root=root, certificate=making.pem(signs), chain="".join(map(making.pem, certificates[1:-1])),
            sealed_key=keystore.seal(key, keystore.ISSUER), created=now, created_by=author.user, not_after=signs.not_valid_after_utc,
        )  # fmt: skip
        return transitions.pending(row, author, now, f"an authority from outside, {certificates[-1].subject.rfc4514_string()}")


def ask(author: Author, now: datetime.datetime) -> Intermediate:
    """A key of ours, and the request that an offline root shall sign. One is open at a time: an older one is called off."""
    with transaction.atomic():
        authority.first(now)
        key, number = making.key(), authority.next_number()
        Intermediate.objects.filter(state=State.REQUESTED).update(state=State.REMOVED, removed=now, sealed_key=b"")
        row = Intermediate.objects.create(
            number=number, state=State.REQUESTED, request=making.pem(making.request(key, number, settings.TRUST_DOMAIN)),
            sealed_key=keystore.seal(key, keystore.ISSUER), created=now, created_by=author.user,
        )  # fmt: skip
        audit.record(author, "request", f"Intermediate {number}", "a request for an offline root to sign\n")
        return row


def adopt(chain_text: str, author: Author, now: datetime.datetime) -> Intermediate:
    """What the offline root made of our request. Raises Unfit, transitions.Refused, keystore.Locked."""
    certificates = chain(chain_text)
    found = list(faults(certificates, now))
    row = Intermediate.objects.filter(state=State.REQUESTED).order_by("-number").first()
    if row is None:
        raise Unfit(["no request is open: make one with `meshconsole ca csr`"])
    if not _matches(certificates[0], keystore.unseal(bytes(row.sealed_key), keystore.ISSUER)):
        found.append(f"the first certificate is not for the open request, number {row.number}")
    if len(certificates) < 2:
        found.append("the chain must hold the root that has signed, too")
    if found:
        raise Unfit(found)
    with transaction.atomic():
        transitions.one_at_a_time(now)
        row.root = _root(certificates[-1], "offline", now)
        row.certificate, row.chain = making.pem(certificates[0]), "".join(map(making.pem, certificates[1:-1]))
        row.not_after = certificates[0].not_valid_after_utc
        return transitions.pending(row, author, now, f"signed by the offline root {certificates[-1].subject.rfc4514_string()}")


def _root(certificate: x509.Certificate, source: str, now: datetime.datetime) -> TrustRoot:
    """The row of this root: a known one again, or a new one."""
    for row in TrustRoot.objects.exclude(state=State.REMOVED):
        if x509.load_pem_x509_certificate(row.certificate.encode()) == certificate:
            return row
    return TrustRoot.objects.create(
        generation=authority.next_generation(), state=State.PENDING, certificate=making.pem(certificate), sealed_key=b"", source=source,
        created=now, not_after=certificate.not_valid_after_utc,
    )  # fmt: skip


def _matches(certificate: x509.Certificate, key: Key) -> bool:
    return certificate.public_key() == key.public_key()


def _may_have_one_below(root: x509.Certificate) -> bool:
    length = root.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length
    return length is None or length > 0
