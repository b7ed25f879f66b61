import gc
import weakref

import pytest

from meshconsole.xds import garbage
from meshconsole.xds.garbage import EVERY, WHOLE, Tender


@pytest.fixture
def tender():
    tender = Tender(0.0)
    yield tender
    tender.stop()


class Knot:
    def __init__(self):
        self.self = self


def knot() -> weakref.ref:
    return weakref.ref(Knot())


def test_it_looks_in_quiet_moments_and_at_last_in_any(tender):
    assert [tender.tend(t, quiet=True) for t in (1, EVERY, EVERY + 1, 2 * EVERY)] == [False, True, False, True]
    assert not tender.tend(4 * EVERY, quiet=False) and tender.tend(2 * EVERY + garbage.AT_THE_LATEST, quiet=False)


def test_what_is_tied_to_itself_is_let_go(tender):
    gone = knot()
    assert gone() is not None
    tender.tend(EVERY, quiet=True)
    assert gone() is None


def test_what_was_set_aside_and_left_since_is_let_go_by_a_look_at_everything(tender):
    kept = Knot()
    left = weakref.ref(kept)
    tender.tend(EVERY, quiet=True)
    del kept
    for look in range(2, WHOLE):
        tender.tend(look * EVERY, quiet=True)
    assert left() is not None
    tender.tend(WHOLE * EVERY, quiet=True)
    assert left() is None


def test_python_is_as_before_when_it_stops():
    before = gc.get_threshold()
    tender = Tender(0.0)
    assert gc.get_threshold() != before
    tender.tend(EVERY, quiet=True)
    tender.stop()
    assert gc.get_threshold() == before and gc.get_freeze_count() == 0
