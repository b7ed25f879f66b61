"""Guessing gets slower and slower: per account at an address, per account, per address; and nobody can lock anybody else out."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from meshconsole.accounts import lockout
from meshconsole.accounts.models import Attempts

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def fail(name="dora", address="192.0.2.1", device="", at=NOW) -> float:
    return lockout.begin(lockout.sign_in(name, address, device), at).wait


def late(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_the_first_failures_cost_nothing_then_waits_double_up_to_a_longest():
    assert [lockout.delay(n, 5) for n in range(1, 9)] == [0, 0, 0, 0, 5, 10, 20, 40]
    assert lockout.delay(10_000, 5) == lockout.LONGEST


def test_an_attempt_during_a_wait_is_not_looked_at_and_says_how_long():
    assert [fail() for _ in range(5)] == [0, 0, 0, 0, 5]
    with pytest.raises(lockout.TooMany) as told:
        fail(at=late(2))
    assert told.value.seconds == 3
    assert fail(at=late(5)) == 10


def test_other_accounts_and_other_addresses_go_on():
    for _ in range(5):
        fail()
    assert fail("bob") == 0
    assert fail(address="198.51.100.7") == 0


def test_an_account_that_many_addresses_guess_at_waits_for_all_of_them():
    waits = [fail(address=f"198.51.{n}.1") for n in range(20)]
    assert waits == [0] * 19 + [5]
    with pytest.raises(lockout.TooMany):
        fail(address="203.0.113.1")


def test_whoever_has_signed_in_from_a_browser_is_not_locked_out_by_others():
    mine = lockout.device_cookie("dora")
    for n in range(25):
        try:
            fail(address=f"198.51.{n}.1")
        except lockout.TooMany:
            break
    assert fail(device=mine) == 0
    with pytest.raises(lockout.TooMany):
        fail(device=lockout.device_cookie("bob"))  # somebody else's cookie opens no way around
    with pytest.raises(lockout.TooMany):
        fail(device="made up")


def test_a_known_browser_is_counted_too():
    mine = lockout.device_cookie("dora")
    assert [fail(device=mine) for _ in range(5)] == [0, 0, 0, 0, 5]


def test_one_address_that_tries_many_names_waits():
    waits = [fail(f"name{n}") for n in range(50)]
    assert waits == [0] * 49 + [5]


def test_a_guesser_with_many_addresses_of_one_ipv6_network_is_one_guesser():
    assert [fail(address=f"2001:db8:1:2::{n:x}") for n in range(5)][-1] == 5
    assert fail(address="2001:db8:1:3::1") == 0


def test_case_and_spaces_and_look_alike_forms_do_not_open_a_second_account():
    assert [fail(n) for n in ("dora", "Dora", " DORA ", "dORa", "ｄora")][-1] == 5


def test_being_right_forgets_the_account_but_not_the_address():
    for _ in range(4):
        fail()
    lockout.forgive(lockout.begin(lockout.sign_in("dora", "192.0.2.1"), NOW))
    assert [fail() for _ in range(5)] == [0, 0, 0, 0, 5]
    assert Attempts.objects.get(key=lockout._digest("address", "192.0.2.1")).failures == 9


def test_all_is_forgotten_an_hour_later():
    for _ in range(5):
        fail()
    assert fail(at=NOW + lockout.MEMORY + timedelta(seconds=1)) == 0
    assert Attempts.objects.count() == 3


def test_what_was_typed_is_not_in_the_database():
    fail("hunter2-typed-into-the-wrong-field", "203.0.113.99")
    with connection.cursor() as cursor:
        cursor.execute("select * from accounts_attempts")
        kept = str(cursor.fetchall())
    assert "hunter2" not in kept
    assert "203.0.113" not in kept


def test_an_admin_lifts_the_waits_of_an_account():
    for _ in range(5):
        fail()
    assert lockout.locked("Dora", NOW) == late(5)
    assert lockout.lift("dora")
    assert lockout.locked("dora", NOW) is None
    assert fail() == 0


@pytest.mark.django_db(transaction=True)
def test_guesses_that_come_all_at_once_are_counted_like_guesses_in_a_row():
    """An attempt is counted before its password is looked at: hurrying gains nothing."""

    def guess(_) -> bool:
        try:
            lockout.begin(lockout.sign_in("dora", "192.0.2.1"), NOW)
            return True
        except lockout.TooMany:
            return False
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(guess, range(24))) == 5
