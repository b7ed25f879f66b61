import datetime
import io
import json

import pytest
from django.core.management import CommandError, call_command

from meshconsole.ca import queries, tokens
from meshconsole.ca.issuing import Refusal
from meshconsole.ca.models import JoinToken
from meshconsole.core.mesh.spiffe import Identity

pytestmark = pytest.mark.django_db
NOW = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
LATER = NOW + datetime.timedelta(hours=2)


def test_the_plaintext_is_not_stored():
    plaintext = tokens.create("default", "reviews", now=NOW)
    assert plaintext.startswith("mjt_") and len(plaintext) > 40
    assert plaintext not in json.dumps(list(JoinToken.objects.values()), default=str)


def test_it_stands_for_its_namespace_and_account():
    assert tokens.redeem(tokens.create("default", "reviews", now=NOW), NOW) == Identity("cluster.local", "default", "reviews")


def test_it_is_good_for_as_many_agents_as_it_says():
    plaintext = tokens.create("default", uses=2, now=NOW)
    tokens.redeem(plaintext, NOW)
    tokens.redeem(plaintext, NOW)
    with pytest.raises(Refusal, match="has been used"):
        tokens.redeem(plaintext, NOW)


def test_one_without_a_number_is_good_for_any_number_until_it_expires():
    plaintext = tokens.create("default", uses=None, now=NOW)
    for _ in range(5):
        tokens.redeem(plaintext, NOW)
    with pytest.raises(Refusal, match="expired"):
        tokens.redeem(plaintext, LATER)


def test_a_revoked_one_is_not_known():
    token, plaintext = tokens.make("default", now=NOW)
    assert tokens.revoke(token.pk, NOW) and not tokens.revoke(token.pk, NOW)
    with pytest.raises(Refusal, match="not known"):
        tokens.redeem(plaintext, NOW)


def test_the_last_use_is_given_once(monkeypatch):
    """Another agent is faster between our look and our update."""
    token, plaintext = tokens.make("default", uses=1, now=NOW)
    found = JoinToken.objects.filter(digest=tokens.digest(plaintext)).first()

    class Slow:
        def first(self):
            tokens_before = found
            JoinToken.objects.filter(pk=token.pk).update(uses_left=0)
            return tokens_before

    real = JoinToken.objects.filter
    monkeypatch.setattr(JoinToken.objects, "filter", lambda **k: Slow() if "digest" in k else real(**k))
    with pytest.raises(Refusal, match="has been used"):
        tokens.redeem(plaintext, NOW)


@pytest.mark.parametrize(
    "wrong",
    [
        {"namespace": ""},
        {"service_account": "a/b"},
        {"ttl": 0},
        {"ttl": -1},
        {"ttl": 1e12},
        {"ttl": float("nan")},
        {"uses": 0},
        {"uses": -1},
    ],
)
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError):
        tokens.create(**({"namespace": "default"} | wrong))


def test_pages_see_their_state():
    tokens.create("a", uses=1, now=NOW)
    tokens.redeem(tokens.create("b", uses=1, now=NOW), NOW)
    tokens.revoke(tokens.make("c", now=NOW)[0].pk)
    assert {t.namespace: t.state for t in queries.join_tokens(now=NOW)} == {"a": "alive", "b": "used", "c": "revoked"}
    assert {t.namespace: t.state for t in queries.join_tokens(now=LATER)} == {"a": "expired", "b": "used", "c": "revoked"}
    assert [t.namespace for t in queries.join_tokens(["a", "x"])] == ["a"]


def test_the_command_prints_one():
    out = io.StringIO()
    call_command("jointoken", "--namespace", "default", "--service-account", "reviews", "--uses", "0", stdout=out)
    assert JoinToken.objects.get().uses_left is None
    assert tokens.redeem(out.getvalue().strip(), JoinToken.objects.get().created).service_account == "reviews"
    with pytest.raises(CommandError):
        call_command("jointoken", "--ttl", "0")
