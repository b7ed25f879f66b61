"""A real Chromium, a console with Bookinfo in it, and one with nothing; every page must load without a complaint of the browser."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from .console import Console

expect.set_options(timeout=10_000)


def pytest_collection_modifyitems(items):
    for item in items:
        if "browser" in item.path.parts:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def console(tmp_path_factory) -> Iterator[Console]:
    """With Bookinfo's workloads and the last minutes of its traffic."""
    made = Console(tmp_path_factory.mktemp("console")).start()
    try:
        made.bookinfo("--seconds", "300")
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="session")
def empty_console(tmp_path_factory) -> Iterator[Console]:
    made = Console(tmp_path_factory.mktemp("empty")).start()
    try:
        yield made
    finally:
        made.stop()


class Complaints(list[str]):
    """What the browser said against a page: errors of scripts, breaches of the Content-Security-Policy, answers of 500."""

    def watch(self, page: Page) -> None:
        page.on("console", lambda m: self.append(m.text) if m.type == "error" and "status of 4" not in m.text else None)
        page.on("pageerror", lambda e: self.append(str(e)))
        page.on("response", lambda r: self.append(f"{r.status} {r.url}") if r.status >= 500 else None)


@pytest.fixture(scope="session")
def sessions(chromium) -> Callable[..., dict]:
    """What a browser keeps of somebody who signed in: each person does so once, for hashing passwords takes its time."""
    kept: dict[tuple[str, str], dict] = {}

    def session(console: Console, username: str, password: str) -> dict:
        if (console.url, username) not in kept:
            context = chromium.new_context(base_url=console.url)
            page = context.new_page()
            page.goto("/login/")
            page.get_by_label("User name").fill(username)
            page.get_by_label("Password").fill(password)
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url("**/")
            kept[console.url, username] = context.storage_state()
            context.close()
        return kept[console.url, username]

    return session


@pytest.fixture
def open_page(chromium, sessions) -> Iterator:
    """`open_page(console)`: a fresh browser profile on the overview, signed in unless told otherwise."""
    contexts, complaints = [], Complaints()

    def open_(console: Console, *, username: str = "", password: str = "", sign_in: bool = True, **options) -> Page:
        state = sessions(console, username or console.username, password or console.password) if sign_in else None
        context = chromium.new_context(base_url=console.url, viewport={"width": 1440, "height": 900}, storage_state=state, **options)
        contexts.append(context)
        page = context.new_page()
        complaints.watch(page)
        if sign_in:
            page.goto("/")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def page(open_page, console) -> Page:
    return open_page(console)
