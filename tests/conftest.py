"""Fast tests first: pure ones, then the database, then real Envoys, then the browser, then whole meshes."""

import shutil
from collections.abc import Iterator

import pytest

ORDER = [
    "core",
    "golden",
    "agent",
    "telemetry",
    "accounts",
    "configstore",
    "ca",
    "discovery",
    "xds",
    "agents",
    "topology",
    "api",
    "cli",
    "console",
    "browser",
    "journeys",
]
SLOW = ("envoy", "browser", "journey")


def _rank(item: pytest.Item) -> tuple[int, int]:
    place = next((i for i, name in enumerate(ORDER) if name in item.path.parts), 3)
    return max((i + 1 for i, name in enumerate(SLOW) if item.get_closest_marker(name)), default=0), place


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_rank)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """Tests that commit are cleaned up after by deleting every row; SQLite's trigger would forbid that for the audit log."""
    from django.db import connection

    from meshconsole.accounts import appendonly

    with django_db_blocker.unblock():
        if connection.vendor == "sqlite":
            appendonly.unguard(connection, "audit_no_delete")


@pytest.fixture(scope="session")
def chromium() -> Iterator:
    """One real browser for all pages; contexts keep them apart."""
    from playwright.sync_api import sync_playwright

    flags = [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium") or shutil.which("chromium-browser"), args=flags)
        yield browser
        browser.close()
