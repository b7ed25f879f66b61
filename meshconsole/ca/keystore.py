"""
Private keys at rest: sealed with AES-256-GCM under a key that is derived from a secret of the key ring.

The ring is CA_KEY_ENCRYPTION_KEY (or the file that CA_KEY_ENCRYPTION_KEY_FILE names), one secret a line, and SECRET_KEY at its end. The
first one seals; each of them opens. So a secret is replaced by putting the new one before it, `meshconsole ca reencrypt`, and taking
the old one out.
"""

import os
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from .making import Key

_FORM = b"\x01"
"""The first byte of what is sealed: which cipher and derivation."""
_NONCE = 12
ISSUER = "issuer"
"""The name that every intermediate's key is sealed under."""


class Locked(RuntimeError):
    """No secret of the ring is the one that these bytes were sealed with."""


def seal(key: Key, name: str) -> bytes:
    """`name` is bound in: one key cannot be put in another's place."""
    plain = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    nonce = os.urandom(_NONCE)
    return _FORM + nonce + _cipher(ring()[0]).encrypt(nonce, plain, name.encode())


def unseal(sealed: bytes, name: str) -> Key:
    """Raises Locked."""
    plain, _ = _opened(bytes(sealed), name)
    key = serialization.load_der_private_key(plain, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
    return key


def current(sealed: bytes, name: str) -> bool:
    """Is it sealed with the ring's first secret? Raises Locked."""
    return _opened(bytes(sealed), name)[1] == 0


def _opened(sealed: bytes, name: str) -> tuple[bytes, int]:
    """What was sealed, and which secret of the ring has opened it."""
    if sealed[:1] == _FORM:
        for place, secret in enumerate(ring()):
            try:
                return _cipher(secret).decrypt(sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :], name.encode()), place
            except InvalidTag:
                continue
    raise Locked(
        f"the key of {name} cannot be decrypted: neither CA_KEY_ENCRYPTION_KEY (or its file) nor SECRET_KEY holds the secret that it was stored with"
    )


def ring() -> tuple[str, ...]:
    own = [line.strip() for line in getattr(settings, "CA_KEY_ENCRYPTION_KEY", "").splitlines()]
    return tuple(dict.fromkeys([*filter(None, own), settings.SECRET_KEY]))


@lru_cache(maxsize=8)
def _cipher(secret: str) -> AESGCM:
    return AESGCM(HKDF(hashes.SHA256(), 32, salt=None, info=b"meshconsole ca keystore v1").derive(secret.encode()))
