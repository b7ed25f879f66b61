"""The console as it is deployed: Django's own checks, headers of every answer, cookies, hosts, frames, static files."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client

from meshconsole.accounts.checks import sign_in
from tests.accounts import people

from .test_every_door import TABLE

ROOT = Path(__file__).resolve().parents[2]


def checked(tmp_path, **settings: str) -> subprocess.CompletedProcess:
    kept = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "REDIS_URL")}
    environment = {**kept, "MESHCONSOLE_HOME": str(tmp_path), "PYTHONPATH": str(ROOT), **settings}
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def test_the_checks_for_deployment_find_nothing(tmp_path):
    done = checked(tmp_path, BEHIND_TLS="1", TRUSTED_PROXIES="10.0.0.0/8", ALLOWED_HOSTS="mesh.example.com")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "name,value,said",
    [
        ("TRUSTED_PROXIES", ["proxy.example.com"], "is no network"),
        ("OIDC_ROLES", {"staff": "admin"}, "OIDC_ROLES"),
        ("OIDC_ROLES", {"staff": {"*": "owner"}}, "OIDC_ROLES"),
        ("OIDC_ISSUER", "https://login.example.com", "OIDC_CLIENT_ID"),
    ],
)
def test_settings_that_make_no_sense_are_told_at_start(settings, name, value, said):
    setattr(settings, name, value)
    assert [m for m in sign_in(None) if said in m.msg and m.is_serious()]


@pytest.fixture
def alice(db):
    client = Client(raise_request_exception=False)
    client.force_login(people.alice())
    return client


def test_every_answer_forbids_the_browser_what_we_do_not_need(alice):
    for client in (alice, Client()):
        for path in [*(p for p in TABLE if "{" not in p), "/nowhere/", "/api/v1/resources", "/apis/x", "/static/nothing.js"]:
            answer = client.get(path)
            rules = dict(r.split(" ", 1) for r in answer["Content-Security-Policy"].split("; "))
            assert rules["script-src"] == "'self'" and rules["default-src"] == "'none'" and rules["form-action"] == "'self'", path
            assert rules["frame-ancestors"] == "'none'" and answer["X-Frame-Options"] == "DENY", path
            assert answer["X-Content-Type-Options"] == "nosniff", path
            assert answer["Referrer-Policy"] == "same-origin", path
            assert answer["Cross-Origin-Opener-Policy"] == "same-origin", path
            assert "geolocation=()" in answer["Permissions-Policy"], path
            assert answer.status_code < 500, path


def test_behind_tls_cookies_are_secure_and_browsers_are_told_to_stay(settings, alice):
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    settings.SECURE_HSTS_SECONDS = 31536000
    from django.contrib.auth import get_user_model

    get_user_model().objects.create_user("dora", password="correct horse battery staple")
    client = Client()
    page = client.get("/login/", secure=True)
    assert page["Strict-Transport-Security"] == "max-age=31536000"
    answer = client.post("/login/", {"username": "dora", "password": "correct horse battery staple"}, secure=True)
    for name in ("sessionid", "known_device"):
        assert answer.cookies[name]["secure"] and answer.cookies[name]["httponly"] and answer.cookies[name]["samesite"] == "Lax"
    assert page.cookies["csrftoken"]["secure"]


def test_http_is_answered_by_https_but_for_probes(settings, db):
    settings.SECURE_SSL_REDIRECT = True
    assert Client().get("/login/")["Location"] == "https://testserver/login/"
    assert Client().get("/healthz").status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "testserver.evil.example", "testserver@evil.example", ""])
def test_a_host_that_is_not_ours_is_refused(host, db):
    assert Client().get("/login/", headers={"host": host}).status_code == 400


TRAVERSALS = [
    "/static/../meshconsole/settings.py",
    "/static/%2e%2e/meshconsole/settings.py",
    "/static/..%2fmanage.py",
    "/static/..%5cmanage.py",
    "/static//etc/passwd",
    "/static/%2fetc%2fpasswd",
    "/static/dist/../../manage.py",
    "/static/....//manage.py",
    "/static/%00",
    "/static/build.py%00.css",
]


@pytest.mark.parametrize("path", TRAVERSALS)
def test_no_file_of_the_host_is_served(path, db):
    answer = Client().get(path)
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    assert answer.status_code in (302, 400, 404), path
    assert b"SECRET_KEY" not in body and b"root:" not in body and b"DJANGO_SETTINGS" not in body


def test_secrets_are_not_in_what_the_console_says_of_its_own_errors(settings, alice, monkeypatch):
    from meshconsole.console.views import overview

    def explode(*_, **__):
        raise RuntimeError(f"a secret: {settings.SECRET_KEY}")

    monkeypatch.setattr(overview, "render", explode)
    answer = alice.get("/")
    assert answer.status_code == 500
    assert settings.SECRET_KEY not in answer.content.decode()
    assert "Traceback" not in answer.content.decode()
