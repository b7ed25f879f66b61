import pytest
from django.test import Client

from tests.accounts import people


def signed_in(user) -> Client:
    client = Client(raise_request_exception=True)
    client.force_login(user)
    return client


@pytest.fixture
def alice(db) -> Client:
    """May do everything."""
    return signed_in(people.alice())


@pytest.fixture
def bob(db) -> Client:
    """Edits namespace default."""
    return signed_in(people.person("bob", default="editor"))


@pytest.fixture
def charlie(db) -> Client:
    """May do nothing."""
    return signed_in(people.person("charlie"))
