import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.rollup import RETENTION, Resolution, Tile, coarser, kept, snap, step_for, tiles, window

NOW = 1_800_000_005.0
ago = st.integers(0, 89 * 86400)


@given(ago, ago)
def test_tiles_cover_a_period_once_without_a_gap(a: int, b: int):
    start, end = NOW - max(a, b), NOW - min(a, b)
    parts = tiles(start, end, NOW)
    first, last = snap(start, end, NOW)
    assert first <= start and last >= end
    at = first
    for tile in parts:
        assert tile.start == at and tile.end > tile.start
        assert tile.start % tile.resolution == 0 and tile.end % tile.resolution == 0
        at = tile.end
    assert at == last or (first == last and not parts)


@given(ago, ago)
def test_tiles_lie_only_where_their_windows_are_still_kept(a: int, b: int):
    start, end = NOW - max(a, b), NOW - min(a, b)
    for tile in tiles(start, end, NOW):
        assert NOW - tile.end <= RETENTION[tile.resolution]


@given(st.integers(0, 89 * 86400))
def test_a_long_period_takes_few_windows(seconds: int):
    count = sum((t.end - t.start) // t.resolution for t in tiles(NOW - seconds, NOW, NOW))
    assert count <= 24 * 90 + 2 * 60 + 2 * 6


def test_thirty_days_are_mostly_hours():
    parts = tiles(NOW - 30 * 86400, NOW, NOW)
    assert [t.resolution for t in parts] == [Resolution.HOUR, Resolution.TEN_SECONDS]  # NOW is 5 s into an hour


def test_a_minute_is_ten_second_windows_with_the_open_one():
    assert tiles(NOW - 60, NOW, NOW) == [Tile(Resolution.TEN_SECONDS, 1_799_999_940, 1_800_000_010)] or tiles(NOW - 60, NOW, NOW) == [
        Tile(Resolution.MINUTE, 1_799_999_940, 1_800_000_000),
        Tile(Resolution.TEN_SECONDS, 1_800_000_000, 1_800_000_010),
    ]


def test_a_chart_of_minutes_is_not_made_of_hours():
    assert {t.resolution for t in tiles(NOW - 7200, NOW, NOW, Resolution.MINUTE)} == {Resolution.TEN_SECONDS, Resolution.MINUTE}


@pytest.mark.parametrize(("at", "start"), [(10.0, 0), (10.1, 10), (19.999, 10), (20.0, 10)])
def test_what_ends_on_a_boundary_belongs_before_it(at: float, start: int):
    assert window(at) == start


@given(st.integers(0, 2**33), st.sampled_from([Resolution.MINUTE, Resolution.HOUR]))
def test_the_coarser_window_holds_the_finer(ten: int, resolution: Resolution):
    start = ten // 10 * 10
    around = coarser(start, resolution)
    assert around <= start < start + 10 <= around + resolution


@pytest.mark.parametrize(
    ("seconds", "resolution"),
    [(0, 10), (7100, 10), (7200, 60), (2 * 86400 - 100, 60), (2 * 86400, 3600), (89 * 86400, 3600), (99 * 86400, 3600)],
)
def test_what_is_kept_of_an_instant(seconds: int, resolution: int):
    assert kept(NOW - seconds, NOW) == resolution


@pytest.mark.parametrize(
    ("seconds", "step"), [(60, 10), (600, 10), (3600, 30), (6 * 3600, 300), (86400, 900), (7 * 86400, 7200), (30 * 86400, 21600)]
)
def test_a_chart_has_some_hundred_points(seconds: int, step: int):
    assert step_for(NOW - seconds, NOW, NOW) == step
