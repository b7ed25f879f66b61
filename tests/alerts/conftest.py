import pytest

from meshconsole.accounts.author import Author
from meshconsole.alerts import channels
from meshconsole.configstore import store
from meshconsole.core import policies

from .receivers import Receiver


@pytest.fixture
def loopback(settings):
    """Messages may go to this machine."""
    settings.ALERT_ALLOWED_NETWORKS = ["127.0.0.0/8", "::1/128"]


@pytest.fixture
def receiver(loopback):
    with Receiver() as made:
        yield made


@pytest.fixture
def apply(db):
    """Store resources."""

    def apply(*objects):
        parsed = [policies.parse_object(o)[0] for o in objects]
        return store.apply(parsed, author=Author("alice"))

    return apply


@pytest.fixture
def channel(apply):
    """Store a NotificationChannel and its secret."""

    def channel(name="oncall", secret="", namespace="default", **spec):
        apply({
            "apiVersion": "meshconsole.io/v1", "kind": "NotificationChannel", "metadata": {"name": name, "namespace": namespace}, "spec": spec,
        })  # fmt: skip
        found = channels.all_()[f"{namespace}/{name}"]
        if secret:
            from django.utils import timezone

            channels.set_secret(found, secret, "alice", timezone.now())
        return found

    return channel
