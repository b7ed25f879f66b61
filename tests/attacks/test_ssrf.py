"""A user names an address, and the console shall ask there: webhooks, key sets, with redirects, through real sockets."""

import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from meshconsole.alerts import outbound as posting
from meshconsole.alerts.notifiers.base import NotifyError
from meshconsole.keysets import asking
from tests.alerts.test_notifiers import notice, spec


@pytest.fixture
def inside():
    """A service of the internal network that must not hear anything; `calls` holds what it heard."""
    calls: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_) -> None:
            pass

        def answer(self) -> None:
            calls.append(f"{self.command} {self.path}")
            self.send_response(302 if self.path == "/moved" else 200)
            if self.path == "/moved":
                self.send_header("Location", "http://169.254.169.254/latest/meta-data/")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_GET = do_POST = answer

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port, calls
    server.shutdown()
    server.server_close()


WAYS = [
    "http://127.0.0.1:{}/x",
    "http://localhost:{}/x",
    "http://[::ffff:127.0.0.1]:{}/x",
    "http://0:{}/x",
    "http://2130706433:{}/x",
    "http://127.1:{}/x",
]


@pytest.mark.parametrize("way", WAYS)
def test_nothing_inside_hears_of_a_webhook_or_a_key_set(inside, way):
    port, calls = inside
    with pytest.raises(NotifyError):
        posting.post(way.format(port), b"{}")
    with pytest.raises(asking.Unavailable):
        asking.keys(way.format(port))
    assert calls == []


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_x",
        "ftp://127.0.0.1/",
    ],
)
def test_metadata_and_other_schemes_are_refused_even_where_private_is_allowed(url, settings):
    settings.JWKS_ALLOW_PRIVATE = True
    with pytest.raises(asking.Unavailable):
        asking.keys(url)
    with pytest.raises(NotifyError):
        posting.post(url, b"{}")


def test_a_redirect_from_where_it_is_allowed_leads_nowhere_else(inside, settings):
    port, calls = inside
    settings.JWKS_ALLOW_PRIVATE = True
    settings.ALERT_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    with pytest.raises(asking.Unavailable, match="private address"):
        asking.keys(f"http://127.0.0.1:{port}/moved")
    with pytest.raises(NotifyError):
        posting.post(f"http://127.0.0.1:{port}/moved", b"{}")  # posts follow no redirect at all
    assert calls == ["GET /moved", "POST /moved"]


@pytest.mark.django_db
def test_what_the_api_is_told_of_a_refused_webhook_names_the_setting_and_not_the_answer(inside):
    """A test button must not become a port scanner: every private address is refused in the same words, open port or closed."""
    port, calls = inside
    said = set()
    for at in (port, 1):
        with pytest.raises(NotifyError) as told:
            posting.post(f"http://127.0.0.1:{at}/", b"{}")
        said.add(str(told.value))
    assert len(said) == 1
    assert calls == []


def by_apprise(url: str) -> None:
    notifier, said = spec(apprise={})
    notifier.notify(notice(), said, url)


def test_a_library_that_follows_redirects_by_itself_is_led_nowhere_either(inside, settings):
    port, calls = inside
    settings.ALERT_ALLOWED_NETWORKS = ["127.0.0.1/32"]
    with pytest.raises(NotifyError, match="169.254.169.254 is a private address") as refused:
        by_apprise(f"json://127.0.0.1:{port}/moved")
    assert refused.value.permanent and calls == ["POST /moved"]


def test_a_library_that_resolves_a_name_itself_is_held_when_it_connects(inside, settings, monkeypatch):
    """DNS rebinding: whoever looks at the name first is told of a public address."""
    port, calls = inside
    settings.ALERT_ALLOWED_NETWORKS = []
    real, asked = socket.getaddrinfo, []

    def answer(host, *rest, **more):
        if host != "rebinding.example":
            return real(host, *rest, **more)
        asked.append(host)
        at = "8.8.8.8" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (at, port))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    socket.getaddrinfo("rebinding.example", port)
    with pytest.raises(NotifyError, match="127.0.0.1 is a private address"):
        by_apprise(f"json://rebinding.example:{port}/x")
    assert calls == [] and len(asked) == 2


@pytest.mark.parametrize("way", ["keys", "post"])
def test_a_server_that_answers_drop_by_drop_holds_nobody_beyond_the_deadline(way, settings, monkeypatch):
    settings.JWKS_ALLOW_PRIVATE, settings.ALERT_ALLOWED_NETWORKS = True, ["127.0.0.0/8"]
    monkeypatch.setattr(posting, "ALTOGETHER", 0.5)
    over = threading.Event()

    def drip() -> None:
        peer, _ = door.accept()
        with peer:
            peer.recv(4096)
            peer.send(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not over.wait(0.1):
                try:
                    peer.send(b"a")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as door:
        server = threading.Thread(target=drip, daemon=True)
        server.start()
        url = f"http://127.0.0.1:{door.getsockname()[1]}/"
        begun = time.monotonic()
        with pytest.raises((asking.Unavailable, NotifyError)):
            asking.keys(url, 0.5) if way == "keys" else posting.post(url, b"{}")
        took = time.monotonic() - begun
        over.set()
        server.join(5)
    assert took < 2
