import pytest

from meshconsole.configstore import store
from tests.accounts import people

from .manifests import parsed


@pytest.fixture
def alice(db):
    return people.author(people.alice())


@pytest.fixture
def bob(db):
    """Edits namespace default."""
    return people.author(people.person("bob", default="editor"))


@pytest.fixture
def applied(alice):
    """`applied(text, …)`: applies as alice and gives what the store said."""
    return lambda *texts, **options: store.apply(parsed(*texts), author=alice, **options)
