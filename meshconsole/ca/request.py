"""A certificate request as it comes from outside: what is checked before anybody looks at who sends it. Pure."""

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

MAX_BYTES = 16 * 1024
CURVES = (ec.SECP256R1, ec.SECP384R1)
MIN_RSA, MAX_RSA = 2048, 8192


class Bad(ValueError):
    """The request is not one that can be signed; says why."""


def parse(der: bytes) -> x509.CertificateSigningRequest:
    """Well-formed, signed by its own key, and of a key type and size that we sign. Raises Bad."""
    if len(der) > MAX_BYTES:
        raise Bad(f"the certificate request has {len(der)} bytes, more than {MAX_BYTES}")
    try:
        csr = x509.load_der_x509_csr(der)
        signed = csr.is_signature_valid
        algorithm = csr.signature_hash_algorithm
        key = csr.public_key()
        _ = csr.extensions, csr.subject  # parsed lazily: malformed ones raise here and not later
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature, x509.DuplicateExtension) as e:
        raise Bad(f"the certificate request cannot be read: {e}") from e
    if not signed:
        raise Bad("the certificate request is not signed by its own key")
    if isinstance(algorithm, hashes.SHA1 | hashes.MD5):
        raise Bad(f"the certificate request is signed with {algorithm.name}")
    _check_key(key)
    return csr


def _check_key(key: object) -> None:
    if isinstance(key, ec.EllipticCurvePublicKey):
        if not isinstance(key.curve, CURVES):
            raise Bad(f"keys on the curve {key.curve.name} are not signed; use P-256")
    elif isinstance(key, rsa.RSAPublicKey):
        if not MIN_RSA <= key.key_size <= MAX_RSA:
            raise Bad(f"RSA keys of {key.key_size} bits are not signed; use {MIN_RSA} or more, or ECDSA P-256")
    else:
        raise Bad(f"keys of the type {type(key).__name__} are not signed; use ECDSA P-256")


def names(csr: x509.CertificateSigningRequest) -> list[str]:
    """Every subject alternative name asked for, as `type:value`."""
    try:
        found = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [_written(name) for name in found]


def _written(name: x509.GeneralName) -> str:
    kind = {x509.UniformResourceIdentifier: "URI", x509.DNSName: "DNS", x509.IPAddress: "IP", x509.RFC822Name: "email"}
    return f"{kind.get(type(name), type(name).__name__)}:{name.value}"
