import pytest
from rest_framework.test import APIClient

from meshconsole.accounts import tokens
from tests.accounts import people
from tests.configstore.manifests import route


class Api(APIClient):
    """Speaks as one person, by token; YAML and JSON as they are."""

    def __init__(self, user=None, **scopes):
        super().__init__(raise_request_exception=False)
        if user is not None:
            _, plaintext = tokens.create(user, "test", **scopes)
            self.credentials(HTTP_AUTHORIZATION=f"Bearer {plaintext}")

    def yaml(self, path, text, method="post", **headers):
        return self.generic(method.upper(), path, text, content_type="application/yaml", **headers)

    def json(self, path, data, method="post", content_type="application/json"):
        import json

        return self.generic(method.upper(), path, json.dumps(data), content_type=content_type)

    def apply(self, *texts, query=""):
        answer = self.yaml(f"/api/v1/apply{query}", "---\n".join(texts))
        assert answer.status_code == 200, answer.content
        return answer.json()


@pytest.fixture
def alice(db):
    """May do everything."""
    return Api(people.alice())


@pytest.fixture
def bob(db):
    """Edits namespace default."""
    return Api(people.person("bob", default="editor"))


@pytest.fixture
def victor(db):
    """Views namespace default."""
    return Api(people.person("victor", default="viewer"))


@pytest.fixture
def charlie(db):
    """Has a login, and no grant."""
    return Api(people.person("charlie"))


@pytest.fixture
def stranger(db):
    return Api()


@pytest.fixture
def stored(alice):
    """Two routes in default, one in payments; revision 1."""
    alice.apply(route("reviews", labels="team: red"), route("ratings"), route("billing", namespace="payments"))
    return alice
