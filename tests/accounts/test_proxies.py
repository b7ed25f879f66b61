"""Who asks, behind reverse proxies: believed from those in TRUSTED_PROXIES, from the right, and from nobody else."""

import asyncio

import pytest

from meshconsole.accounts.proxies import TrustedProxies

PROXY, STRANGER = "10.0.0.1", "203.0.113.5"


def seen(client, *forwarded, proto=None, trusted=("10.0.0.0/8", "2001:db8::/32"), kind="http"):
    found = {}

    async def app(scope, receive, send):
        found.update(scope)

    headers = [(b"x-forwarded-for", f.encode()) for f in forwarded] + ([(b"x-forwarded-proto", proto.encode())] if proto else [])
    scope = {"type": kind, "client": (client, 1234), "scheme": "ws" if kind == "websocket" else "http", "headers": headers}
    asyncio.run(TrustedProxies(app, trusted)(scope, None, None))
    return found["client"][0], found["scheme"]


@pytest.mark.parametrize(
    "client,forwarded,who",
    [
        (STRANGER, ["198.51.100.7"], STRANGER),  # a stranger is not believed
        (PROXY, ["198.51.100.7"], "198.51.100.7"),
        (PROXY, ["1.2.3.4, 198.51.100.7"], "198.51.100.7"),  # what the client made up stands on the left
        (PROXY, ["1.2.3.4", "198.51.100.7"], "198.51.100.7"),  # two headers are one list
        (PROXY, ["198.51.100.7, 10.9.9.9"], "198.51.100.7"),  # a chain of trusted proxies
        (PROXY, ["10.1.1.1, 10.2.2.2"], "10.1.1.1"),  # somebody inside
        (PROXY, ["<script>, 198.51.100.7"], "198.51.100.7"),
        (PROXY, ["198.51.100.7, <script>"], PROXY),
        (PROXY, [""], PROXY),
        (PROXY, [], PROXY),
        (PROXY, ["[2001:db9::7]:4711"], "2001:db9::7"),
        (PROXY, ["198.51.100.7:4711"], "198.51.100.7"),
        ("::ffff:10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("2001:db8::1", ["198.51.100.7"], "198.51.100.7"),
    ],
)
def test_the_client_is_the_first_stranger_from_the_right(client, forwarded, who):
    assert seen(client, *forwarded)[0] == who


def test_nobody_is_believed_unless_the_operator_says_so():
    assert seen("127.0.0.1", "198.51.100.7", proto="https", trusted=()) == ("127.0.0.1", "http")


def test_a_trusted_proxy_says_that_the_browser_came_by_tls():
    assert seen(PROXY, "198.51.100.7", proto="https")[1] == "https"
    assert seen(PROXY, "198.51.100.7", proto="https", kind="websocket")[1] == "wss"
    assert seen(STRANGER, proto="https")[1] == "http"
