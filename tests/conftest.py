"""Fast tests first: pure ones, then the database, then real Envoys, then the browser, then whole meshes."""

import pytest

ORDER = ("core", "golden", "agent", "telemetry", "accounts", "configstore", "ca", "discovery", "xds", "agents", "topology", "api", "cli", "console", "browser", "journeys")


def _rank(item: pytest.Item) -> tuple[int, int]:
    folders = item.path.parts
    place = next((i for i, name in enumerate(ORDER) if name in folders), 3)
    slow = 3 if item.get_closest_marker("journey") else 2 if item.get_closest_marker("browser") else 1 if item.get_closest_marker("envoy") else 0
    return slow, place


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_rank)
