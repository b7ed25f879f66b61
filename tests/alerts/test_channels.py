"""Secrets of channels: kept sealed, bound to where they are sent, shown to nobody."""

import json

import pytest
from django.core import mail
from django.utils import timezone

from meshconsole.alerts import channels, outbox, sealing
from meshconsole.alerts.models import ChannelSecret, Delivery
from meshconsole.core import policies
from meshconsole.core.resources.messages import Invalid

pytestmark = pytest.mark.django_db
ROUTING_KEY = "R0123456789012345678901234567890"


def test_a_secret_is_not_in_the_database_in_clear(channel):
    found = channel(secret=ROUTING_KEY, pagerduty={})
    assert ROUTING_KEY.encode() not in bytes(ChannelSecret.objects.get().sealed)
    assert channels.secret(found) == ROUTING_KEY


def test_a_secret_does_not_go_to_another_address(channel):
    channel(secret="x" * 20, webhook={"url": "https://ours.example.com/"})
    moved = channel(webhook={"url": "https://evil.example.com/"})
    with pytest.raises(channels.Unset, match="set it again"):
        channels.secret(moved)


def test_one_channels_secret_cannot_be_put_in_anothers_place(channel):
    channel("a", secret=ROUTING_KEY, pagerduty={})
    other = channel("b", pagerduty={})
    ChannelSecret.objects.update(name="b")
    with pytest.raises(channels.Unset):
        channels.secret(other)


def test_a_secret_sealed_under_another_key_says_so(channel, settings):
    sealed = sealing.seal("hidden", "a")
    settings.CA_KEY_ENCRYPTION_KEY = "another"
    with pytest.raises(sealing.Locked):
        sealing.unseal(sealed, "a")


@pytest.mark.parametrize("spec,secret", [
    ({"pagerduty": {}}, "short"), ({"slack": {}}, "hooks.slack.com/x"), ({"webhook": {"url": "https://a.example.com"}}, "short"),
    ({"apprise": {}}, "syslog://"), ({"apprise": {}}, "nonsense"), ({"email": {"to": ["a@b.c"]}}, "anything"),
])  # fmt: skip
def test_a_secret_that_cannot_be_right_is_refused(channel, spec, secret):
    with pytest.raises(ValueError):
        channels.set_secret(channel(**spec), secret, "alice", timezone.now())


@pytest.mark.parametrize("url", ["https://user:pass@example.com/", "ftp://example.com/", "http:///x", "https://exa mple.com/"])
def test_an_address_that_holds_a_password_or_is_none_is_refused(url):
    with pytest.raises(Invalid):
        policies.parse_object(
            {"apiVersion": "meshconsole.io/v1", "kind": "NotificationChannel", "metadata": {"name": "a"}, "spec": {"webhook": {"url": url}}}
        )


@pytest.mark.parametrize("spec", [{}, {"slack": {}, "teams": {}}, {"slack": {"url": "https://hooks.slack.com/secret"}}])
def test_a_channel_has_one_way_and_no_field_for_secrets(spec):
    with pytest.raises(Invalid):
        policies.parse_object({"apiVersion": "meshconsole.io/v1", "kind": "NotificationChannel", "metadata": {"name": "a"}, "spec": spec})


def test_what_goes_wrong_is_told_without_the_secret(channel, loopback, caplog):
    url = "http://127.0.0.1:9/services/T000/B000/verysecret"
    found = channel(secret=url, slack={})
    outbox.put_test(found, timezone.now(), "alice")
    outbox.deliver_due()
    row = Delivery.objects.get()
    assert row.state == "waiting" and row.error
    assert "verysecret" not in json.dumps(row.log) + caplog.text


def test_without_its_secret_a_channel_says_what_is_missing(channel):
    found = channel(pagerduty={})
    assert channels.problem(found) == "its secret is not set"
    outbox.put_test(found, timezone.now(), "alice")
    outbox.deliver_due()
    assert Delivery.objects.get().state == "failed" and "its secret is not set" in Delivery.objects.get().error


def test_mail_needs_a_server_and_is_one_thread_per_incident(channel, settings):
    found = channel(email={"to": ["oncall@example.com"]})
    outbox.put_test(found, timezone.now(), "alice")
    outbox.deliver_due()
    assert "EMAIL_URL is not set" in Delivery.objects.get().error
    settings.EMAIL_CONFIGURED = True
    outbox.put_test(found, timezone.now(), "alice")
    outbox.deliver_due()
    [message] = mail.outbox
    assert message.to == ["oncall@example.com"] and message.subject.startswith("[TEST]") and message.extra_headers["References"]
