"""Several web processes, and a Redis that is dead: guessing is slow all the same, behind a reverse proxy too, and a session ends everywhere."""

import subprocess

import httpx
import pytest

from tests.browser.console import Console, free_port

from .conftest import Web


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Two processes on one database; the Redis that they are told of is not there. The first trusts loopback as a reverse proxy."""
    home = tmp_path_factory.mktemp("two")
    first = Web(home)
    first.environment |= {"REDIS_URL": f"redis://127.0.0.1:{free_port()}/0", "TRUSTED_PROXIES": "127.0.0.1/32"}
    first.start()
    second = Web(home)
    second.environment = {**first.environment, "TRUSTED_PROXIES": ""}
    second.log = home / "second.log"
    with second.log.open("w") as out:
        second.process = subprocess.Popen(second.command(), env=second.environment, stdout=out, stderr=out)
    second.api = httpx.Client(base_url=second.url, trust_env=False, timeout=30)
    try:
        await_(second)
        yield first, second
    finally:
        second.stop()
        first.stop()


def await_(console: Console) -> None:
    import time

    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            console.api.get("/login/")
            return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise AssertionError(console.log.read_text())


def attempt(console: Console, name: str, password: str = "guess", forwarded: str = "") -> httpx.Response:
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    with httpx.Client(base_url=console.url, trust_env=False, timeout=30, headers=headers) as browser:
        token = browser.get("/login/").text.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
        return browser.post("/login/", data={"username": name, "password": password, "csrfmiddlewaretoken": token})


def test_failures_at_one_process_are_known_to_the_other(two):
    first, second = two
    said = [attempt((first, second)[n % 2], "nobody").status_code for n in range(7)]
    assert said == [200] * 5 + [429] * 2


def test_behind_a_trusted_proxy_the_guesser_waits_and_not_everybody_behind_it(two):
    first, _ = two
    for _ in range(5):
        attempt(first, "admin", forwarded="203.0.113.66")
    assert attempt(first, "admin", forwarded="203.0.113.66").status_code == 429
    assert attempt(first, "admin", first.password, forwarded="203.0.113.67").status_code == 302
    entries = first.api.get("/api/v1/audit?action=lockout").json()["items"]
    assert entries[0]["address"] == "203.0.113.66"


def test_a_guesser_who_makes_addresses_up_is_not_believed(two):
    """The second process trusts nobody: the header changes nothing."""
    _, second = two
    said = [attempt(second, "somebody", forwarded=f"198.51.100.{n}").status_code for n in range(7)]
    assert said == [200] * 5 + [429] * 2
