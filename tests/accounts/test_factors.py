"""The second factor: RFC 6238's codes, each good once, and recovery codes."""

import pyotp
import pytest
from django.db import connection

from meshconsole.accounts import factors, sealing
from meshconsole.accounts.models import RecoveryCode, SecondFactor

from . import people

pytestmark = pytest.mark.django_db
NOW = 1_900_000_000.0


@pytest.fixture
def bob():
    return people.person("bob")


@pytest.fixture
def app(bob):
    """His authenticator, confirmed with the code of the step before."""
    app = pyotp.TOTP(factors.begin(bob))
    assert factors.confirm(bob, app.at(NOW - 30), NOW) is not None
    return app


def test_a_secret_counts_only_when_a_code_has_confirmed_it(bob):
    app = pyotp.TOTP(factors.begin(bob))
    assert not factors.has(bob)
    assert factors.take(bob, app.at(NOW), NOW) == ""
    assert factors.confirm(bob, "000000" if app.at(NOW) != "000000" else "111111", NOW) is None
    codes = factors.confirm(bob, app.at(NOW), NOW)
    assert factors.has(bob)
    assert len(set(codes)) == factors.CODES


def test_the_page_may_be_loaded_twice_before_the_code_comes(bob):
    assert factors.begin(bob) == factors.begin(bob)


def test_nobody_replaces_a_factor_that_is_in_force(bob, app):
    with pytest.raises(ValueError):
        factors.begin(bob)


def test_a_code_is_taken_once(bob, app):
    assert factors.take(bob, app.at(NOW), NOW) == "totp"
    assert factors.take(bob, app.at(NOW), NOW) == ""


def test_an_earlier_code_is_over_once_a_later_one_was_taken(bob, app):
    assert factors.take(bob, app.at(NOW + 30), NOW) == "totp"
    assert factors.take(bob, app.at(NOW), NOW) == ""


def test_clocks_may_differ_by_a_step_and_no_more(bob, app):
    assert factors.take(bob, app.at(NOW + 60), NOW) == ""
    assert factors.take(bob, app.at(NOW - 60), NOW) == ""
    assert factors.take(bob, " " + app.at(NOW + 30)[:3] + " " + app.at(NOW + 30)[3:], NOW) == "totp"


def test_a_recovery_code_works_once_however_it_is_typed(bob):
    app = pyotp.TOTP(factors.begin(bob))
    code = factors.confirm(bob, app.at(NOW), NOW)[0]
    assert factors.take(bob, f" {code.upper().replace('-', ' ')} ", NOW) == "recovery"
    assert factors.take(bob, code, NOW) == ""
    assert factors.left(bob) == factors.CODES - 1


def test_codes_of_others_open_nothing(bob):
    codes = factors.confirm(bob, pyotp.TOTP(factors.begin(bob)).at(NOW), NOW)
    assert factors.take(people.person("charlie"), codes[0], NOW) == ""


def test_the_database_holds_neither_secret_nor_codes(bob):
    secret = factors.begin(bob)
    codes = factors.confirm(bob, pyotp.TOTP(secret).at(NOW), NOW)
    with connection.cursor() as cursor:
        cursor.execute("select * from accounts_secondfactor")
        kept = str([[bytes(v) if isinstance(v, memoryview) else v for v in row] for row in cursor.fetchall()])
    assert secret not in kept
    assert codes[0] not in str(list(RecoveryCode.objects.values()))


def test_a_secret_moved_to_another_account_does_not_open(bob, app):
    charlie = people.person("charlie")
    factor = SecondFactor.objects.get(user=bob)
    SecondFactor.objects.create(user=charlie, sealed=factor.sealed, created=factor.created, confirmed=factor.confirmed)
    with pytest.raises(sealing.Locked):
        factors.take(charlie, app.at(NOW), NOW)


def test_the_picture_has_no_style_that_the_content_security_policy_forbids(bob):
    picture = factors.picture(factors.address(bob, factors.begin(bob)))
    assert picture.startswith("<svg") and "viewBox" in picture
    assert "style=" not in picture


def test_the_key_at_rest_can_be_changed(bob, settings):
    settings.CA_KEY_ENCRYPTION_KEY = "old"
    secret = factors.begin(bob)
    settings.CA_KEY_ENCRYPTION_KEY = "new\nold"
    assert factors.begin(bob) == secret
    settings.CA_KEY_ENCRYPTION_KEY = "new"
    with pytest.raises(sealing.Locked):
        sealing.unseal(bytes(SecondFactor.objects.get().sealed), f"totp {bob.pk}")
