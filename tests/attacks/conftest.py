"""A real console as operators run it, by `meshconsole web`, for attacks that need sockets."""

import sys
from collections.abc import Iterator

import pytest

from tests.browser.console import Console


class Web(Console):
    def command(self) -> list[str]:
        return [sys.executable, "-m", "meshconsole.cli", "web", "--port", str(self.port)]


@pytest.fixture(scope="session")
def web(tmp_path_factory) -> Iterator[Web]:
    made = Web(tmp_path_factory.mktemp("attacked")).start()
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
def undisturbed(web):
    """Whatever a test did to it: the console answers at once, has stored nothing, and its log shows no traceback."""
    before = web.api.get("/api/v1/resources").json()
    yield web
    answer = web.api.get("/api/v1/resources", timeout=5)
    assert answer.status_code == 200
    assert answer.json() == before
    assert "Traceback" not in web.log.read_text()
