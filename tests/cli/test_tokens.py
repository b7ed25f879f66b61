"""Keys on the command line."""

import pytest

from .conftest import run

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_api_token_is_made_used_listed_and_revoked(mesh, live_server):
    made = mesh("token", "create", "ci", "--ttl", "90d", "-n", "default", "--verb", "get")
    plaintext = made.out.strip()
    assert plaintext.startswith("msh_")
    assert run("get", "vs", "--server", live_server.url, "--token", plaintext).status == 0
    assert run("get", "vs", "-n", "payments", "--server", live_server.url, "--token", plaintext, "-o", "json").out.count("name") == 0
    listed = mesh("token", "list").out
    assert "ci" in listed
    assert plaintext not in listed
    assert mesh("token", "revoke", "ci").status == 0
    assert run("get", "vs", "--server", live_server.url, "--token", plaintext).status == 1
    assert mesh("token", "revoke", "ci").status == 1


def test_a_token_makes_none_that_may_more_than_itself(mesh, live_server):
    narrow = mesh("token", "create", "narrow", "-n", "default", "--verb", "get").out.strip()
    said = run("token", "create", "wide", "-n", "payments", "--server", live_server.url, "--token", narrow)
    assert said.status == 1
    assert "limited to default" in said.err
    same = run("token", "create", "same", "--server", live_server.url, "--token", narrow, "-o", "json")
    assert '"default"' in same.out


def test_a_join_token_is_made_listed_and_revoked(mesh):
    made = mesh("join-token", "create", "-n", "default", "--service-account", "reviews", "--ttl", "10m", "--uses", "3")
    assert made.out.startswith("mjt_")
    head, row = mesh("join-token", "list").out.splitlines()
    id_, namespace, account, uses = row.split()[:4]
    assert (namespace, account, uses) == ("default", "reviews", "3")
    assert mesh("join-token", "revoke", id_).status == 0
    assert mesh("join-token", "revoke", id_).status == 1
    assert mesh("join-token", "create", "--ttl", "forever").status == 1
