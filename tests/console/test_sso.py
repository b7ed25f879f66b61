"""Single sign-on against a provider that speaks OpenID Connect over real HTTP, an honest one and hostile ones."""

import time
from urllib.parse import urlsplit

import httpx
import pytest
from django.test import Client
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from meshconsole.accounts import people as accounts
from meshconsole.accounts import sso
from meshconsole.accounts.models import AuditEntry, Grant, User
from tests.accounts import people
from tests.accounts.provider import Provider

pytestmark = pytest.mark.django_db
CALLBACK = "/login/sso/callback/"


@pytest.fixture
def provider(settings, monkeypatch):
    made = Provider()
    monkeypatch.setattr(sso, "_client", None)
    settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = made.issuer, made.client_id, made.client_secret
    settings.OIDC_ROLES = {"staff": {"default": "viewer"}, "leads": {"default": "editor", "payments": "admin"}, "root": {"*": "admin"}}
    yield made
    made.stop()


def back(client: Client, query: str = "") -> str:
    """To the provider and back as a browser goes; the path that leads into the console."""
    away = client.get(f"/login/sso/{query}")
    assert away.status_code == 302, away.content
    answer = httpx.get(away["Location"], trust_env=False)
    assert answer.status_code == 302, answer.text
    parts = urlsplit(answer.headers["location"])
    return f"{parts.path}?{parts.query}"


def sign_in(client: Client | None = None, query: str = ""):
    client = client or Client()
    return client.get(back(client, query))


def test_whoever_the_provider_knows_is_signed_in_with_the_roles_of_their_groups(provider):
    client = Client()
    answer = sign_in(client, "?next=/services/")
    assert (answer.status_code, answer["Location"]) == (302, "/services/")
    assert client.get("/settings/").status_code == 200
    user = User.objects.get(username="erika")
    assert (user.email, user.first_name, user.has_usable_password()) == ("erika@example.com", "Erika Muster", False)
    assert user.subject == f"{provider.issuer} u-1"
    assert accounts.roles(user) == {"default": "viewer"}
    assert [(e.action, e.who) for e in AuditEntry.objects.all()] == [("sign in", "erika"), ("grant", "single sign-on"), ("create", "erika")]


def test_roles_follow_the_groups_and_leave_alone_what_an_admin_gave(provider):
    sign_in()
    user = User.objects.get(username="erika")
    Grant.objects.create(user=user, namespace="payments", role="viewer")
    provider.claims |= {"groups": ["leads", "staff", "unheard-of"]}
    sign_in()
    assert accounts.roles(User.objects.get(pk=user.pk)) == {"default": "editor", "payments": "viewer"}
    provider.claims |= {"groups": []}
    sign_in()
    assert accounts.roles(User.objects.get(pk=user.pk)) == {"payments": "viewer"}
    assert User.objects.count() == 1


def test_groups_that_only_userinfo_tells_are_asked_for_there(provider):
    del provider.claims["groups"]
    provider.userinfo = {"sub": "u-1", "groups": "root"}
    sign_in()
    assert accounts.roles(User.objects.get(username="erika")) == {"*": "admin"}


def test_userinfo_about_somebody_else_is_not_believed(provider):
    del provider.claims["groups"]
    provider.userinfo = {"sub": "u-2", "groups": ["root"]}
    assert sign_in().status_code == 403
    assert not User.objects.exists()


def test_an_account_that_was_made_here_is_not_taken_over(provider):
    people.alice()
    provider.claims |= {"preferred_username": "Alice", "groups": ["root"]}
    answer = sign_in()
    assert answer.status_code == 403
    assert "another account called Alice" in answer.content.decode()
    assert User.objects.count() == 1


def test_who_is_disabled_here_or_in_no_group_that_may_stays_outside(provider, settings):
    sign_in()
    User.objects.update(is_active=False)
    assert sign_in().status_code == 403
    User.objects.update(is_active=True)
    settings.OIDC_REQUIRED_GROUPS = ["leads"]
    assert sign_in().status_code == 403


def _none(claims: dict) -> str:
    import base64
    import json

    parts = [base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=").decode() for p in ({"alg": "none", "typ": "JWT"}, claims)]
    return ".".join([*parts, ""])


def _confused(provider: Provider):
    """HMAC under the public key, as if it were a secret."""
    return lambda claims: jwt.encode(
        {"alg": "HS256", "kid": "one"}, claims, OctKey.import_key(provider.keys[0].as_pem(private=False)), algorithms=["HS256"]
    )


def _forged(claims: dict) -> str:
    return jwt.encode({"alg": "RS256", "kid": "one"}, claims, RSAKey.generate_key(2048, {"kid": "one"}))


CHANGES = {
    "for another client": lambda c: {**c, "aud": "somebody-else"},
    "for another client, named here as presenter": lambda c: {**c, "aud": "somebody-else", "azp": "meshconsole"},
    "by another issuer": lambda c: {**c, "iss": "https://evil.example"},
    "of another sign-in": lambda c: {**c, "nonce": "replayed"},
    "without a nonce": lambda c: {k: v for k, v in c.items() if k != "nonce"},
    "from yesterday": lambda c: {**c, "iat": c["iat"] - 86400, "exp": c["exp"] - 86400},
    "from tomorrow": lambda c: {**c, "nbf": int(time.time()) + 86400},
    "about nobody": lambda c: {k: v for k, v in c.items() if k != "sub"},
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_token_that_is_not_for_this_sign_in_opens_nothing(provider, what):
    provider.change = CHANGES[what]
    client = Client()
    answer = sign_in(client)
    assert answer.status_code == 403, what
    assert client.get("/settings/").status_code == 302
    assert not User.objects.exists()


@pytest.mark.parametrize("advertised", [["RS256"], ["RS256", "HS256", "none"]])
@pytest.mark.parametrize("how", ["none", "confused", "forged"])
def test_a_token_that_the_providers_key_did_not_sign_opens_nothing(provider, how, advertised):
    provider.advertised = advertised
    provider.sign = {"none": _none, "confused": _confused(provider), "forged": _forged}[how]
    assert sign_in().status_code == 403
    assert not User.objects.exists()


def test_a_key_that_the_provider_changed_is_fetched(provider):
    sign_in()
    provider.rotate()
    assert sign_in().status_code == 302
    assert provider.said.count("jwks") == 2


def test_another_browsers_answer_signs_nobody_in(provider):
    """Login CSRF: a link with somebody's code and state, clicked by a victim."""
    path = back(Client())
    victim = Client()
    assert victim.get(path).status_code == 403
    assert victim.get("/settings/").status_code == 302


def test_an_answer_is_good_once(provider):
    client = Client()
    path = back(client)
    assert client.get(path).status_code == 302
    client.post("/logout/")
    assert client.get(path).status_code == 403


def test_an_error_is_told_without_the_words_that_the_address_brought(provider):
    answer = Client().get(f"{CALLBACK}?error=access_denied&error_description=Call+0800-EVIL+now")
    assert answer.status_code == 403
    assert "EVIL" not in answer.content.decode()


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_it_never_leads_elsewhere(provider, elsewhere):
    assert sign_in(query=f"?next={elsewhere}")["Location"] == "/"


def test_a_provider_that_says_it_is_somebody_else_is_not_used(provider):
    provider.named = "https://evil.example"
    answer = Client().get("/login/sso/")
    assert answer.status_code == 503
    assert "somebody else" in answer.content.decode()


def test_a_provider_that_is_away_is_said_to_be_so_and_passwords_go_on(provider, settings):
    settings.OIDC_ISSUER = "http://127.0.0.1:9/realms/main"
    answer = Client().get("/login/sso/")
    assert answer.status_code == 503
    assert "does not answer" in answer.content.decode()
    assert 'name="password"' in answer.content.decode()


def test_passwords_can_be_switched_off_where_there_is_a_provider(provider, settings):
    User.objects.create_user("dora", password="correct horse battery staple")
    settings.PASSWORD_SIGN_IN = False
    assert 'name="password"' not in Client().get("/login/").content.decode()
    assert Client().post("/login/", {"username": "dora", "password": "correct horse battery staple"}).status_code == 403


def test_without_a_provider_there_is_no_such_door(client, settings):
    settings.PASSWORD_SIGN_IN = False
    assert client.get("/login/sso/").status_code == 404
    assert client.get(CALLBACK).status_code == 404
    page = client.get("/login/").content.decode()
    assert "single sign-on" not in page
    assert 'name="password"' in page  # or nobody could sign in at all
