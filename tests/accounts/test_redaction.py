"""Secrets in log lines, of whoever writes them."""

import logging

import pytest

from meshconsole.accounts import redaction

KEY = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIIGl\nAwEHoUQDQgAE\n-----END EC PRIVATE KEY-----"
SECRETS = {
    "GET /x Authorization: Bearer msh_abcdefghijklmnop": "abcdefghijklmnop",
    "token msh_Zm9vYmFyYmF6cXV4 is odd": "Zm9vYmFyYmF6cXV4",
    "join with mjt_Zm9vYmFyYmF6cXV4": "Zm9vYmFyYmF6cXV4",
    "Authorization: Basic dXNlcjpwYXNzd29yZA==": "dXNlcjpwYXNzd29yZA",
    "GET /welcome/Mw/cz3k7e-0123456789abcdef/ 200": "0123456789abcdef",
    "connecting to postgres://mesh:hunter2@db/mesh": "hunter2",
    "{'password': 'hunter2'}": "hunter2",
    "password=hunter2&x=1": "hunter2",
    "Using code_verifier: 'kjhsdfkjhsdf'": "kjhsdfkjhsdf",
    "GET /login/sso/callback/?code=SplxlOBeZQQYbYS6WxSbIA&state=x": "SplxlOBeZQQYbYS6WxSbIA",
    f"read {KEY} from disk": "MHcCAQEEIIGl",
    "Cookie: sessionid=abcdef0123456789; csrftoken=zyxwvutsrq": "abcdef0123456789",
}


@pytest.mark.parametrize("line", SECRETS)
def test_a_secret_is_taken_out_of_a_line(line):
    said = redaction.redacted(line)
    assert SECRETS[line] not in said
    assert "…" in said


@pytest.mark.parametrize(
    "line",
    [
        "GET /api/v1/tokens 200",
        "Agent default/reviews-v1 refused: the token is used up (token)",
        "answered 503: status code 503",
        "proxy default/x ACKed listeners",
        "a@b.example",
    ],
)
def test_an_ordinary_line_stays_as_it_is(line):
    assert redaction.redacted(line) == line


def test_whoever_logs_the_line_has_none(caplog):
    log = logging.getLogger("some.library")
    log.warning("sent %s to %s", "Bearer msh_abcdefghijklmnop", "x")
    log.warning("sent %(what)s", {"what": "password=hunter2"})
    try:
        raise ValueError("bad DSN postgres://mesh:hunter2@db/mesh")
    except ValueError as e:
        log.exception("failed: %s", e)
    assert "abcdefghijklmnop" not in caplog.text
    assert "hunter2" not in caplog.text
    assert "Traceback" in caplog.text
