"""Ids drawn by many at once are all different."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from gen2dft.launchpad.connect import connect_launchpad
from gen2dft.launchpad.ids import Counters


@pytest.fixture
def lpad(settings):
    return connect_launchpad(settings)


@pytest.mark.parametrize("method", ["get_new_fw_id", "get_new_launch_id"])
def test_ids_drawn_at_once_are_different_and_leave_no_gap(lpad, method):
    draw = getattr(lpad, method)
    with ThreadPoolExecutor(8) as pool:
        drawn = list(pool.map(lambda _: draw(), range(200)))
    assert sorted(drawn) == list(range(1, 201))


def test_a_range_of_ids_is_given_by_its_first(lpad):
    assert [lpad.get_new_fw_id(quantity=5), lpad.get_new_fw_id()] == [1, 6]


def test_counters_that_are_not_there(settings, lpad):
    assert Counters(lpad.db["nothing"]).find_one_and_update({}, {"$inc": {"n": 1}}) is None
    with pytest.raises(ValueError, match="Could not get next FW id"):
        type(lpad).get_new_fw_id(_Empty(lpad.db))


class _Empty:
    """A LaunchPad on a database without counters."""

    def __init__(self, database) -> None:
        self.fw_id_assigner = Counters(database["nothing"])
