"""A library that opens its own connections is held to the addresses that it may speak to, and its neighbours are not."""

import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from meshconsole import holding, outbound


@pytest.fixture
def door():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()


def test_each_connection_is_looked_at_when_it_is_made(door):
    with holding.only(lambda address: address == "127.0.0.1"):
        socket.create_connection(door, 5).close()
    with holding.only(outbound.allowed), pytest.raises(outbound.NotAllowed):
        socket.create_connection(door, 5)
    socket.create_connection(door, 5).close()


def test_datagrams_unix_sockets_and_names_that_the_socket_resolves_are_held_too(door):
    with holding.only(lambda _: False), socket.socket(type=socket.SOCK_DGRAM) as udp, pytest.raises(outbound.NotAllowed):
        udp.sendto(b"x", door)
    with holding.only(outbound.allowed), socket.socket(socket.AF_UNIX) as unix, pytest.raises(outbound.NotAllowed):
        unix.connect("/var/run/docker.sock")
    with holding.only(outbound.allowed), socket.socket() as tcp, pytest.raises(outbound.NotAllowed):
        tcp.connect(("localhost", door[1]))


def test_no_program_is_started_that_would_be_outside():
    with holding.only(outbound.allowed), pytest.raises(holding.Started):
        subprocess.run([sys.executable, "-c", ""], check=False)


def test_a_thread_that_is_started_within_is_held_as_long_as_it_lives(door):
    with holding.only(outbound.allowed):
        pool = ThreadPoolExecutor(1)
        first = pool.submit(socket.create_connection, door, 5)
    with pool:
        for said in (first, pool.submit(socket.create_connection, door, 5)):
            with pytest.raises(outbound.NotAllowed):
                said.result(5)


def test_other_threads_go_on_as_they_were(door):
    begun, done, failed = threading.Event(), threading.Event(), []

    def neighbour() -> None:
        begun.wait(5)
        try:
            socket.create_connection(door, 5).close()
        except outbound.NotAllowed as e:
            failed.append(e)
        done.set()

    threading.Thread(target=neighbour, daemon=True).start()
    with holding.only(lambda _: False):
        begun.set()
        assert done.wait(5)
    assert failed == []
