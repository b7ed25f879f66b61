"""
Secrets of people at rest: AES-256-GCM under a key derived from CA_KEY_ENCRYPTION_KEY, or else SECRET_KEY; bound to whose they are.

The setting may hold several secrets, one a line (as for ca/keystore.py): the first seals, each opens, so that it can be changed.
"""

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
    return nonce + _cipher(_ring()[0]).encrypt(nonce, plain.encode(), bound_to.encode())


def unseal(sealed: bytes, bound_to: str) -> str:
    """Raises Locked."""
    for secret in _ring():
        try:
            return _cipher(secret).decrypt(sealed[:_NONCE], sealed[_NONCE:], bound_to.encode()).decode()
        except (InvalidTag, ValueError):
            continue
    raise Locked("sealed for something else, or under another key")


def _ring() -> list[str]:
    own = [line.strip() for line in settings.CA_KEY_ENCRYPTION_KEY.splitlines()]
    return list(dict.fromkeys([*filter(None, own), settings.SECRET_KEY]))


@lru_cache(maxsize=4)
def _cipher(secret: str) -> AESGCM:
    return AESGCM(HKDF(hashes.SHA256(), 32, salt=None, info=b"meshconsole accounts v1").derive(secret.encode()))
