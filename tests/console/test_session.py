"""Signing in: slow for guessers, two steps where there is a second factor, a fresh session each time, audited without passwords."""

import time
from urllib.parse import quote

import pyotp
import pytest
from django.test import Client

from meshconsole.accounts import factors, lockout
from meshconsole.accounts.models import AuditEntry, SignedIn, User

RIGHT = "correct horse battery staple"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def quick(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def dora():
    return User.objects.create_user("dora", password=RIGHT)


def attempt(name: str, password: str = "guess", address: str = "192.0.2.1", query: str = "", client: Client | None = None):
    return (client or Client(REMOTE_ADDR=address)).post(f"/login/{query}", {"username": name, "password": password})


def test_after_five_failures_even_the_right_password_waits_and_is_told_how_long(dora):
    said = [attempt("dora") for _ in range(5)]
    assert [a.status_code for a in said] == [200] * 5
    assert "Too many attempts" in said[4].content.decode()
    refused = attempt("dora", RIGHT)
    assert refused.status_code == 429
    assert 1 <= int(refused["Retry-After"]) <= 5
    assert "not looked at" in refused.content.decode() and "<time" in refused.content.decode()
    assert "sessionid" not in refused.cookies
    assert attempt("dora", RIGHT, address="192.0.2.9").status_code == 302


def test_a_name_that_nobody_has_is_answered_like_one_that_somebody_has(dora):
    said = {name: [attempt(name).status_code for _ in range(7)] for name in ("dora", "nobody")}
    assert said["dora"] == said["nobody"] == [200] * 5 + [429] * 2


def test_the_audit_log_knows_who_from_where_and_never_what_was_typed(dora):
    for _ in range(5):
        attempt("dora", "hunter2-secret")
        attempt("hunter2-in-the-wrong-field")
    entries = list(AuditEntry.objects.all())
    assert {(e.action, e.who, e.address) for e in entries} == {
        ("sign-in failed", "dora", "192.0.2.1"),
        ("lockout", "dora", "192.0.2.1"),
        ("lockout", "unknown", "192.0.2.1"),
    }
    assert "hunter2" not in "".join(f"{e.object}{e.diff}{e.who}" for e in entries)


def test_a_session_gets_a_new_key_when_somebody_signs_in(dora):
    """Fixation: whoever planted a session id before has nothing after."""
    client = Client()
    session = client.session
    session["planted"] = True
    session.save()
    planted = session.session_key
    client.cookies["sessionid"] = planted
    assert attempt("dora", RIGHT, client=client).status_code == 302
    assert client.session.session_key != planted
    stranger = Client()
    stranger.cookies["sessionid"] = planted
    assert stranger.get("/settings/").status_code == 302


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "///evil.example", "/login/"]
)
def test_signing_in_never_leads_elsewhere(dora, elsewhere):
    answer = attempt("dora", RIGHT, query=f"?next={quote(elsewhere, safe='')}")
    assert (answer.status_code, answer["Location"]) == (302, "/")


def test_signing_in_leads_to_where_one_wanted_to_go(dora):
    assert attempt("dora", RIGHT, query="?next=/policies/%3Fkind%3Dx")["Location"] == "/policies/?kind=x"


def test_who_has_a_second_factor_is_asked_for_it(dora):
    app = pyotp.TOTP(factors.begin(dora))
    codes = factors.confirm(dora, app.at(time.time() - 30), time.time())
    client = Client()
    assert attempt("dora", RIGHT, query="?next=/services/", client=client)["Location"] == "/login/code/"
    assert client.get("/settings/").status_code == 302  # halfway is no session
    assert client.get("/api/v1/me").status_code in (401, 403)
    assert "Second step" in client.get("/login/code/").content.decode()
    assert "wrong" in client.post("/login/code/", {"code": "nonsense"}).content.decode()
    answer = client.post("/login/code/", {"code": app.at(time.time())})
    assert answer["Location"] == "/services/"
    assert client.get("/settings/").status_code == 200
    other = Client()
    attempt("dora", RIGHT, client=other)
    assert other.post("/login/code/", {"code": codes[0]}).status_code == 302
    assert [e.diff for e in AuditEntry.objects.filter(action="sign in")] == [
        "by password and recovery code\n",
        "by password and authenticator\n",
    ]


def test_guessing_codes_gets_slow_too(dora):
    factors.confirm(dora, pyotp.TOTP(factors.begin(dora)).at(time.time()), time.time())
    client = Client()
    attempt("dora", RIGHT, client=client)
    assert [client.post("/login/code/", {"code": "000000"}).status_code for _ in range(6)] == [200] * 5 + [429]
    attempt("dora", RIGHT, client=client)  # the password again does not begin anew
    assert client.post("/login/code/", {"code": "000000"}).status_code == 429


def test_halfway_ends_when_the_password_changes_or_the_time_is_over(dora, monkeypatch):
    factors.confirm(dora, pyotp.TOTP(factors.begin(dora)).at(time.time()), time.time())
    client = Client()
    attempt("dora", RIGHT, client=client)
    dora.set_password("another one, longer")
    dora.save()
    assert client.get("/login/code/")["Location"] == "/login/"


def test_one_s_own_password_needs_the_old_one_and_ends_other_sessions(dora):
    here, there = Client(), Client()
    for client in (here, there):
        attempt("dora", RIGHT, client=client)
    path = "/settings/security/password/"
    new = "staple battery horse correct"
    assert here.post(path, {"current": "wrong", "new": new, "again": new}).status_code == 400
    assert here.post(path, {"current": RIGHT, "new": "password", "again": "password"}).status_code == 400
    assert here.post(path, {"current": RIGHT, "new": new, "again": new + "x"}).status_code == 400
    assert here.post(path, {"current": RIGHT, "new": new, "again": new}).status_code == 302
    assert here.get("/settings/").status_code == 200
    assert there.get("/settings/").status_code == 302
    assert attempt("dora", new).status_code == 302


def test_sessions_are_listed_and_ended_one_by_one_or_all(dora):
    clients = [Client(headers={"user-agent": f"<script>{n}</script> Firefox/1 Linux"}) for n in range(3)]
    for client in clients:
        attempt("dora", RIGHT, client=client)
    page = clients[0].get("/settings/security/").content.decode()
    assert page.count("Firefox on Linux") == 3
    assert "<script>1" not in page
    row = SignedIn.objects.get(session_key=clients[1].session.session_key)
    assert clients[0].post(f"/settings/security/sessions/{row.pk}/end/").status_code == 302
    assert clients[1].get("/settings/").status_code == 302
    assert clients[0].post("/settings/security/sign-out/").status_code == 302
    assert clients[2].get("/settings/").status_code == 302
    assert clients[0].get("/settings/").status_code == 200


def test_nobody_ends_the_session_of_somebody_else(dora, bob):
    client = Client()
    attempt("dora", RIGHT, client=client)
    row = SignedIn.objects.get(user=dora)
    assert bob.post(f"/settings/security/sessions/{row.pk}/end/").status_code == 404
    assert client.get("/settings/").status_code == 200


def test_the_authenticator_is_set_up_and_removed_with_the_password(dora):
    client = Client()
    attempt("dora", RIGHT, client=client)
    path = "/settings/security/authenticator/"
    page = client.get(path).content.decode()
    assert 'class="qr"' in page
    secret = factors.begin(dora)
    assert secret in page
    assert client.post(path, {"code": "12"}).status_code == 400
    codes = client.post(path, {"code": pyotp.TOTP(secret).at(time.time())})
    assert "Recovery codes" in codes.content.decode()
    assert factors.has(dora)
    assert client.post(path, {"remove": "1", "current": "wrong"}).status_code == 400
    assert factors.has(dora)
    assert client.post("/settings/security/recovery/", {"current": RIGHT}).status_code == 200
    assert client.post(path, {"remove": "1", "current": RIGHT}).status_code == 302
    assert not factors.has(dora)


def test_a_browser_that_signed_in_is_known_the_next_time(dora):
    client = Client(REMOTE_ADDR="192.0.2.1")
    assert attempt("dora", RIGHT, client=client).cookies[lockout.DEVICE_COOKIE]["httponly"]
    client.post("/logout/")
    for _ in range(6):
        attempt("dora")
    assert attempt("dora", RIGHT).status_code == 429
    assert attempt("dora", RIGHT, client=client).status_code == 302
