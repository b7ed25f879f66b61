"""Private keys at rest: sealed with AES-256-GCM under a key that is derived from CA_KEY_ENCRYPTION_KEY, or else from SECRET_KEY."""

import os
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

_FORM = b"\x01"
"""The first byte of what is sealed: which cipher and derivation."""
_NONCE = 12


class Locked(RuntimeError):
    """The key-encryption key is not the one that these bytes were sealed with."""


def seal(key: ec.EllipticCurvePrivateKey, name: str) -> bytes:
    """`name` is bound in: one key cannot be put in another's place."""
    plain = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    nonce = os.urandom(_NONCE)
    return _FORM + nonce + _cipher(_secret()).encrypt(nonce, plain, name.encode())


def unseal(sealed: bytes, name: str) -> ec.EllipticCurvePrivateKey:
    """Raises Locked."""
    sealed = bytes(sealed)
    try:
        if sealed[:1] != _FORM:
            raise InvalidTag
        plain = _cipher(_secret()).decrypt(sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :], name.encode())
    except InvalidTag as e:
        raise Locked(
            f"the key of {name} cannot be decrypted: CA_KEY_ENCRYPTION_KEY (or SECRET_KEY, when that is not set) differs from the one it was stored with"
        ) from e
    key = serialization.load_der_private_key(plain, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def _secret() -> str:
    return getattr(settings, "CA_KEY_ENCRYPTION_KEY", "") or settings.SECRET_KEY


@lru_cache(maxsize=4)
def _cipher(secret: str) -> AESGCM:
    return AESGCM(HKDF(hashes.SHA256(), 32, salt=None, info=b"meshconsole ca keystore v1").derive(secret.encode()))
