"""Passwords are hashed a few at a time: a crowd at the door does not take all memory."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from django.contrib.auth.hashers import Argon2PasswordHasher, check_password, make_password

from meshconsole.accounts import hashing


def test_a_crowd_takes_turns(monkeypatch):
    lock, now, most = threading.Lock(), 0, 0

    def slow(self, password: str, encoded: str) -> bool:
        nonlocal now, most
        with lock:
            now, most = now + 1, max(most, now + 1)
        time.sleep(0.02)
        with lock:
            now -= 1
        return password == "right"

    monkeypatch.setattr(Argon2PasswordHasher, "verify", slow)
    hasher = hashing.Argon2()
    with ThreadPoolExecutor(20) as crowd:
        found = list(crowd.map(lambda n: hasher.verify("right" if n == 7 else "wrong", "argon2$x"), range(20)))
    assert most == hashing.AT_ONCE
    assert found == [n == 7 for n in range(20)]


def test_passwords_stored_before_are_still_right():
    before = Argon2PasswordHasher().encode("correct horse", "saltsaltsalt")
    assert check_password("correct horse", before)
    made = make_password("correct horse")
    assert made.startswith("argon2$argon2id$")
    assert check_password("correct horse", made) and not check_password("wrong", made)
