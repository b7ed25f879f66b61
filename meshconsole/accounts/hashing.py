"""Argon2, a few at a time: each takes 100 MB for a moment, and anybody may ask for one by typing a password."""

import threading

from django.contrib.auth.hashers import Argon2PasswordHasher

AT_ONCE = 2
"""More would be no faster on the cores that there are; the rest waits its turn."""
_turns = threading.BoundedSemaphore(AT_ONCE)


class Argon2(Argon2PasswordHasher):
    def encode(self, password: str, salt: str) -> str:
        with _turns:
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        with _turns:
            return super().verify(password, encoded)
