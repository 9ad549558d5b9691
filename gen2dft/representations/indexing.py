"""Index arrays: groups of unequal size in one flat array, chunks, and points of cubic grids.

Sites of crystals and entries of sparse rows are stored one group after another; index arrays take
the place of loops over the groups. Points of grids are numbered row by row, z running fastest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable

Indices = NDArray[np.int64]


def offsets_of(counts: Indices) -> Indices:
    """(n + 1,) offsets of groups with (n,) items: group i is `offsets[i]:offsets[i + 1]`."""
    ends = np.cumsum(counts)
    return np.concatenate([[0], ends]).astype(np.int64)


def items_of(offsets: Indices, groups: Indices) -> Indices:
    """Flat indices of all items of some groups, one group after another."""
    counts = np.diff(offsets)[groups]
    starts_here = np.cumsum(counts) - counts
    starts_there = offsets[groups]
    # An item is as far from the start of its group here as it is there.
    shift = np.repeat(starts_there - starts_here, counts)
    return np.arange(counts.sum()) + shift


def site_owners(table: CrystalTable) -> Indices:
    """(N,) crystal to which each site belongs."""
    crystals = np.arange(len(table))
    return np.repeat(crystals, table.num_sites)


def row_chunks(total: int, size: int) -> Iterator[Indices]:
    """The rows 0 to `total` - 1, `size` at a time."""
    for start in range(0, total, size):
        stop = min(start + size, total)
        yield np.arange(start, stop)


def voxels_of(places: Indices, size: int) -> tuple[Indices, list[Indices]]:
    """Grid, and x, y and z, of places in grids of size^3 points, one grid after another."""
    rest, z = np.divmod(places, size)
    rest, y = np.divmod(rest, size)
    grids, x = np.divmod(rest, size)
    return grids, [x, y, z]


def places_of(grids: Indices | int, voxels: Iterable[Indices], size: int) -> Indices:
    """Places of points; inverse of `voxels_of`. The arrays may be of any shapes that broadcast."""
    places = np.asarray(grids)
    for voxel in voxels:
        places = places * size + voxel
    return places
