"""Keys and passwords that the console was given are in no page and no answer, whoever asks, in whatever form."""

import json

import pytest
from django.test import Client

from meshconsole.accounts import tokens
from meshconsole.accounts.models import AuditEntry
from tests import certificates
from tests.accounts import people
from tests.api.conftest import Api
from tests.api.test_permissions import TABLE as API
from tests.configstore.manifests import route

from .test_every_door import TABLE, filled

pytestmark = pytest.mark.django_db
HOOK = "https://hooks.example.com/services/T000/B000/wHdN3KzWq1"


@pytest.fixture
def given_secrets():
    """A mesh that holds a TLS key, a webhook's address with its token, a join token and an API token; and what must not be seen of them."""
    from meshconsole.ca import tokens as join

    api = Api(people.alice())
    made = certificates.pair("shop.example.com")
    chain, key = made.certificate, made.key
    import base64

    encoded = {n: base64.b64encode(v.encode()).decode() for n, v in (("tls.crt", chain), ("tls.key", key))}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "shop", "namespace": "default"},
        "type": "kubernetes.io/tls",
        "data": encoded,
    }
    answer = api.json("/api/v1/namespaces/default/secrets", secret)
    assert answer.status_code in (200, 201), answer.content
    channel = {
        "apiVersion": "meshconsole.io/v1",
        "kind": "NotificationChannel",
        "metadata": {"name": "oncall", "namespace": "default"},
        "spec": {"slack": {}},
    }
    api.apply(json.dumps(channel))
    assert api.json("/api/v1/notifiers/default/oncall/secret", {"value": HOOK}, "put").status_code == 200
    api.apply(route("reviews"))
    _, joining = join.make("default", "default", 3600, 1, created_by="x")
    people.person("dora")
    _, plaintext = tokens.create(people.person("erin", default="admin"), "hers")
    lines = [line for line in key.splitlines() if len(line) > 40 and "KEY" not in line]
    return api, [*lines, encoded["tls.key"][100:160], HOOK, "wHdN3KzWq1", joining, plaintext]


def test_no_page_and_no_answer_holds_a_secret(given_secrets, settings):
    api, secrets = given_secrets
    secrets = [*secrets, settings.SECRET_KEY]
    client = Client(raise_request_exception=False)
    from meshconsole.accounts.models import User

    client.force_login(User.objects.get(username="alice"))
    looked = []
    for method, path in API:
        if method == "GET":
            looked.append((path, api.get(path)))
    for path in [p for p in TABLE if "{join}" not in p and "{token}" not in p]:
        looked.append((path, client.get(filled(path))))
    for path in (
        "/policies/secrets/default/shop/",
        "/policies/secrets/default/shop/?tab=yaml",
        "/policies/secrets/default/shop/?tab=history",
        "/audit/export/",
    ):
        looked.append((path, client.get(path)))
    preview = client.post("/policies/preview/", {"yaml": route("reviews", timeout="9s")})
    looked += [("preview", preview), ("diff", api.yaml("/api/v1/diff", route("reviews", timeout="9s")))]
    for path, answer in looked:
        body = b"".join(answer) if answer.streaming else answer.content
        text = body.decode()
        assert answer.status_code < 500, path
        assert not [s for s in secrets if s in text], path
    assert not [s for s in secrets for e in AuditEntry.objects.all() if s in f"{e.diff}{e.object}"]


def test_a_token_of_one_namespace_opens_nothing_in_another(given_secrets):
    """Even of somebody who may do everything."""
    from meshconsole.accounts.models import User

    _, plaintext = tokens.create(User.objects.get(username="alice"), "small", namespaces=["default"])
    small = Api()
    small.credentials(HTTP_AUTHORIZATION=f"Bearer {plaintext}")
    tried = 0
    for method, path in API:
        if "payments" not in path:
            continue
        answer = small.json(path, {}, method) if method != "GET" else small.get(path)
        assert answer.status_code in (403, 404), (method, path, answer.status_code)
        tried += 1
    assert tried > 8
    for path in ("/api/v1/audit", "/api/v1/audit/export", "/api/v1/audit/verify"):
        assert small.get(path).status_code == 403
    assert small.yaml("/api/v1/apply", route("billing", namespace="payments")).status_code == 403
    assert small.yaml("/api/v1/apply", route("good") + "---\n" + route("billing", namespace="payments")).status_code == 403
    assert small.json("/api/v1/tokens", {"name": "wide", "namespaces": ["payments"]}).status_code == 403
