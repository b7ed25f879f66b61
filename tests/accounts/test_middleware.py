"""Every answer forbids the browser what we do not need."""

import pytest


@pytest.fixture
def answer(client):
    return client.get("/healthz")


def test_scripts_come_from_our_files_only(answer):
    rules = dict(r.split(" ", 1) for r in answer["Content-Security-Policy"].split("; "))
    assert rules["script-src"] == "'self'"
    assert rules["default-src"] == "'none'"
    assert rules["frame-ancestors"] == "'none'"
    assert rules["base-uri"] == "'none'"
    assert "unsafe-inline" not in rules["style-src"]


def test_a_style_nonce_is_never_the_same_twice(client, answer):
    assert client.get("/healthz")["Content-Security-Policy"] != answer["Content-Security-Policy"]


def test_nothing_is_kept_by_caches(client, answer):
    assert answer["Cache-Control"] == "private, no-cache"
    assert client.get("/api/v1/tokens")["Cache-Control"] == "no-store"
