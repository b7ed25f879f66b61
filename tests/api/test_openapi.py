"""The OpenAPI document and its page."""

import pytest
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

from meshconsole.accounts.models import User


@pytest.fixture
def schema():
    GENERATOR_STATS.reset()
    return SchemaGenerator().get_schema(request=None, public=True)


def test_the_document_is_valid_and_made_without_guessing(schema):
    validate_schema(schema)
    assert not GENERATOR_STATS._error_cache, list(GENERATOR_STATS._error_cache)
    assert not GENERATOR_STATS._warn_cache, list(GENERATOR_STATS._warn_cache)


def test_every_operation_says_what_it_does(schema):
    silent = [
        (m, p)
        for p, ops in schema["paths"].items()
        for m, op in ops.items()
        if m in ("get", "post", "put", "patch", "delete") and not op.get("summary")
    ]
    assert [s for s in silent if s[1] != "/api/schema/"] == []


def test_the_page_lists_the_operations_and_needs_a_login(alice, client, db):
    assert client.get("/api/docs/").status_code == 302
    client.force_login(User.objects.get(username="alice"))
    page = client.get("/api/docs/").content.decode()
    assert "/api/v1/apply" in page
    assert "https://" not in page.replace("https://github.com", "")  # nothing from anyone else's servers
    assert client.get("/api/schema/").json()["openapi"].startswith("3.")
