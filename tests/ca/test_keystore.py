import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from meshconsole.ca import keystore


@pytest.fixture
def key():
    return ec.generate_private_key(ec.SECP256R1())


def test_a_sealed_key_comes_back(key):
    assert keystore.unseal(keystore.seal(key, "root"), "root").private_numbers() == key.private_numbers()


def test_two_sealings_of_one_key_differ(key):
    assert keystore.seal(key, "root") != keystore.seal(key, "root")


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-1], lambda b: b"\x02" + b[1:], lambda b: b[:20] + bytes([b[20] ^ 1]) + b[21:], lambda b: b""]
)
def test_a_damaged_one_is_refused(key, damage):
    with pytest.raises(keystore.Locked):
        keystore.unseal(damage(keystore.seal(key, "root")), "root")


def test_one_key_cannot_take_anothers_place(key):
    with pytest.raises(keystore.Locked):
        keystore.unseal(keystore.seal(key, "issuer"), "root")


def test_another_secret_opens_nothing_and_the_answer_says_what_to_do(key, settings):
    sealed = keystore.seal(key, "root")
    settings.SECRET_KEY = "another"
    with pytest.raises(keystore.Locked, match="CA_KEY_ENCRYPTION_KEY"):
        keystore.unseal(sealed, "root")


def test_a_key_encryption_key_of_its_own_makes_it_independent_of_the_secret_key(key, settings):
    settings.CA_KEY_ENCRYPTION_KEY = "own"
    sealed = keystore.seal(key, "root")
    settings.SECRET_KEY = "rotated"
    assert keystore.unseal(sealed, "root").private_numbers() == key.private_numbers()
