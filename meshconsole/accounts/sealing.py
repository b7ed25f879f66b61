"""Secrets of people at rest: AES-256-GCM under a key derived from CA_KEY_ENCRYPTION_KEY, or else SECRET_KEY; bound to whose they are."""

import os
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

_NONCE = 12


class Locked(Exception):
    """These bytes were sealed for somebody else, or under another key."""


def seal(plain: str, bound_to: str) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + _cipher(_secret()).encrypt(nonce, plain.encode(), bound_to.encode())


def unseal(sealed: bytes, bound_to: str) -> str:
    """Raises Locked."""
    sealed = bytes(sealed)
    try:
        return _cipher(_secret()).decrypt(sealed[:_NONCE], sealed[_NONCE:], bound_to.encode()).decode()
    except (InvalidTag, ValueError) as e:
        raise Locked("sealed under another key") from e


def _secret() -> str:
    return settings.CA_KEY_ENCRYPTION_KEY or settings.SECRET_KEY


@lru_cache(maxsize=4)
def _cipher(secret: str) -> AESGCM:
    return AESGCM(HKDF(hashes.SHA256(), 32, salt=None, info=b"meshconsole accounts v1").derive(secret.encode()))
