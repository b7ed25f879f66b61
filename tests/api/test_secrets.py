"""Credentials: encrypted in every row, redacted in every answer, and at home with kubectl."""

import base64
import datetime
import json

from django.db import connection

from meshconsole.configstore import store
from meshconsole.configstore.sealing import LAST_APPLIED
from meshconsole.core import policies
from meshconsole.core.resources.messages import Key
from tests.accounts import people
from tests.certificates import pair, secret
from tests.configstore.manifests import parsed

ONE = "/api/v1/namespaces/default/secrets/shop"
KEY = Key("", "Secret", "default", "shop")
FIRST, SECOND = pair("shop.example.com"), pair("shop.example.com")


def telling(found) -> list[str]:
    """What must be found nowhere: the key's own lines, and those of its base64."""
    lines = found.key.splitlines()[1:3]
    encoded = base64.b64encode(found.key.encode()).decode()
    return [*lines, encoded[60:120]]


def everything_stored() -> str:
    with connection.cursor() as cursor:
        found = []
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            found += [repr(row) for row in cursor.fetchall()]
    return "\n".join(found)


def test_a_key_is_in_no_row_and_no_answer(alice):
    said = [json.dumps(alice.apply(secret("shop", FIRST))), json.dumps(alice.apply(secret("shop", SECOND)))]
    for path in (
        ONE,
        "/api/v1/secrets",
        "/api/v1/revisions",
        "/api/v1/revisions/1",
        "/api/v1/history?kind=Secret&name=shop",
        "/api/v1/audit",
    ):
        answer = alice.get(path)
        assert answer.status_code == 200, path
        said.append(answer.content.decode())
    dry = alice.yaml("/api/v1/diff", secret("shop", FIRST))
    assert dry.status_code == 200
    said.append(dry.content.decode())
    for words in (telling(FIRST), telling(SECOND)):
        for word in words:
            assert word not in "\n".join(said)
            assert word not in everything_stored()
    assert "[redacted " in said[1]


def test_the_compiler_gets_the_key_and_what_is_stored_already_changes_nothing(alice):
    alice.apply(secret("shop", FIRST))
    (found,) = store.resources()
    assert found.credential().key == FIRST.key
    assert alice.apply(secret("shop", FIRST))["revision"] is None
    assert alice.apply(secret("shop", SECOND))["revision"] == 2


def test_a_rollback_brings_the_key_back(alice):
    alice.apply(secret("shop", FIRST))
    alice.apply(secret("shop", SECOND))
    store.rollback(KEY, 1, author=people.author(people.person("root", every="admin")))
    (found,) = store.resources()
    assert found.credential().key == FIRST.key


def test_what_was_got_redacted_may_be_sent_back(alice):
    alice.apply(secret("shop", FIRST))
    body = alice.get(ONE).json()
    assert base64.b64decode(body["data"]["tls.key"]).startswith(b"[redacted ")
    assert base64.b64decode(body["data"]["tls.crt"]).decode() == FIRST.certificate
    assert "spec" not in body and body["type"] == "kubernetes.io/tls"
    body["metadata"]["labels"] = {"team": "shop"}
    assert alice.json(ONE, body, "put").status_code == 200
    (found,) = store.resources()
    assert found.credential().key == FIRST.key and found.metadata.labels == {"team": "shop"}


def test_a_patch_cannot_copy_a_key_to_where_it_is_shown(alice):
    alice.apply(secret("shop", FIRST))
    patch = [{"op": "copy", "from": "/data/tls.key", "path": "/data/ca.crt"}]
    assert alice.json(ONE, patch, "patch", "application/json-patch+json").status_code == 422
    for word in telling(FIRST):
        assert word not in alice.get(ONE).content.decode() and word not in everything_stored()


def test_a_certificate_that_ended_is_stored_with_a_warning(alice):
    answer = alice.apply(secret("shop", pair("shop.example.com", ends=datetime.timedelta(days=-1))))
    assert answer["revision"] == 1
    assert any("ended at" in m["text"] for m in answer["messages"])


def test_kubectls_own_note_of_what_was_applied_is_kept_without_the_key(alice):
    (policy,) = parsed(secret("shop", SECOND))
    manifest = {**policies.dump(policy), "metadata": {"name": "shop", "namespace": "default"}}
    noted = {"metadata": {"annotations": {LAST_APPLIED: json.dumps(manifest)}}}
    alice.apply(secret("shop", FIRST))
    assert alice.json(ONE, {**manifest, **noted}, "patch", "application/strategic-merge-patch+json").status_code == 200
    note = json.loads(alice.get(ONE).json()["metadata"]["annotations"][LAST_APPLIED])
    assert set(note["data"]) == {"tls.crt", "tls.key"} and note["data"]["tls.key"] == ""
    (found,) = store.resources()
    assert found.credential().key == SECOND.key
    for word in telling(SECOND):
        assert word not in everything_stored()
