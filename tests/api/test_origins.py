"""Which pages may open a WebSocket here."""

import pytest

from meshconsole.api.origins import SameOrigin

DOOR, AGENTS = SameOrigin(None), SameOrigin(None, absent=True)


@pytest.mark.parametrize(
    "origin,host,scheme",
    [
        ("http://localhost:8000", "localhost:8000", "ws"),
        ("http://localhost", "localhost", "ws"),
        ("https://localhost", "localhost", "ws"),  # a proxy has ended TLS, and said nothing of it
        ("https://localhost", "localhost:443", "wss"),
        ("http://[::1]:8000", "[::1]:8000", "ws"),
    ],
)
def test_the_console_s_own_pages_may(origin, host, scheme, settings):
    settings.ALLOWED_HOSTS = ["localhost", "[::1]"]
    assert DOOR.welcome(origin, host, scheme)


@pytest.mark.parametrize(
    "origin,host",
    [
        ("https://evil.example", "localhost:8000"),
        ("http://localhost:9000", "localhost:8000"),  # another program on the same host: cookies do not know ports
        ("http://localhost.evil.example:8000", "localhost:8000"),
        ("http://evil.example", "evil.example"),  # DNS rebinding: a name of theirs that leads here
        ("null", "localhost:8000"),
        ("file://", "localhost:8000"),
        ("http://localhost:x", "localhost:8000"),
        ("http://user@localhost:8001", "localhost:8000"),
    ],
)
def test_nobody_else_s_may(origin, host, settings):
    settings.ALLOWED_HOSTS = ["localhost"]
    assert not DOOR.welcome(origin, host, "ws")
    assert not AGENTS.welcome(origin, host, "ws")


def test_agents_are_no_browsers_and_send_none():
    assert AGENTS.welcome("", "localhost:8000", "ws")
    assert not DOOR.welcome("", "localhost:8000", "ws")


def test_an_origin_that_the_operator_trusts_may(settings):
    settings.CSRF_TRUSTED_ORIGINS = ["https://mesh.example.com"]
    assert DOOR.welcome("https://mesh.example.com", "10.0.0.5:8000", "ws")
