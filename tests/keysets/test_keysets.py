"""Keys by URI, from a real server on loopback: fetched, kept when it is down, and never asked for where nobody should look."""

import datetime
import http.server
import json
import threading
from collections.abc import Iterator

import pytest
from django.utils import timezone

from meshconsole.configstore import store
from meshconsole.core.resources.messages import Invalid
from meshconsole.discovery import mesh
from meshconsole.keysets import asking, refreshing
from meshconsole.keysets.models import KeySet
from tests.accounts import people
from tests.configstore.manifests import parsed

KEYS = {"keys": [{"kty": "EC", "crv": "P-256", "kid": "1", "x": "a", "y": "b"}]}


class Server(http.server.ThreadingHTTPServer):
    status, body, location, asked = 200, json.dumps(KEYS).encode(), "", 0
    hold: threading.Event | None = None


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked += 1
        if self.server.hold is not None:
            self.server.hold.wait(5)
        moved = self.server.location and self.path == "/moved"
        self.send_response(302 if moved else self.server.status)
        if moved:
            self.send_header("location", self.server.location)
        self.send_header("content-length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def issuer() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def near(settings) -> None:
    settings.JWKS_ALLOW_PRIVATE = True


def at(issuer: Server, path: str = "/keys") -> str:
    return f"http://127.0.0.1:{issuer.server_port}{path}"


def policy(uri: str) -> str:
    return f"apiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: {{name: shop}}\nspec: {{jwtRules: [{{issuer: me, jwksUri: '{uri}'}}]}}\n"


@pytest.fixture
def applied(db):
    author = people.author(people.alice())
    return lambda uri: store.apply(parsed(policy(uri)), author=author)


def compiled() -> str:
    mesh.forget()
    (found,) = mesh.current().policies
    return found.spec.jwt_rules[0].jwks


def test_keys_are_fetched_and_the_compiler_finds_them(issuer, near, applied):
    said = applied(at(issuer)).messages
    assert [m.code for m in said if "being fetched" not in m.text] == ["IST0175"], "here keys may come from private addresses"
    assert len(said) == 2 and compiled() == ""
    assert refreshing.refresh() == [at(issuer)]
    assert json.loads(compiled()) == KEYS
    assert refreshing.refresh() == [], "they are good for 20 minutes"
    assert refreshing.refresh(timezone.now() + datetime.timedelta(minutes=21)) == [at(issuer)]


def test_a_server_that_is_down_keeps_the_last_keys(issuer, near, applied):
    applied(at(issuer))
    refreshing.refresh()
    issuer.status = 503
    refreshing.refresh(timezone.now() + datetime.timedelta(minutes=21))
    assert json.loads(compiled()) == KEYS
    assert KeySet.objects.get().error == "answered 503"


def test_keys_that_nobody_needs_any_more_are_forgotten(issuer, near, applied):
    applied(at(issuer))
    refreshing.refresh()
    applied(at(issuer, "/others"))
    refreshing.refresh()
    assert [row.uri for row in KeySet.objects.all()] == [at(issuer, "/others")]


def test_loopback_is_not_asked_unless_it_may_be(issuer, settings):
    with pytest.raises(asking.Unavailable, match="private address"):
        asking.keys(at(issuer))
    with pytest.raises(asking.Unavailable, match="private address"):
        asking.keys(at(issuer).replace("127.0.0.1", "localhost"))
    assert issuer.asked == 0


def test_a_redirect_into_a_private_range_is_not_followed(issuer, monkeypatch):
    """The first server counts as a public one, where it redirects to does not."""
    issuer.location = f"http://127.0.0.2:{issuer.server_port}/keys"
    monkeypatch.setattr(asking, "allowed", lambda address: address == "127.0.0.1")
    with pytest.raises(asking.Unavailable, match="private address"):
        asking.keys(at(issuer, "/moved"))
    assert issuer.asked == 1


@pytest.mark.parametrize(
    "address", ["10.0.0.1", "127.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "fd00::1", "0.0.0.0", "224.0.0.1"]
)
def test_ranges_that_are_nobodys_business(address: str):
    assert not asking.allowed(address)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"x" * (asking.MOST + 1), "more than"),
        (b"<html>", "something else than a key set"),
        (b"\xff\xfe", "not text"),
        (json.dumps({"keys": [{**KEYS["keys"][0], "d": "private"}]}).encode(), "private key"),
    ],
)
def test_what_is_no_key_set_is_not_taken(issuer, near, body: bytes, said: str):
    issuer.body = body
    with pytest.raises(asking.Unavailable, match=said):
        asking.keys(at(issuer))


def test_redirects_end(issuer, near):
    issuer.location = at(issuer, "/moved")
    with pytest.raises(asking.Unavailable, match="redirected more than 3 times"):
        asking.keys(at(issuer, "/moved"))


def test_a_rule_says_how_long_its_server_is_waited_for(issuer, near, db):
    slow = threading.Event()
    issuer.hold = slow
    text = policy(at(issuer)).replace("jwksUri:", "timeout: 200ms, jwksUri:")
    store.apply(parsed(text), author=people.author(people.alice()))
    assert refreshing.patience() == {at(issuer): 0.2}
    try:
        refreshing.refresh()
        assert "no answer" in KeySet.objects.get().error
    finally:
        slow.set()


def test_nobody_is_waited_for_longer_than_a_minute():
    with pytest.raises(Invalid, match="must be 60 s at most"):
        parsed(policy("https://issuer.example.com/keys").replace("jwksUri:", "timeout: 2m, jwksUri:"))
