"""The guard of connections to addresses that users name: what is private stays unspoken to, however it is written."""

import socket

import httpcore
import pytest

from meshconsole import outbound

PRIVATE = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "192.0.2.1",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_not_spoken_to(address):
    assert not outbound.allowed(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_a_public_one_is(address):
    assert outbound.allowed(address)


def test_a_network_that_is_named_is_and_its_neighbours_are_not(settings):
    assert outbound.allowed("10.1.2.3", ["10.1.0.0/16"])
    assert outbound.allowed("::ffff:10.1.2.3", ["10.1.0.0/16"])
    assert not outbound.allowed("10.2.2.3", ["10.1.0.0/16"])
    settings.OUTBOUND_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    assert outbound.allowed("127.0.0.1")


@pytest.mark.parametrize("address", ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "fd00:ec2::254"])
def test_a_cloud_s_credentials_are_not_meant_by_private(address):
    assert outbound.allowed("10.1.2.3", private=True)
    assert not outbound.allowed(address, private=True)
    assert outbound.allowed("169.254.169.254", ["169.254.169.254/32"])


def info(*addresses: str):
    return lambda host, port, **_: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses]


def test_one_private_address_among_public_ones_refuses_the_name(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", info("8.8.8.8", "127.0.0.1"))
    with pytest.raises(outbound.NotAllowed):
        outbound.resolve("mixed.example", 443, outbound.allowed)


def test_the_address_that_was_looked_at_is_the_one_that_is_connected_to(monkeypatch):
    """DNS rebinding: the name answers with a public address once, and with loopback from then on."""
    answers = [info("8.8.8.8"), info("127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: (answers.pop(0) if len(answers) > 1 else answers[0])(*a, **k))
    connected = []

    def connect(self, host, *_, **__):
        connected.append(host)
        raise httpcore.ConnectError("no route")

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect)
    with httpcore.ConnectionPool(network_backend=outbound.Guarded(outbound.allowed, 5)) as pool, pytest.raises(httpcore.ConnectError):
        pool.request("GET", "http://rebinding.example/")
    assert connected == ["8.8.8.8"]
    with httpcore.ConnectionPool(network_backend=outbound.Guarded(outbound.allowed, 5)) as pool, pytest.raises(outbound.NotAllowed):
        pool.request("GET", "http://rebinding.example/")
    assert connected == ["8.8.8.8"]


@pytest.mark.parametrize(
    "url", ["http://0x7f.1/", "http://2130706433/", "http://0177.0.0.1/", "http://127.1/", "http://localhost/", "http://[::1]/"]
)
def test_loopback_is_loopback_however_it_is_spelt(url):
    with (
        httpcore.ConnectionPool(network_backend=outbound.Guarded(outbound.allowed, 5)) as pool,
        pytest.raises((outbound.NotAllowed, outbound.Unresolved)),
    ):
        pool.request("GET", url)


def test_unix_sockets_are_not_spoken_to():
    with pytest.raises(outbound.NotAllowed):
        outbound.Guarded(outbound.allowed, 5).connect_unix_socket("/var/run/docker.sock")
