import datetime

import pytest

from meshconsole.ca import authority, queries, tasks, tokens
from meshconsole.ca.models import Issued, JoinToken

from .test_issuing import NOW, issue

pytestmark = pytest.mark.django_db
DAY = datetime.timedelta(days=1)


def test_nothing_is_said_while_all_is_well():
    issue()
    assert tasks.warnings(NOW + DAY / 2) == []


def test_a_certificate_that_was_not_renewed_in_time_is_said(caplog):
    issue()
    (sentence,) = tasks.warn(NOW + 0.9 * DAY)
    assert "default/r" in sentence and sentence in caplog.text


def test_one_that_was_replaced_is_not_said():
    issue()
    issue(now=NOW + 0.6 * DAY)
    assert tasks.warnings(NOW + 0.9 * DAY) == []


def test_roots_and_issuers_are_said_long_before_they_end():
    authority.active(NOW)
    assert any("issuing certificate" in s for s in tasks.warnings(NOW + authority.ISSUER_LIFE - 100 * DAY))
    assert any("root certificate" in s for s in tasks.warnings(NOW + authority.ROOT_LIFE - 300 * DAY))


def test_the_long_ended_is_forgotten_and_twice_is_harmless():
    issue()
    tokens.create("default", now=NOW)
    assert tasks.forget_the_long_ended(NOW + 30 * DAY) == 0
    assert tasks.forget_the_long_ended(NOW + 120 * DAY) == 2
    assert tasks.forget_the_long_ended(NOW + 120 * DAY) == 0
    assert (Issued.objects.count(), JoinToken.objects.count()) == (0, 0)


def test_pages_see_what_state_each_certificate_is_in():
    first, second = issue(), issue(now=NOW + DAY / 2)
    assert [(c.serial, c.current) for c in queries.certificates(now=NOW)] == [(second.serial, True), (first.serial, False)]
    assert [c.serial for c in queries.certificates(current=True)] == [second.serial]
    assert queries.certificates(["other"]) == []
    states = [queries.certificate(first.serial, NOW + i * DAY).state for i in (0.1, 0.7, 1.1)]
    assert states == ["valid", "renewing", "expired"]
    Issued.objects.update(revoked=NOW)
    assert queries.certificate(first.serial, NOW).state == "revoked"
    assert queries.certificate("nonsense") is None
    (root,) = queries.roots()
    assert root.state == "active" and "PRIVATE" not in repr(root) and queries.trust_bundle().decode().startswith("-----BEGIN CERT")
