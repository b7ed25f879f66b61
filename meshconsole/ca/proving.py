"""An agent that comes back: it holds the key of a certificate that we issued, and that still stands."""

import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from django.conf import settings

from meshconsole.core.mesh import spiffe

from .issuing import Refusal
from .models import Issued


def prove(serial: str, signature: bytes, message: bytes, now: datetime.datetime) -> Issued:
    """The certificate that was proven. Raises Refusal."""
    row = Issued.objects.select_related("issuer").filter(serial=serial.lower().lstrip("0")[:40]).first()
    if row is None:
        raise Refusal("proof", "no certificate with this serial was issued here")
    if row.revoked is not None:
        raise Refusal("revoked", f"the certificate was revoked{': ' + row.reason if row.reason else ''}")
    # A host that slept, or a console that was away, longer than a certificate lives must not need a person with a new token. Envoy's
    # peers do not take the ended certificate any more: it is good for getting the next one only, and only this long.
    if row.not_after + datetime.timedelta(seconds=settings.CERTIFICATE_GRACE) < now:
        raise Refusal("proof", f"the certificate ended at {row.not_after.isoformat(timespec='seconds')}; join again with a token")
    if not _signed(x509.load_pem_x509_certificate(row.certificate.encode()), signature, message):
        raise Refusal("proof", "the signature was not made by the certificate's key")
    return row


def identity(row: Issued) -> spiffe.Identity:
    found = spiffe.parse(row.identity)
    assert found is not None
    return found


def _signed(certificate: x509.Certificate, signature: bytes, message: bytes) -> bool:
    key = certificate.public_key()
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
        else:
            return False
    except InvalidSignature:
        return False
    return True
