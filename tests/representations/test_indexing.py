from __future__ import annotations

import numpy as np
import pytest
from example_crystals import example_table

from gen2dft.representations.indexing import (
    items_of,
    offsets_of,
    places_of,
    row_chunks,
    site_owners,
    voxels_of,
)

COUNTS = np.array([2, 0, 3, 1])


def test_offsets_begin_at_zero_and_end_with_all_items():
    assert offsets_of(COUNTS).tolist() == [0, 2, 2, 5, 6]
    assert offsets_of(COUNTS[:0]).tolist() == [0]
    assert offsets_of(COUNTS).dtype == np.int64


@pytest.mark.parametrize(
    ("groups", "items"),
    [([2, 0], [2, 3, 4, 0, 1]), ([1], []), ([3, 3], [5, 5]), ([], [])],
)
def test_items_follow_the_order_of_the_groups(groups: list[int], items: list[int]):
    assert items_of(offsets_of(COUNTS), np.array(groups, dtype=np.int64)).tolist() == items


def test_every_site_has_the_crystal_that_holds_it_as_owner():
    table = example_table()
    owner = site_owners(table)
    for index in range(len(table)):
        assert (owner[table.sites(index)] == index).all()
    assert len(site_owners(table.select([]))) == 0


@pytest.mark.parametrize(("total", "lengths"), [(7, [3, 3, 1]), (6, [3, 3]), (2, [2]), (0, [])])
def test_chunks_hold_all_rows_in_order(total: int, lengths: list[int]):
    chunks = list(row_chunks(total, 3))
    assert [len(rows) for rows in chunks] == lengths
    assert [row for rows in chunks for row in rows] == list(range(total))


def test_places_of_voxels_are_numbered_row_by_row():
    grids, voxels = voxels_of(np.arange(2 * 5**3), 5)
    assert [int(part[-1]) for part in (grids, *voxels)] == [1, 4, 4, 4]
    assert [int(voxel[7]) for voxel in voxels] == [0, 1, 2]
    assert places_of(grids, voxels, 5).tolist() == list(range(2 * 5**3))
    assert places_of(0, [np.array([[1]]), np.array([[2]]), np.array([0, 3])], 5).tolist() == [
        [35, 38]
    ]
