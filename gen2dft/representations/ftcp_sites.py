"""The sites of crystals in the canonical order of an FTCP matrix."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.representations.element_features import electronegativity_order
from gen2dft.representations.indexing import site_owners

Indices = NDArray[np.int64]
Floats = NDArray[np.float64]

MAX_ATOMIC_NUMBER = 118
# Positions are compared on this grid when sites are sorted, so that rounding noise does not reorder
# them. The shift keeps the usual fractions (1/16, 1/3, ...) away from the steps of the grid.
SORT_GRID = 1000
SORT_SHIFT = 0.623


@dataclass(frozen=True, eq=False)
class OrderedSites:
    """Sites of crystals, sorted by crystal, element column, x, y, z.

    Parameters
    ----------
    crystal, place
        (N,) crystal of each site, and the site's place in it.
    column, numbers
        (N,) element column and atomic number.
    frac
        (N, 3) fractional coordinates in [0, 1), also after rounding to float32.
    """

    crystal: Indices
    place: Indices
    column: Indices
    numbers: NDArray[np.uint8]
    frac: Floats


def ordered_sites(table: CrystalTable) -> OrderedSites:
    """All sites of a table in the canonical order."""
    crystal = site_owners(table)
    column = _element_column(table, crystal)
    frac = _wrapped(table.frac)
    order = _site_order(crystal, column, frac)
    # The order keeps each crystal's sites together, so `crystal` is sorted already.
    place = np.arange(len(crystal)) - table.offsets[crystal]
    return OrderedSites(crystal, place, column[order], table.numbers[order], frac[order])


@cache
def element_rank() -> Indices:
    """(119,) place of each atomic number in the canonical order of element columns."""
    order = electronegativity_order(range(1, MAX_ATOMIC_NUMBER + 1))
    no_element = 0
    rank = np.argsort([*order, no_element])
    rank.flags.writeable = False
    return rank


def presence(table: CrystalTable) -> NDArray[np.bool_]:
    """(n, 119) whether crystal `i` holds the element of that atomic number."""
    shape = (len(table), MAX_ATOMIC_NUMBER + 1)
    present = np.zeros(shape, dtype=bool)
    present[site_owners(table), table.numbers] = True
    return present


def _element_column(table: CrystalTable, crystal: Indices) -> Indices:
    """(N,) element column of each site: how many elements of its crystal come before its own."""
    rank = element_rank()
    by_rank = np.argsort(rank)
    present = presence(table)[:, by_rank]
    elements_before = np.cumsum(present, axis=1) - 1
    return elements_before[crystal, rank[table.numbers]]


def _wrapped(frac: Floats) -> Floats:
    """Fractional coordinates in [0, 1); those that float32 would round up to 1 become 0."""
    wrapped = frac - np.floor(frac)
    rounds_up = wrapped.astype(np.float32) >= 1.0
    wrapped[rounds_up] = 0.0
    return wrapped


def _site_order(crystal: Indices, column: Indices, frac: Floats) -> Indices:
    """(N,) sites by crystal, element column, x, y, z."""
    steps = np.floor(frac * SORT_GRID + SORT_SHIFT)
    # Positions are compared modulo 1: 0.9999999 is the same place as 0.
    grid = steps.astype(np.int64) % SORT_GRID
    x, y, z = grid.T
    # lexsort takes its last key first.
    return np.lexsort((z, y, x, column, crystal))
