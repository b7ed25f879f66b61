"""Fast tests first: pure ones, then the database, then real Envoys, then the browser, then whole meshes."""

import pytest

ORDER = "core golden agent telemetry accounts configstore ca discovery xds agents topology api cli console browser journeys".split()
SLOW = ("envoy", "browser", "journey")


def _rank(item: pytest.Item) -> tuple[int, int]:
    place = next((i for i, name in enumerate(ORDER) if name in item.path.parts), 3)
    return max((i + 1 for i, name in enumerate(SLOW) if item.get_closest_marker(name)), default=0), place


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_rank)
