"""
Secrets of channels at rest: AES-256-GCM under a key derived from CA_KEY_ENCRYPTION_KEY, or else SECRET_KEY.

A secret is bound to its channel, way and address: who edits a channel's URL cannot have the secret sent there, it must be set again.
"""

import os
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

_FORM = b"\x01"
_NONCE = 12


class Locked(Exception):
    """These bytes were sealed for something else, or under another key."""


def seal(plain: str, bound_to: str) -> bytes:
    nonce = os.urandom(_NONCE)
    return _FORM + nonce + _cipher(_secret()).encrypt(nonce, plain.encode(), bound_to.encode())


def unseal(sealed: bytes, bound_to: str) -> str:
    """Raises Locked."""
    try:
        if sealed[:1] != _FORM:
            raise InvalidTag
        return _cipher(_secret()).decrypt(sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :], bound_to.encode()).decode()
    except InvalidTag as e:
        raise Locked("it was set for another address of this channel, or under another key: set it again") from e


def _secret() -> str:
    return settings.CA_KEY_ENCRYPTION_KEY or settings.SECRET_KEY


@lru_cache(maxsize=4)
def _cipher(secret: str) -> AESGCM:
    return AESGCM(HKDF(hashes.SHA256(), 32, salt=None, info=b"meshconsole alerts channel secrets v1").derive(secret.encode()))
